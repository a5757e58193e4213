/** What the client library needs of the place where it runs, Node or a browser; its tests bring their own. */
export interface Platform {
  /** Milliseconds since an arbitrary instant, never backwards. */
  monotonic(): number;
  /** Milliseconds since 1970, by a clock that may be wrong. */
  wall(): number;
  /** A number in [0, 1), for jitter. */
  random(): number;
  /** Bytes that nobody else can predict. */
  bytes(length: number): Uint8Array;
  /** Calls back once, after the delay; answers how to take that back. */
  after(delayMs: number, callback: () => void): () => void;
}

/** Timers of JavaScript fire at once when they are set for longer: 24 days. */
const delayMaxMs = 2 ** 31 - 1;

export const platform: Platform = {
  monotonic: () => performance.now(),
  wall: () => Date.now(),
  random: () => Math.random(),
  bytes: (length) => crypto.getRandomValues(new Uint8Array(length)),
  after: (delayMs, callback) => {
    const timer = setTimeout(callback, Math.min(delayMs, delayMaxMs));
    return () => clearTimeout(timer);
  },
};
