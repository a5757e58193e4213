/** Synod as it is, with the meters that a hosted node has. */
import { createMeters } from "../../src/adapters/meters/hdr.ts";
import type { Run } from "../bench.ts";
import { measureCost } from "./measure.ts";

export const run: Run = (options) => measureCost(createMeters, options);
