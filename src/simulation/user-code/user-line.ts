/** Which line of the user's own code it was: for sentences that tell him what to change. */
import { fileURLToPath } from "node:url";
import { stackOf } from "./stacks.ts";

/** Frames that an error keeps while somebody looks for who was at work. */
const framesMax = 30;
const own = new URL("..", import.meta.url).href;

/** Runs something whose errors say where they were made: in a run they do not, because that takes time. */
export function withStacks<T>(run: () => T): T {
  const { stackTraceLimit } = Error;
  Error.stackTraceLimit = framesMax;
  try {
    return run();
  } finally {
    Error.stackTraceLimit = stackTraceLimit;
  }
}

/** `path:line` of the first frame that is neither of the simulator nor of a package. */
export function userLine(error: Error): string | undefined {
  for (const [, url, line] of stackOf(error).matchAll(/(file:\/\/[^\s)]+?):(\d+):\d+\)?$/gm)) {
    if (!url!.startsWith(own) && !url!.includes("/node_modules/")) return `${fileURLToPath(url!)}:${line}`;
  }
  return undefined;
}
