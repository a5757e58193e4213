/** Commands that send a message each; the next one begins when the message has arrived. */
import type { Run } from "../bench.ts";
import { measureMessages } from "./load.ts";

export const run: Run = (options) => measureMessages("tell", options);
