/**
 * The load of a drill: calls come at random instants (Poisson), whether or not earlier ones were answered, each from a caller
 * of its own that is free. Beside what the system's own services are asked for, callers write into the ledger and read it.
 */
import type { Asked, Asks } from "../capacity/asks.ts";
import type { HistoryRecorder } from "../simulation/history.ts";
import { type Prng, pick } from "../values/prng.ts";
import { type CallerOptions, DrillCaller, type Heard, newKey } from "./callers.ts";
import { ledgerService } from "./ledger.interface.ts";
import type { LedgerBook, Outcome } from "./ledger.ts";

export interface DrillLoadOptions extends Omit<CallerOptions, "history"> {
  readonly perSecond: number;
  readonly prng: Prng;
  readonly recorder: HistoryRecorder;
  readonly book: LedgerBook;
  /** What the system's own services are asked for; nothing when undefined. */
  readonly asks: Asks | undefined;
}

/** A call that is over. Instants in ms since the load began. */
export interface OverCall {
  readonly name: string;
  /** When it was to be made; its wait counts from then. */
  readonly due: number;
  readonly ended: number;
  readonly outcome: Outcome;
  readonly error: string | undefined;
  readonly attempts: number;
}

/** A command that was acknowledged, with what it takes to ask for it again. */
export interface Acknowledged {
  readonly asked: Asked;
  readonly id: string;
  readonly heard: Pick<Heard, "value" | "error">;
}

/** Of all calls the part that appends to the ledger, and that reads it, where the system has services of its own. */
const appendPart = 0.3;
const readPart = 0.1;
/** Calls that may be open at the same time; what is due beyond that is a failure of its own kind. */
const callersMax = 2_000;
const tickMs = 5;

export class DrillLoad {
  readonly calls: OverCall[] = [];
  readonly acknowledged: Acknowledged[] = [];
  readonly #options: DrillLoadOptions;
  readonly #began = performance.now();
  readonly #free: DrillCaller[] = [];
  readonly #open = new Set<Promise<void>>();
  #callers = 0;
  #nextDue = 0;
  #timer: NodeJS.Timeout | undefined;

  constructor(options: DrillLoadOptions) {
    this.#options = options;
    this.#timer = setInterval(() => this.#turn(), tickMs);
  }

  /** Ms since it began. */
  get now(): number {
    return performance.now() - this.#began;
  }

  /** Makes no more calls; resolves when all are over. */
  async stop(): Promise<void> {
    clearInterval(this.#timer);
    await Promise.all(this.#open);
  }

  #turn(): void {
    for (; this.#nextDue <= this.now; this.#nextDue += this.#interval()) {
      const over: Promise<void> = this.#call(this.#nextDue).finally(() => this.#open.delete(over));
      this.#open.add(over);
    }
  }

  async #call(due: number): Promise<void> {
    const caller = this.#free.pop() ?? this.#newCaller();
    if (caller === undefined) {
      const call = { name: "load", outcome: "fail", error: "too_many_open_calls", attempts: 0 } as const;
      this.calls.push({ ...call, due, ended: this.now });
      return;
    }
    const { name, heard } = await this.#askNext(caller);
    this.#free.push(caller);
    const { outcome, error, attempts } = heard;
    this.calls.push({ name, due, ended: this.now, outcome, error: outcome === "ok" ? undefined : error, attempts });
  }

  async #askNext(caller: DrillCaller): Promise<{ readonly name: string; readonly heard: Heard }> {
    const { prng, book, asks } = this.#options;
    const dice = prng.number() * (asks === undefined ? appendPart + readPart : 1);
    if (dice < appendPart) return await this.#append(caller);
    if (dice < appendPart + readPart) {
      const { latestPages } = book;
      if (latestPages.length === 0) return await this.#append(caller);
      const request = { service: ledgerService, key: pick(prng, latestPages), operation: "read" };
      return { name: "read", heard: await caller.ask(request, undefined, "read") };
    }
    const asked = asks!.draw(prng, this.#callers);
    const { operation, request } = asked;
    const name = `${operation.service}.${operation.name}`;
    const id = operation.command && operation.key !== undefined ? newKey() : undefined;
    const heard = await caller.ask(request, id, name);
    if (id !== undefined && heard.outcome === "ok") this.acknowledged.push({ asked, id, heard });
    return { name, heard };
  }

  async #append(caller: DrillCaller): Promise<{ readonly name: string; readonly heard: Heard }> {
    const { page, entry } = this.#options.book.next();
    const request = { service: ledgerService, key: page, operation: "append", input: entry };
    const heard = await caller.ask(request, newKey(), "append");
    this.#options.book.told(entry, heard.outcome);
    return { name: "append", heard };
  }

  #newCaller(): DrillCaller | undefined {
    if (this.#callers >= callersMax) return undefined;
    this.#callers += 1;
    return new DrillCaller({ ...this.#options, history: this.#options.recorder.client() });
  }

  /** Of a Poisson process: exponentially distributed. */
  #interval(): number {
    return (-Math.log(1 - this.#options.prng.number()) / this.#options.perSecond) * 1_000;
  }
}
