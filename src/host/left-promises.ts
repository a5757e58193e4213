/**
 * What becomes of a promise that the user's code left behind and that is rejected: nobody waits for it any more, and no
 * call depends on it, so it is no reason to end a node and everything else that goes on there. It is told with its stack,
 * because something is wrong in that code. What is thrown where no promise is (in a timer, in a listener) ends the
 * node: nobody knows what was left half done.
 */
import { InvariantError } from "../errors.ts";
import type { Log } from "../ports/log.ts";
import { displayPath } from "./load-errors.ts";

/** How often such a promise is told of, ms: a handler may leave one with every call. */
const tellIntervalMs = 1_000;

/** From now on this process goes on when a promise is rejected that nobody handles. */
export function tellLeftPromises(systemFile: string, log: Log): void {
  let toldAt = Number.NEGATIVE_INFINITY;
  let untold = 0;
  process.on("unhandledRejection", (reason) => {
    // A bug of Synod's own is no promise of the user's.
    if (reason instanceof InvariantError) throw reason;
    if (performance.now() - toldAt < tellIntervalMs) {
      untold += 1;
      return;
    }
    toldAt = performance.now();
    const message = `${displayPath(systemFile)} or what it imports left a promise behind that was rejected: await it, or handle its error`;
    log.error(message, { ...(untold > 0 && { untold }), error: reason });
    untold = 0;
  });
}
