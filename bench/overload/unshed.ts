/** Synod without load control: every call gets in, and none is turned away before its deadline. */
import { withoutLoadControl } from "../../src/runtime/limits.ts";
import type { Run } from "../bench.ts";
import { measureOverload } from "./measure.ts";
import { startWork } from "./system.ts";

export const run: Run = (options) => measureOverload((folder) => startWork(folder, withoutLoadControl), options);
