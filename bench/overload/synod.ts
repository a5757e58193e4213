/** Synod as it is. */
import type { Run } from "../bench.ts";
import { measureOverload } from "./measure.ts";
import { startWork } from "./system.ts";

export const run: Run = (options) => measureOverload(startWork, options);
