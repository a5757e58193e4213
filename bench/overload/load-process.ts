/**
 * One process of the load: an open loop. Calls are due at random instants (Poisson), whether or not earlier ones were
 * answered; how long one took counts from the instant at which it was due, so that nothing is hidden by waiting
 * for a slow server. It writes prepared bytes to connections that are kept open, opens more when all are in use, and
 * watches how late it is itself.
 */
import { connect, type Socket } from "node:net";
import { platform } from "../../src/client/platform.ts";
import { RetryBudget } from "../../src/client/retry-budget.ts";

/** What the process is told. */
export interface OverloadLoad {
  readonly port: number;
  readonly phases: readonly { readonly perSecond: number; readonly ms: number }[];
  /** Whole requests, sent in turn; the second list for calls that are critical. */
  readonly requests: readonly string[];
  readonly criticalRequests: readonly string[];
  readonly critical: number;
  readonly repeats: boolean;
  /** Before the phases: what the server answers when so many calls are always in flight, for so long. */
  readonly closed?: { readonly inFlight: number; readonly ms: number };
}

/** What became of the calls that were due in one phase. */
export interface PhaseTally {
  offered: number;
  good: number;
  /** Of the critical ones. */
  criticalOffered: number;
  criticalGood: number;
  attempts: number;
  /** Answered with 429 or 503. */
  refused: number;
  /** No good answer within the second: late, cut, or never sent for want of a connection. */
  late: number;
  /** Of good answers, ms. */
  readonly responsesMs: number[];
  /** How late calls were sent that were due, ms. */
  readonly lagsMs: number[];
}

export type FromOverloadLoad =
  | { readonly kind: "phase"; readonly index: number }
  | { readonly kind: "ended"; readonly tallies: readonly PhaseTally[]; readonly closedPerSecond: number }
  | { readonly kind: "failed"; readonly message: string };

/** How long a caller waits. */
const patienceMs = 1_000;
const connectionsMax = 400;
const tickMs = 1;
/** How often it is looked for calls whose time is over. */
const lookMs = 10;
const repeatsMax = 3;
const backoffMaxMs = 200;
const closedSettlePart = 0.4;

interface Call {
  readonly due: number;
  readonly critical: boolean;
  readonly tally: PhaseTally;
  attempts: number;
  over: boolean;
  /** Told of the status of its answer, instead of all else. */
  onEnd?: (status: number) => void;
}

class Load {
  readonly #load: OverloadLoad;
  readonly #idle: Socket[] = [];
  readonly #waiting: Call[] = [];
  /** In the order in which they were due, over or not. */
  #open: Call[] = [];
  readonly #busy = new Map<Socket, Call>();
  readonly #budget = new RetryBudget(platform);
  readonly #requests: readonly Buffer[];
  readonly #criticalRequests: readonly Buffer[];
  #connections = 0;
  #sent = 0;

  constructor(load: OverloadLoad) {
    this.#load = load;
    this.#requests = load.requests.map((request) => Buffer.from(request, "latin1"));
    this.#criticalRequests = load.criticalRequests.map((request) => Buffer.from(request, "latin1"));
  }

  /** Answers per second while every caller makes its next call when the last one is answered. */
  async closed({ inFlight, ms }: NonNullable<OverloadLoad["closed"]>): Promise<number> {
    let answered = 0;
    let running = true;
    const next = (): void => {
      if (!running) return;
      const call: Call = { due: performance.now(), critical: false, tally: newTally(), attempts: 0, over: false };
      call.onEnd = (status) => {
        if (status === 200) answered += 1;
        next();
      };
      this.#send(call);
    };
    for (let caller = 0; caller < inFlight; caller++) next();
    await pause(ms * closedSettlePart);
    const before = answered;
    const began = performance.now();
    await pause(ms);
    const perSecond = ((answered - before) * 1_000) / (performance.now() - began);
    running = false;
    while (this.#busy.size > 0) await pause(lookMs);
    return perSecond;
  }

  async run(): Promise<readonly PhaseTally[]> {
    const look = setInterval(() => this.#expire(), lookMs);
    const tallies: PhaseTally[] = [];
    for (const [index, { perSecond, ms }] of this.#load.phases.entries()) {
      tell({ kind: "phase", index });
      const tally = newTally();
      tallies.push(tally);
      await this.#offer(tally, perSecond, ms);
    }
    while (this.#open.some(({ over }) => !over)) await pause(lookMs);
    clearInterval(look);
    for (const socket of [...this.#idle, ...this.#busy.keys()]) socket.destroy();
    return tallies;
  }

  async #offer(tally: PhaseTally, perSecond: number, ms: number): Promise<void> {
    const began = performance.now();
    let due = began;
    for (;;) {
      due += (-Math.log(1 - Math.random()) / perSecond) * 1_000;
      if (due - began >= ms) break;
      while (performance.now() < due) await pause(Math.min(tickMs, due - performance.now()));
      this.#arrive(tally, due);
    }
    const leftMs = began + ms - performance.now();
    if (leftMs > 0) await pause(leftMs);
  }

  #arrive(tally: PhaseTally, due: number): void {
    const critical = Math.random() < this.#load.critical;
    const call: Call = { due, critical, tally, attempts: 0, over: false };
    tally.offered += 1;
    if (critical) tally.criticalOffered += 1;
    tally.lagsMs.push(performance.now() - due);
    this.#open.push(call);
    this.#send(call);
  }

  #send(call: Call): void {
    const socket = this.#idle.pop();
    if (socket !== undefined) return this.#write(socket, call);
    this.#waiting.push(call);
    if (this.#connections < connectionsMax) this.#connect();
  }

  #connect(): void {
    this.#connections += 1;
    const socket = connect({ host: "127.0.0.1", port: this.#load.port, noDelay: true }, () => this.#free(socket));
    let received = "";
    socket.setEncoding("latin1");
    socket.on("data", (text: string) => {
      received += text;
      const status = statusOfWhole(received);
      if (status === undefined) return;
      received = "";
      const call = this.#busy.get(socket);
      this.#busy.delete(socket);
      this.#free(socket);
      if (call !== undefined) this.#answered(call, status);
    });
    socket.on("error", () => {});
    socket.on("close", () => {
      this.#connections -= 1;
      const at = this.#idle.indexOf(socket);
      if (at >= 0) this.#idle.splice(at, 1);
      const call = this.#busy.get(socket);
      this.#busy.delete(socket);
      if (call !== undefined) this.#failed(call);
    });
  }

  #free(socket: Socket): void {
    for (let next = this.#waiting.shift(); next !== undefined; next = this.#waiting.shift()) {
      if (!next.over) return this.#write(socket, next);
    }
    this.#idle.push(socket);
  }

  #write(socket: Socket, call: Call): void {
    call.attempts += 1;
    call.tally.attempts += 1;
    this.#busy.set(socket, call);
    const requests = call.critical ? this.#criticalRequests : this.#requests;
    socket.write(requests[this.#sent++ % requests.length]!);
  }

  #answered(call: Call, status: number): void {
    if (call.onEnd !== undefined) return call.onEnd(status);
    if (call.over) return;
    const tookMs = performance.now() - call.due;
    if (status !== 200) {
      if (status === 429 || status === 503) call.tally.refused += 1;
      return this.#failed(call);
    }
    this.#budget.answered();
    call.over = true;
    if (tookMs > patienceMs) {
      call.tally.late += 1;
      return;
    }
    call.tally.good += 1;
    if (call.critical) call.tally.criticalGood += 1;
    call.tally.responsesMs.push(tookMs);
  }

  /** Repeated, if there is a budget and time; otherwise it is over. */
  #failed(call: Call): void {
    if (call.over) return;
    if (!this.#load.repeats || call.attempts > repeatsMax) {
      call.over = true;
      return;
    }
    const deadline = call.due + patienceMs;
    const waitMs = Math.random() * Math.min(backoffMaxMs, 50 * 2 ** (call.attempts - 1));
    void pause(waitMs)
      .then(() => this.#budget.take(deadline))
      .then((granted) => {
        if (granted && !call.over && performance.now() < deadline) this.#send(call);
      });
  }

  #expire(): void {
    const before = performance.now() - patienceMs;
    const late = this.#open.filter((call) => call.due <= before && !call.over);
    for (const call of late) {
      call.over = true;
      call.tally.late += 1;
    }
    for (const [socket, call] of this.#busy) if (call.over) socket.destroy();
    this.#open = this.#open.filter(({ over }) => !over);
  }
}

/** Of a whole answer; undefined while a part of it is missing. */
function statusOfWhole(received: string): number | undefined {
  const headEnd = received.indexOf("\r\n\r\n");
  if (headEnd < 0) return undefined;
  const head = received.slice(0, headEnd).toLowerCase();
  const length = /\r\ncontent-length: (\d+)/.exec(head);
  const whole =
    length !== null
      ? received.length >= headEnd + 4 + Number(length[1])
      : !head.includes("transfer-encoding: chunked") || received.endsWith("0\r\n\r\n");
  return whole ? Number(received.slice(9, 12)) : undefined;
}

function newTally(): PhaseTally {
  const counts = { offered: 0, good: 0, criticalOffered: 0, criticalGood: 0, attempts: 0, refused: 0, late: 0 };
  return { ...counts, responsesMs: [], lagsMs: [] };
}

function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}

function tell(message: FromOverloadLoad): void {
  if (process.connected) process.send!(message);
}

process.on("disconnect", () => process.exit());
async function makeLoad(load: OverloadLoad): Promise<void> {
  const made = new Load(load);
  const closedPerSecond = load.closed === undefined ? 0 : await made.closed(load.closed);
  tell({ kind: "ended", tallies: await made.run(), closedPerSecond });
}

process.once("message", (load: OverloadLoad) => {
  makeLoad(load).catch((error: unknown) => tell({ kind: "failed", message: String(error) }));
});
