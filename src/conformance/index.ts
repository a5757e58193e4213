/** `synod/conformance`: what an adapter must do to stand behind one of Synod's ports, as suites for `node:test`. */
export { type NetworkConformanceOptions, networkConformance } from "./network.ts";
export type { SmallStoreUnderTest, StoreConformanceOptions, StoreUnderTest } from "./store/fixture.ts";
export { storeProcess } from "./store/process.ts";
export { storeConformance } from "./store/store.ts";
