/** The same commands, which send nothing. */
import type { Run } from "../bench.ts";
import { measureMessages } from "./load.ts";

export const run: Run = (options) => measureMessages("note", options);
