/** Durable commands of the same size: accepted, carried out, and finished. */
import type { Run } from "../bench.ts";
import { measureMessages } from "./load.ts";

export const run: Run = (options) => measureMessages("promise", options);
