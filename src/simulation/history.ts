/**
 * Histories: what clients asked of a system and heard from it, and which faults were injected meanwhile, as
 * one stream of events in the order in which they happened. Cluster tests and the simulator write the same
 * form (JSON Lines, one event per line), so the same checkers judge both.
 *
 * A client is strictly sequential and is called a process here: it invokes one operation, and hears that it
 * is `ok` (a reply; a declared error is one), `fail` (it certainly did not happen) or `info` (nobody knows,
 * and it may still happen at any later time). After `info` its process id is never used again, for that
 * process may still be at work.
 *
 * This module never reads a clock and never touches a file: time and the place for events are passed in.
 */
import { SynodError } from "../errors.ts";
import { decodeJson, encodeJson } from "../values/json.ts";

export type EventType = "invoke" | "ok" | "fail" | "info";

/** What every event has. */
interface EventBase {
  /** Position in the history, from 0, without gaps. Real-time order is the order of indexes. */
  readonly index: number;
  /** Nanoseconds since an instant that the history chooses; never backwards. */
  readonly time: number;
  /** What is done: an operation (`read`, `add`) or a fault (`kill`, `partition`). */
  readonly f: string;
  /** Of `invoke`: the input. Of `ok`: the reply, or a declared error's data. Of a fault: its details. */
  readonly value?: unknown;
  readonly node?: string | undefined;
}

export interface OperationEvent extends EventBase {
  readonly process: number;
  readonly type: EventType;
  /** The entity; null for what is asked of no single one. */
  readonly key: string | null;
  /** Of `ok`: the name of the declared error. Of `fail` and `info`: the code of the failure. */
  readonly error?: string | undefined;
  /** Epoch of the shard under which the reply was given, where the client knows it. */
  readonly epoch?: number | undefined;
}

export interface FaultEvent extends EventBase {
  readonly process: "fault";
  readonly type: "info";
}

export type HistoryEvent = OperationEvent | FaultEvent;

/** Where a reply came from. */
export interface Origin {
  readonly node?: string | undefined;
  readonly epoch?: number | undefined;
}

/** Event without what the recorder adds. */
type Unrecorded<E extends HistoryEvent> = Omit<E, "index" | "time">;

/** Numbers and times events, and hands each to `emit` at once: several clients may record as they please. */
export class HistoryRecorder {
  readonly #now: () => number;
  readonly #emit: (event: HistoryEvent) => void;
  #nextIndex = 0;
  #nextProcess = 0;

  /** `now` in nanoseconds. */
  constructor(options: { readonly now: () => number; readonly emit: (event: HistoryEvent) => void }) {
    this.#now = options.now;
    this.#emit = options.emit;
  }

  /** A new client, with a process id of its own. */
  client(): HistoryClient {
    return new HistoryClient({
      newProcess: () => this.#nextProcess++,
      record: (event) => this.#record(event),
    });
  }

  /** A fault that was injected, or repaired, now. */
  fault(f: string, value?: unknown, node?: string): void {
    this.#record({ process: "fault", type: "info", f, value, node });
  }

  #record(event: Unrecorded<OperationEvent> | Unrecorded<FaultEvent>): void {
    const whole = { index: this.#nextIndex, time: this.#now(), ...event };
    this.#emit(whole);
    this.#nextIndex += 1;
  }
}

/** Records one client's operations: `invoke`, then exactly one of `ok`, `fail`, `info` or `failed`. */
export class HistoryClient {
  readonly #newProcess: () => number;
  readonly #record: (event: Unrecorded<OperationEvent>) => void;
  #process: number;
  #open: { readonly f: string; readonly key: string | null } | undefined;

  constructor(options: { newProcess: () => number; record: (event: Unrecorded<OperationEvent>) => void }) {
    this.#newProcess = options.newProcess;
    this.#record = options.record;
    this.#process = options.newProcess();
  }

  /** Record this before the call is sent. */
  invoke(f: string, key: string | null, value?: unknown): void {
    if (this.#open !== undefined) throw misuse(`process ${this.#process} invokes ${f} while ${this.#open.f} is open`);
    this.#open = { f, key };
    this.#record({ process: this.#process, type: "invoke", f, key, value });
  }

  /** The operation was answered. */
  ok(value?: unknown, origin: Origin = {}): void {
    this.#complete("ok", { value, ...origin });
  }

  /** The operation certainly did not happen. */
  fail(error: string, origin: Origin = {}): void {
    this.#complete("fail", { error, ...origin });
  }

  /** The operation may have happened, or may still happen. The client goes on under a new process id. */
  info(error: string, origin: Origin = {}): void {
    this.#complete("info", { error, ...origin });
    this.#process = this.#newProcess();
  }

  /** The operation failed with this error: a declared error is a reply, for others their outcome decides. */
  failed(error: SynodError, origin: Origin = {}): void {
    if (error.declared) this.#complete("ok", { value: error.data, error: error.code, ...origin });
    else if (error.outcome === "not-happened") this.fail(error.code, origin);
    else this.info(error.code, origin);
  }

  #complete(type: EventType, rest: Origin & { readonly value?: unknown; readonly error?: string }): void {
    if (this.#open === undefined) throw misuse(`process ${this.#process} completes an operation without an open one`);
    const { f, key } = this.#open;
    this.#open = undefined;
    this.#record({ process: this.#process, type, f, key, ...rest });
  }
}

/** One line of a history file, without its line break. */
export function formatEvent(event: HistoryEvent): string {
  return encodeJson(event, `event ${event.index} of the history`);
}

/** The events of a history's lines; `name` says in messages which history it is. */
export function parseHistory(lines: Iterable<string>, name: string): HistoryEvent[] {
  const events: HistoryEvent[] = [];
  let time = Number.NEGATIVE_INFINITY;
  let lineNumber = 0;
  for (const line of lines) {
    lineNumber += 1;
    const subject = `${name}, line ${lineNumber}`;
    const event = decodeJson(line, subject);
    const fault = faultOfEvent(event) ?? faultOfPlace(event as HistoryEvent, events.length, time);
    if (fault !== undefined) throw misuse(`${subject}: ${fault}`);
    events.push(event as HistoryEvent);
    time = (event as HistoryEvent).time;
  }
  return events;
}

function faultOfPlace(event: HistoryEvent, index: number, time: number): string | undefined {
  if (event.index !== index) return `index is ${event.index} where ${index} comes next`;
  if (event.time < time) return `time goes backwards, from ${time} to ${event.time}`;
  return undefined;
}

function faultOfEvent(value: unknown): string | undefined {
  if (typeof value !== "object" || value === null || Array.isArray(value)) return "is not an object";
  const { index, time, process, type, f, node, ...rest } = value as Record<string, unknown>;
  if (!isCount(index)) return "index must be an integer from 0";
  if (typeof time !== "number") return "time must be a number of nanoseconds";
  if (typeof f !== "string" || f === "") return "f must name an operation or a fault";
  if (node !== undefined && typeof node !== "string") return "node must be a string";
  if (process === "fault") return type === "info" ? undefined : 'a fault has the type "info"';
  if (!isCount(process)) return 'process must be an integer from 0, or "fault"';
  return faultOfOperation(type, rest);
}

function faultOfOperation(type: unknown, rest: Record<string, unknown>): string | undefined {
  const { key, error, epoch } = rest;
  if (!["invoke", "ok", "fail", "info"].includes(type as string))
    return 'type must be "invoke", "ok", "fail" or "info"';
  if (key !== null && typeof key !== "string") return "key must be a string or null";
  if (error !== undefined && typeof error !== "string") return "error must be a string";
  if (epoch !== undefined && !isCount(epoch)) return "epoch must be an integer from 0";
  return undefined;
}

function isCount(value: unknown): boolean {
  return Number.isSafeInteger(value) && (value as number) >= 0;
}

function misuse(message: string): SynodError {
  return new SynodError("invalid_argument", message);
}
