/**
 * A prober: it does what a user would, a durable write and a read of it, over HTTP, on canary keys that rotate over the
 * shards. Probers take turns, a slice each, so that somebody looks in every slice and nobody does so twice. Within a slice's
 * time a prober repeats under the same idempotency key, as the client library does. It runs outside the nodes; when it was
 * itself held up it says nothing about that slice.
 */
import { makeTimedKey } from "../values/ids.ts";
import type { Ask, ProbeConnection } from "./probe-connection.ts";
import { type SliceSeen, sliceMs } from "./slices.ts";

/** The name of the service that probers call and that the meter keeps its figures with. */
export const availabilityService = "synod-availability";
/** Enough of them for almost every one of 64 shards to have one. */
const canaries = 256;
/** How long a probe may take in all. */
const probeMaxMs = 1_000;
const repeatAfterMs = 50;
/** A probe that ended so much later than it may was not the system's fault. */
const heldUpMs = 500;
const keyRandomBytes = 10;
/** How many of them there are. */
const probers = 2;
/** Where in its slice a probe begins, in parts of it. */
const beginPart = 0.25;

export interface ProberOptions {
  readonly connection: Pick<ProbeConnection, "ask" | "probed" | "close">;
  /** Probers take turns by their number, from 0. */
  readonly number: number;
  readonly tell: (seen: SliceSeen) => void;
}

/** Probes until it is told to stop. */
export class Prober {
  readonly #options: ProberOptions;
  #stopped = false;
  #timer: NodeJS.Timeout | undefined;
  #probes: number;

  constructor(options: ProberOptions) {
    this.#options = options;
    this.#probes = options.number * Math.floor(canaries / probers);
    this.#schedule(Date.now());
  }

  stop(): void {
    this.#stopped = true;
    clearTimeout(this.#timer);
    this.#options.connection.close();
  }

  /** Within the next slice that is this prober's. */
  #schedule(after: number): void {
    const turnMs = probers * sliceMs;
    const offset = (this.#options.number + beginPart) * sliceMs;
    const next = Math.floor((after - offset) / turnMs + 1) * turnMs + offset;
    this.#timer = setTimeout(() => {
      // A timer may come a moment early, and the slice must not be probed twice for that. More than a turn is a clock set back.
      const now = Date.now();
      this.#schedule(now < next && next - now < turnMs ? next : now);
      void this.#probe(Math.floor(next / sliceMs));
    }, next - Date.now());
  }

  async #probe(slice: number): Promise<void> {
    if (Math.abs(Date.now() / sliceMs - slice - 0.5) > 1) return;
    const began = performance.now();
    const { connection } = this.#options;
    const failure = await probe(connection.ask, `canary-${this.#probes++ % canaries}`);
    if (this.#stopped) return connection.close();
    connection.probed(failure === undefined);
    const heldUp = performance.now() - began > probeMaxMs + heldUpMs;
    if (!heldUp) this.#options.tell({ slice, failure });
  }
}

/** A durable write and a read that has to show it; gives why not. */
export async function probe(ask: Ask, canary: string): Promise<string | undefined> {
  const deadline = performance.now() + probeMaxMs;
  const key = makeTimedKey(Date.now(), crypto.getRandomValues(new Uint8Array(keyRandomBytes)));
  const written = await until(deadline, (leftMs) => ask(`/${availabilityService}/${canary}/beat`, key, leftMs));
  if (typeof written === "string") return written;
  const read = await until(deadline, (leftMs) => ask(`/${availabilityService}/${canary}/beats`, undefined, leftMs));
  if (typeof read === "string") return read;
  return Number(read.body) >= Number(written.body) ? undefined : "stale read";
}

async function until(
  deadline: number,
  ask: (leftMs: number) => ReturnType<Ask>,
): Promise<{ readonly body: string } | string> {
  let failure = "late";
  for (let leftMs = deadline - performance.now(); leftMs > 0; leftMs = deadline - performance.now()) {
    const answer = await ask(leftMs).catch((error: unknown) => (error instanceof Error ? error.message : "cut"));
    if (typeof answer === "string") failure = answer;
    else if (answer.status === 200) return { body: answer.body };
    else failure = /"code"\s*:\s*"([^"]+)"/.exec(answer.body)?.[1] ?? `status ${answer.status}`;
    await new Promise((resolve) => setTimeout(resolve, repeatAfterMs));
  }
  return failure;
}
