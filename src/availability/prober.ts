/**
 * A prober: once in every slice it does what a user would, a durable write and a read of it, over HTTP on a connection of its
 * own, on canary keys that rotate over the shards. Within the slice's time it repeats under the same idempotency key, as
 * the client library does. It runs outside the nodes; when it was itself held up it says nothing about that slice.
 */
import { request } from "node:http";
import { makeTimedKey } from "../values/ids.ts";
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

/** An answer: its status and its body; rejects when there is none. */
export type Ask = (
  path: string,
  key: string | undefined,
  timeoutMs: number,
) => Promise<{ status: number; body: string }>;

export interface ProberOptions {
  readonly ask: Ask;
  /** Probers take turns by their number. */
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
    this.#probes = options.number * Math.floor(canaries / 2);
    this.#schedule(Date.now());
  }

  stop(): void {
    this.#stopped = true;
    clearTimeout(this.#timer);
  }

  /** Within the next slice; the second prober comes later in it than the first. */
  #schedule(after: number): void {
    const offset = (0.25 + 0.4 * (this.#options.number % 2)) * sliceMs;
    const next = Math.floor((after - offset) / sliceMs + 1) * sliceMs + offset;
    this.#timer = setTimeout(() => {
      // A timer may come a moment early, and the slice must not be probed twice for that.
      this.#schedule(Math.max(next, Date.now()));
      void this.#probe(Math.floor(next / sliceMs));
    }, next - Date.now());
  }

  async #probe(slice: number): Promise<void> {
    if (Math.abs(Date.now() / sliceMs - slice - 0.5) > 1) return;
    const began = performance.now();
    const failure = await probe(this.#options.ask, `canary-${this.#probes++ % canaries}`);
    const heldUp = performance.now() - began > probeMaxMs + heldUpMs;
    if (!this.#stopped && !heldUp) this.#options.tell({ slice, failure });
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

/** Over HTTP, on a new connection each time, which any node may accept. */
export function askOver(url: URL, headers: Readonly<Record<string, string>>): Ask {
  return (path, key, timeoutMs) =>
    new Promise((resolve, reject) => {
      const sent = request(
        new URL(path, url),
        {
          method: "POST",
          agent: false,
          headers: {
            ...headers,
            "content-length": 0,
            "request-timeout": (Math.max(1, timeoutMs) / 1_000).toFixed(3),
            ...(key !== undefined && { "idempotency-key": key }),
          },
        },
        (response) => {
          let body = "";
          response.setEncoding("utf8");
          response.on("data", (text) => (body += text));
          response.on("error", () => reject(new Error("cut")));
          response.on("end", () => resolve({ status: response.statusCode ?? 0, body }));
        },
      );
      const timer = setTimeout(() => sent.destroy(new Error("late")), timeoutMs);
      sent.on("error", (error) => reject(new Error(error.message === "late" ? "late" : "cut")));
      sent.on("close", () => clearTimeout(timer));
      sent.end();
    });
}
