/** What the load's coordinator and its processes say to each other. */
import type { Target } from "./connections.ts";
import type { Tally } from "./open-loop.ts";

/** A request up to where the headers belong that each call has of its own, and the rest. Latin-1, one character for each byte. */
export interface PreparedRequest {
  readonly head: string;
  readonly tail: string;
  /** Whether it takes an idempotency key: a command of a keyed service, as the client library sends it. */
  readonly keyed: boolean;
}

/** The load of one process in one trial. */
export interface LoadOrder {
  readonly perSecond: number;
  readonly settleMs: number;
  readonly ms: number;
  readonly timeoutMs: number;
  readonly graceMs: number;
  readonly seed: number;
}

export type ToLoad =
  | {
      readonly kind: "target";
      readonly target: Target;
      /** Of this process. */
      readonly connectionsMax: number;
      readonly requests: readonly PreparedRequest[];
    }
  | { readonly kind: "offer"; readonly order: LoadOrder };

export type FromLoad =
  /** `cores`: processors that this process used while calls counted. */
  | { readonly kind: "offered"; readonly tally: Tally; readonly cores: number }
  | { readonly kind: "failed"; readonly message: string };
