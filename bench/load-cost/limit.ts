/** The same without limiter, meters and breakers: what is left of the code that they are called from does nothing. */
import { noMeters } from "../../src/ports/meters.ts";
import { NodeLoad, type Slot } from "../../src/runtime/load.ts";
import { type Passage, PeerConduct } from "../../src/runtime/peer-conduct.ts";
import type { Run } from "../bench.ts";
import { measureCost } from "./measure.ts";

const slot = { park: () => {}, unpark: () => {}, storeAsked: () => {}, release: () => {} } as unknown as Slot;
const nothing = (): void => {};
const passage = { breaker: { answers: 0, answered: nothing }, budget: { answered: nothing } } as unknown as Passage;

NodeLoad.prototype.admitted = (_invocation, run) => run(slot);
PeerConduct.prototype.passage = () => passage;

export const run: Run = (options) => measureCost(() => noMeters, options);
