/**
 * What an operator hears of handlers that do not end, and of an event loop that does not turn: both are the doing of the
 * business logic, and nobody else would say of which. It only watches. What becomes of a call is decided by its
 * deadline, what becomes of a turn by the mailbox, and what becomes of a node that stands still by its supervisor.
 *
 * It looks at a fixed interval. A look that comes late says that the event loop stood still; one that comes in time goes
 * through the handlers that have been waited for, and tells of each once. Handlers that settle in the turn of the event
 * loop in which they started are never waited for, and cost nothing here.
 */
import type { Clock, Timer } from "../ports/clock.ts";
import type { Log } from "../ports/log.ts";
import { type Invocation, nameOfTarget, type Target } from "./invocation.ts";

/** How often it looks, ms. A still event loop is measured from a look on, so that up to so much of it is not seen. */
const lookIntervalMs = 500;
/** A handler that runs for longer is told of; not before its caller's deadline, where somebody gave it more time on purpose. */
const runMaxMs = 30_000;
/** After its deadline a handler has a moment to heed its signal. */
const graceMs = 1_000;
/** An event loop that stands still for longer is told of. */
const stillMaxMs = 1_000;
/** How often an operation is told of, and the event loop. */
const tellIntervalMs = 60_000;
/** Handlers that are watched at a time; of any beyond that nothing is told. */
const watchedMax = 10_000;
/** Handlers that are named in one line. */
const namedMax = 5;

/** A handler that is waited for. Of its call only what is told: a handler that hangs must not keep its state in memory. */
export interface WatchedHandler {
  readonly target: Target;
  readonly request: string;
  /** On the monotonic clock, ms. */
  readonly startedAt: number;
  readonly dueAt: number;
  /** Names of the calls that it waits for. */
  calls: ReadonlyMap<number, string> | null;
}

/** When something was last told, and how many times more it could have been since. */
interface Telling {
  toldAt: number;
  untold: number;
}

export class HandlerWatch {
  readonly #clock: Clock;
  readonly #log: Log;
  readonly #watched = new Set<WatchedHandler>();
  /** By operation: as many as the system has. */
  readonly #tellings = new Map<string, Telling>();
  readonly #still: Telling = { toldAt: Number.NEGATIVE_INFINITY, untold: 0 };
  /** Since the last look: handlers that ran that long in one turn of the event loop, and those that took that long in all. */
  #blocking: string[] = [];
  #ended: string[] = [];
  #timer: Timer | null = null;
  #stopped = false;

  constructor(clock: Clock, log: Log) {
    this.#clock = clock;
    this.#log = log;
  }

  start(): void {
    if (!this.#stopped) this.#lookAfter();
  }

  /** Nothing is watched any more. */
  stop(): void {
    this.#stopped = true;
    this.#timer?.cancel();
    this.#watched.clear();
  }

  /** The handler has returned a promise: it is waited for from now on. */
  waitsFor(invocation: Invocation, startedAt: number): WatchedHandler {
    const { target, requestId: request, deadline } = invocation;
    this.ranFor(this.#clock.monotonic() - startedAt, invocation);
    // The deadline of a durable command's attempt is nobody's wish, and its handler keeps the turn of its entity until then.
    const patientUntil = target.operation.durable ? startedAt : deadline + graceMs;
    const dueAt = Math.max(startedAt + runMaxMs, patientUntil);
    const handler: WatchedHandler = { target, request, startedAt, dueAt, calls: null };
    if (!this.#stopped && this.#watched.size < watchedMax) this.#watched.add(handler);
    return handler;
  }

  /** It has settled, or what it waits for will never come. */
  ended(handler: WatchedHandler): void {
    this.#watched.delete(handler);
    const { target, request, startedAt } = handler;
    const tookMs = this.#clock.monotonic() - startedAt;
    if (tookMs >= stillMaxMs) named(this.#ended, target, tookMs, request);
  }

  /** A handler ran for so long without letting go of the event loop. */
  ranFor(ms: number, { target, requestId }: Invocation): void {
    if (ms >= stillMaxMs) named(this.#blocking, target, ms, requestId);
  }

  #lookAfter(): void {
    const expectedAt = this.#clock.monotonic() + lookIntervalMs;
    this.#timer = this.#clock.setTimer(lookIntervalMs, () => this.#look(expectedAt));
  }

  #look(expectedAt: number): void {
    const now = this.#clock.monotonic();
    if (now - expectedAt >= stillMaxMs) this.#stoodStill(now, now - expectedAt);
    for (const handler of this.#watched) if (now >= handler.dueAt) this.#runsOn(handler, now);
    if (this.#blocking.length > 0) this.#blocking = [];
    if (this.#ended.length > 0) this.#ended = [];
    this.#lookAfter();
  }

  #stoodStill(now: number, ms: number): void {
    const untold = told(this.#still, now);
    if (untold === null) return;
    const underWay = [...this.#ended];
    for (const { target, request, startedAt } of this.#watched) {
      if (startedAt <= now - ms) named(underWay, target, now - startedAt, request);
    }
    const [culprit] = this.#blocking;
    const who = culprit === undefined ? "a handler kept it, or the process was stopped" : `${culprit} kept it`;
    this.#log.warn(`the event loop stood still for at least ${seconds(ms)}: ${who}`, {
      ...(culprit === undefined && underWay.length > 0 && { underWay }),
      ...(untold > 0 && { untold }),
    });
  }

  /** It is told of once: nobody could do more about it later. */
  #runsOn(handler: WatchedHandler, now: number): void {
    const { target, request, startedAt, calls } = handler;
    const { service, key, name: operation, operation: kind } = target;
    this.#watched.delete(handler);
    const by = `${service.interface.name}.${operation}`;
    const telling = this.#tellings.get(by) ?? { toldAt: Number.NEGATIVE_INFINITY, untold: 0 };
    this.#tellings.set(by, telling);
    const untold = told(telling, now);
    if (untold === null) return;
    const why = kind.durable ? "it keeps the turn of its entity" : "its caller's deadline has passed";
    const waitsFor = [...(calls?.values() ?? [])].slice(0, namedMax);
    this.#log.warn(`${nameOfTarget(target)} still runs after ${seconds(now - startedAt)}: ${why}`, {
      ...{ service: service.interface.name, operation },
      ...(key !== null && { key }),
      ...{ request, runningMs: Math.round(now - startedAt) },
      ...(waitsFor.length > 0 && { waitsFor }),
      ...(untold > 0 && { untold }),
    });
  }
}

/** How many times it was not told since it last was; null when it is too early to tell it again. */
function told(telling: Telling, now: number): number | null {
  if (now - telling.toldAt < tellIntervalMs) {
    telling.untold += 1;
    return null;
  }
  const { untold } = telling;
  telling.toldAt = now;
  telling.untold = 0;
  return untold;
}

function named(names: string[], target: Target, ms: number, request: string): void {
  if (names.length < namedMax) names.push(`${nameOfTarget(target)} (${seconds(ms)}, request ${request})`);
}

function seconds(ms: number): string {
  return `${(ms / 1_000).toFixed(1)} s`;
}
