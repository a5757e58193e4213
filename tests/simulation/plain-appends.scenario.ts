/** Appends without keys of their own, as `synod sim` runs them. */
import type { Scenario } from "../../src/simulation/index.ts";
import { plainAppends } from "./plain-appends.ts";

const scenario: Scenario = plainAppends(20_000);
export default scenario;
