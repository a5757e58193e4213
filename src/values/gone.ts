/**
 * Says that a caller has gone. Every call has one and hardly any fires, so it is as much of an `AbortSignal` as the
 * runtime asks for, at a small part of the price: making an `AbortController` takes about as long as all the rest of a
 * call's way through a node. An `AbortSignal` is one too.
 *
 * Runs in browsers too: no `node:` imports.
 */

/** Fires once, or never. */
export interface GoneSignal {
  readonly aborted: boolean;
  addEventListener(type: "abort", listener: () => void): void;
  removeEventListener(type: "abort", listener: () => void): void;
}

/** A signal together with the means to fire it. */
export class Gone implements GoneSignal {
  aborted = false;
  /** Made with the first listener. */
  #listeners: Set<() => void> | undefined;

  /** Calls every listener once, in the order in which they came. */
  abort(): void {
    if (this.aborted) return;
    this.aborted = true;
    for (const listener of this.#listeners ?? []) listener();
    this.#listeners = undefined;
  }

  /** A listener that comes afterwards is never called: look at `aborted` first. */
  addEventListener(_type: "abort", listener: () => void): void {
    if (this.aborted) return;
    this.#listeners ??= new Set();
    this.#listeners.add(listener);
  }

  removeEventListener(_type: "abort", listener: () => void): void {
    this.#listeners?.delete(listener);
  }
}
