/**
 * How long keys do not answer: a few counters, spread over the nodes, each asked again and again, an answer being waited
 * for by repeating the command under one id on new connections. A gap is the time from the first request to the answer.
 */
import { ask } from "../bare-http.ts";

/** How often each key is asked while it answers, and when it does not. */
const intervalMs = 250;
const repeatMs = 20;
/** How long one request may keep another one from being tried. */
const answerMaxMs = 1_000;

interface Gap {
  readonly from: number;
  readonly to: number;
}

export class Probes {
  readonly #url: string;
  readonly #gaps: Gap[] = [];
  /** Since when each key that does not answer has not. */
  readonly #silentSince = new Map<string, number>();
  readonly #running: readonly Promise<void>[];
  #stopped = false;
  /** Commands that were answered. */
  answered = 0;

  constructor(url: string, keys: readonly string[]) {
    this.#url = url;
    this.#running = keys.map((key) => this.#probe(key));
  }

  /** The longest gap that fell into the time from then to now, ms; what is not over yet counts as far as it is. */
  worstSince(from: number): number {
    const now = performance.now();
    const open = [...this.#silentSince.values()].map((since) => ({ from: since, to: now }));
    const lengths = [...this.#gaps.filter((gap) => gap.to > from), ...open].map((gap) => gap.to - gap.from);
    return Math.max(0, ...lengths);
  }

  /** Resolves when every key has answered to a request that was made from now on. */
  async allAnswer(): Promise<void> {
    const asked = performance.now();
    while ([...this.#silentSince.values()].some((since) => since < asked) && !this.#stopped) await pause(repeatMs);
  }

  async stop(): Promise<void> {
    this.#stopped = true;
    await Promise.all(this.#running);
  }

  async #probe(key: string): Promise<void> {
    for (let number = 1; !this.#stopped; number++) {
      const from = performance.now();
      this.#silentSince.set(key, from);
      await this.#untilAnswered(key, `${key}-${number}`);
      this.#silentSince.delete(key);
      this.#gaps.push({ from, to: performance.now() });
      this.answered += 1;
      await pause(intervalMs);
    }
  }

  async #untilAnswered(key: string, id: string): Promise<void> {
    while (!this.#stopped) {
      const request = ask(this.#url, `/counter/${key}/add`, 1, { id, waitMs: answerMaxMs });
      if ((await request.catch(() => undefined))?.status === 200) return;
      await pause(repeatMs);
    }
  }
}

function pause(ms: number): Promise<void> {
  return new Promise((next) => setTimeout(next, ms));
}
