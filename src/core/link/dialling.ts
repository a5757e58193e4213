/**
 * When to dial a peer again. After a failure the next attempt waits a random time below a bound that doubles
 * with every failure in a row (full jitter, as in "Exponential Backoff and Jitter", AWS 2015), so that the
 * nodes that lost a peer together do not come back together. A link that lasted resets the bound; one that
 * opened and was closed at once does not.
 */
import type { LinkLimits } from "./limits.ts";
import type { LinkCause } from "./messages.ts";

export interface Dialling {
  /** Attempts that failed since the last link that opened. */
  failures: number;
  /** Attempts made; the number of the next one is one more. */
  dials: number;
  /** Links that opened after the first. */
  reconnects: number;
  /** When the last link opened, if it is still open. */
  openedAt: number | undefined;
  opened: boolean;
  /** How often each cause ended an attempt or a link, and the last one. */
  readonly causes: Map<LinkCause, number>;
  lastCause: LinkCause | undefined;
  /** Not to be dialled before this instant. */
  waitUntil: number;
}

/** Doubling past this many failures changes nothing any more. */
const failuresCounted = 30;

export function createDialling(): Dialling {
  return {
    failures: 0,
    dials: 0,
    reconnects: 0,
    openedAt: undefined,
    opened: false,
    causes: new Map(),
    lastCause: undefined,
    waitUntil: Number.NEGATIVE_INFINITY,
  };
}

/** A link to the peer has opened. */
export function noteOpened(dialling: Dialling, now: number): void {
  if (dialling.opened) dialling.reconnects++;
  dialling.opened = true;
  dialling.openedAt = now;
}

/** An attempt or a link has ended. `random` in [0, 1). Sets, and returns, the instant of the next attempt. */
export function noteEnded(
  dialling: Dialling,
  cause: LinkCause,
  random: number,
  now: number,
  { backoffFirstMs, backoffMaxMs }: Pick<LinkLimits, "backoffFirstMs" | "backoffMaxMs">,
): number {
  dialling.causes.set(cause, (dialling.causes.get(cause) ?? 0) + 1);
  dialling.lastCause = cause;
  if (dialling.openedAt !== undefined && now - dialling.openedAt >= backoffMaxMs) dialling.failures = 0;
  dialling.openedAt = undefined;
  const boundMs = Math.min(backoffMaxMs, backoffFirstMs * 2 ** Math.min(dialling.failures, failuresCounted));
  dialling.failures++;
  dialling.waitUntil = now + random * boundMs;
  return dialling.waitUntil;
}
