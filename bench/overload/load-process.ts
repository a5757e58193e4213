/**
 * The process of the load: an open loop. Calls are due at random instants (Poisson), whether or not earlier ones were
 * answered; how long one took counts from the instant at which it was due, so that nothing is hidden by waiting
 * for a slow server. A call for which no connection is free then is lost, and counts as one that got no answer.
 *
 * It has a processor of its own where that is possible, looks at the clock without a pause, and says how late it was.
 */
import { platform } from "../../src/client/platform.ts";
import { RetryBudget } from "../../src/client/retry-budget.ts";
import { type Connection, Connections } from "./connections.ts";
import { goFirst, ownBusyMs } from "./processors.ts";
import { type Ending, newTally, type PhaseTally } from "./tally.ts";

/** What the process is told. */
export interface OverloadLoad {
  readonly port: number;
  readonly phases: readonly { readonly perSecond: number; readonly ms: number }[];
  /** What is asked for in turn; the second list by calls that are critical. `{id}` stands for one that was never used. */
  readonly path: string;
  readonly criticalPath: string;
  readonly critical: number;
  readonly repeats: boolean;
  /** Each call opens a connection of its own. */
  readonly fresh: boolean;
  /** Whether it has a processor to itself. */
  readonly alone: boolean;
  /** Before the phases: what the server answers when so many calls are always in flight, for so long. */
  readonly closed?: { readonly inFlight: number; readonly settleMs: number; readonly ms: number };
}

export type FromOverloadLoad =
  | { readonly kind: "phase"; readonly index: number }
  | {
      readonly kind: "ended";
      readonly tallies: readonly PhaseTally[];
      readonly closedPerSecond: number;
      /** Processor time that the load took. */
      readonly busyMs: number;
    }
  | { readonly kind: "failed"; readonly message: string };

/** How long a caller waits. */
const patienceMs = 1_000;
/**
 * The callers' pools: as many connections as calls are due in the time that a caller waits, and no more than callers keep
 * to one server. A call for which none is free then is lost, at any side.
 */
const connectionsMax = 4_000;
const connectionsMin = 500;
/** How often it is looked for calls whose time is over. */
const lookMs = 5;
/** As in `src/client/caller.ts`. */
const backoffFirstMs = 50;
const backoffMaxMs = 2_000;

/** What a call that is not over does: it waits for an answer, before a repeat, or for leave to repeat. */
type Doing = "asking" | "pausing" | "queueing";

interface Call {
  readonly due: number;
  readonly critical: boolean;
  readonly tally: PhaseTally;
  /** The second of its phase, from 0. */
  readonly second: number;
  attempts: number;
  doing: Doing;
  /** The connection on which it waits for an answer. */
  connection: Connection | null;
  over: boolean;
}

class Load {
  readonly #load: OverloadLoad;
  readonly #connections: Connections;
  /** In the order in which they were due, over or not. */
  #open: Call[] = [];
  readonly #budget = new RetryBudget(platform);
  readonly #request: (leftMs: number) => string;
  readonly #criticalRequest: (leftMs: number) => string;

  constructor(load: OverloadLoad) {
    this.#load = load;
    this.#connections = new Connections(load.port, load.closed?.inFlight ?? connectionsOf(load), load.fresh);
    this.#request = requestsOf(load.path);
    this.#criticalRequest = requestsOf(load.criticalPath);
  }

  /** Answers per second while every caller makes its next call when the last one is answered. */
  async closed({ inFlight, settleMs, ms }: NonNullable<OverloadLoad["closed"]>): Promise<number> {
    await this.#connections.open();
    let answered = 0;
    let failure: string | undefined;
    const next = (): void => {
      const sent = this.#connections.send(this.#request(patienceMs), (status) => {
        if (status === 200) answered += 1;
        else if (status !== 429 && status !== 503) failure = `answered ${status ?? "by closing the connection"}`;
        next();
      });
      if (sent === undefined) setImmediate(next);
    };
    for (let caller = 0; caller < inFlight; caller++) next();
    await pause(settleMs);
    const before = answered;
    const began = performance.now();
    await pause(ms);
    const perSecond = ((answered - before) * 1_000) / (performance.now() - began);
    this.#connections.close();
    if (perSecond === 0) throw new Error(`the server answers nothing: ${failure ?? "it refuses everything"}`);
    return perSecond;
  }

  async run(): Promise<readonly PhaseTally[]> {
    await this.#connections.open();
    const look = setInterval(() => this.#expire(), lookMs);
    const tallies: PhaseTally[] = [];
    for (const [index, { perSecond, ms }] of this.#load.phases.entries()) {
      tell({ kind: "phase", index });
      const tally = newTally(ms);
      tallies.push(tally);
      await this.#offer(tally, perSecond, ms);
    }
    while (this.#open.some(({ over }) => !over)) await pause(lookMs);
    clearInterval(look);
    this.#connections.close();
    return tallies;
  }

  async #offer(tally: PhaseTally, perSecond: number, ms: number): Promise<void> {
    const began = performance.now();
    let due = began;
    for (;;) {
      due += (-Math.log(1 - Math.random()) / perSecond) * 1_000;
      if (due - began >= ms) break;
      while (performance.now() < due) await (this.#load.alone ? turn() : pause(1));
      this.#arrive(tally, due, Math.floor((due - began) / 1_000));
    }
    const leftMs = began + ms - performance.now();
    if (leftMs > 0) await pause(leftMs);
  }

  #arrive(tally: PhaseTally, due: number, second: number): void {
    const critical = Math.random() < this.#load.critical;
    const call: Call = { due, critical, tally, second, attempts: 0, doing: "asking", connection: null, over: false };
    tally.offered += 1;
    tally.seconds[second]!.offered += 1;
    if (critical) tally.criticalOffered += 1;
    tally.lagsMs.push(performance.now() - due);
    this.#open.push(call);
    this.#send(call);
  }

  #send(call: Call): void {
    const leftMs = call.due + patienceMs - performance.now();
    if (leftMs <= 0) return;
    call.attempts += 1;
    call.tally.attempts += 1;
    call.doing = "asking";
    const request = call.critical ? this.#criticalRequest(leftMs) : this.#request(leftMs);
    const connection = this.#connections.send(request, (status, text) => this.#answered(call, status, text));
    call.connection = connection ?? null;
    if (connection === undefined) end(call, "lost");
  }

  #answered(call: Call, status: number | null, text: string): void {
    call.connection = null;
    if (call.over) return;
    if (status === 429 || status === 503) return this.#failed(call, "refused", retryAfterMsOf(text));
    if (status !== 200) return this.#failed(call, "cut", 0);
    this.#budget.answered();
    const tookMs = performance.now() - call.due;
    if (tookMs > patienceMs) return;
    const { tally } = call;
    call.over = true;
    tally.good += 1;
    tally.seconds[call.second]!.good += 1;
    if (call.critical) tally.criticalGood += 1;
    tally.responsesMs.push(tookMs);
  }

  /** Repeated as by the client library, if there is a budget and time; otherwise it is over. */
  #failed(call: Call, ending: Ending, retryAfterMs: number): void {
    if (!this.#load.repeats) return end(call, ending);
    const deadline = call.due + patienceMs;
    const waitMs = retryAfterMs + Math.random() * Math.min(backoffMaxMs, backoffFirstMs * 2 ** (call.attempts - 1));
    if (performance.now() + waitMs >= deadline) return end(call, ending);
    call.doing = "pausing";
    void pause(waitMs)
      .then(() => {
        call.doing = "queueing";
        return this.#budget.take(deadline);
      })
      .then((granted) => {
        if (granted && !call.over) this.#send(call);
      });
  }

  #expire(): void {
    const before = performance.now() - patienceMs;
    let ended = 0;
    for (const call of this.#open) {
      if (call.due > before) break;
      ended += 1;
      if (call.over) continue;
      end(call, lateWhile(call));
      call.connection?.abandon();
    }
    if (ended > 0) this.#open = this.#open.slice(ended);
  }
}

/** As Synod says it in milliseconds in the body; the header has whole seconds, which is as long as callers wait here. */
function retryAfterMsOf(text: string): number {
  return Number(/"retryAfterMs":(\d+)/.exec(text)?.[1] ?? 0);
}

function end(call: Call, ending: Ending): void {
  call.over = true;
  call.tally.ended[ending] += 1;
}

function lateWhile({ doing, attempts }: Call): Ending {
  if (doing === "pausing") return "latePausing";
  if (doing === "queueing") return "lateInBudget";
  return attempts === 1 ? "lateAtFirst" : "lateAtRepeat";
}

function connectionsOf({ phases }: OverloadLoad): number {
  const waiting = Math.max(...phases.map(({ perSecond }) => (perSecond * patienceMs) / 1_000));
  return Math.min(connectionsMax, Math.max(connectionsMin, Math.ceil(waiting)));
}

/** A request for a path, which says how long its caller will wait. */
function requestsOf(path: string): (leftMs: number) => string {
  let sent = 0;
  const [before = "", after] = path.split("{id}");
  const prefix = `${process.pid}-${Date.now()}-`;
  const pathOf = (): string => (after === undefined ? before : `${before}${prefix}${++sent}${after}`);
  return (leftMs) =>
    `POST ${pathOf()} HTTP/1.1\r\nHost: localhost\r\nContent-Length: 0\r\nRequest-Timeout: ` +
    `${Math.max(0.001, leftMs / 1_000).toFixed(3)}\r\n\r\n`;
}

function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, Math.max(1, ms)));
}

/** One turn of the event loop, which looks for answers and does not wait for any. */
function turn(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}

function tell(message: FromOverloadLoad): void {
  if (process.connected) process.send!(message);
}

goFirst();
process.on("disconnect", () => process.exit());
async function makeLoad(load: OverloadLoad): Promise<void> {
  const made = new Load(load);
  const closedPerSecond = load.closed === undefined ? 0 : await made.closed(load.closed);
  const tallies = load.closed === undefined ? await made.run() : [];
  tell({ kind: "ended", tallies, closedPerSecond, busyMs: ownBusyMs() });
}

process.once("message", (load: OverloadLoad) => {
  makeLoad(load).catch((error: unknown) => tell({ kind: "failed", message: String(error) }));
});
