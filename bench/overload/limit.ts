/** The least program: Node's own HTTP server. */
import type { Run } from "../bench.ts";
import { startLimit } from "./limit-server.ts";
import { measureOverload } from "./measure.ts";

export const run: Run = (options) => measureOverload(startLimit, options);
