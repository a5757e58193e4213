/**
 * Waits for a server that cannot be reached. A system may be started before its database is up, and a node that dies
 * while the primary is being replaced is started again meanwhile: neither is a reason to give up at once.
 */
import { setTimeout as pause } from "node:timers/promises";
import type { SynodError } from "../../errors.ts";
import type { Log } from "../../ports/log.ts";
import { isRefusal, storeError } from "./failures.ts";

/** How long to wait before the servers are tried again. */
const retryMs = 250;

export interface Patience {
  /** How long servers that cannot be reached are tried again, ms. */
  readonly forMs: number;
  /** Ends the waiting with the reason why they cannot be reached. */
  readonly signal?: AbortSignal;
}

interface Waiting {
  /** Of the store. */
  readonly name: string;
  readonly patience: Patience;
  readonly log: Log | undefined;
}

/** Does it until it succeeds. Rejects at once where another attempt would not help, and with the last failure in the end. */
export async function patiently<T>(open: () => Promise<T>, { name, patience, log }: Waiting): Promise<T> {
  const started = performance.now();
  const mayGoOn = (failure: SynodError): boolean =>
    failure.code === "unavailable" &&
    !isRefusal(failure.cause) &&
    patience.signal?.aborted !== true &&
    performance.now() - started < patience.forMs;
  for (let isFirst = true; ; isFirst = false) {
    try {
      return await open();
    } catch (error) {
      const failure = storeError(error, name);
      if (!mayGoOn(failure)) throw failure;
      // Why it cannot be reached has been said by the connection.
      if (isFirst) log?.warn(`waiting for ${name}, ${patience.forMs / 1_000} s at the most`);
      await pause(retryMs, undefined, { signal: patience.signal }).catch(() => {});
    }
  }
}
