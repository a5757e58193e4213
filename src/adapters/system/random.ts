/** The random port on the operating system's generator. */
import { randomBytes } from "node:crypto";
import type { Random } from "../../ports/random.ts";

/** Unpredictable bytes from the operating system; jitter from the engine's own generator. */
export const systemRandom: Random = {
  // A copy: a Buffer may be a window on memory that is shared with others.
  bytes: (length) => new Uint8Array(randomBytes(length)),
  number: () => Math.random(),
};
