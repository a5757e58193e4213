/**
 * The meters port: where the runtime says what it did, one operation at a time, and what a node's meters say when
 * somebody looks at them. The runtime only writes; who keeps the figures, and in what form they leave the process,
 * is an adapter's business.
 *
 * Labels are bounded: services and operations are those of the system file, codes are status codes and declared
 * names. What an operation is called that this node does not host is nobody's to choose: it is `foreign`.
 */
import type { Histogram } from "../values/histogram.ts";

/** Why a call was turned away before its handler ran. */
export type ShedReason =
  /** The queue for its priority, or for its caller, was as long as it may be. */
  | "queue"
  /** It could not have been answered by its deadline. */
  | "deadline"
  /** Somebody more important, or with less in the queue, took its place. */
  | "displaced"
  /** The node holds as many calls, bytes or undurable changes as it may. */
  | "bound";

/** The meter of one operation. All durations are in ms. */
export interface OperationMeter {
  /** A call that came in at this node was answered: `ok`, a status code, or the name of a declared error. */
  answered(code: string, tookMs: number): void;
  /** A call left the queue, in which it had waited so long, to be carried out here. */
  started(waitedMs: number): void;
  /** The handler settled, so long after it was called. */
  handled(tookMs: number): void;
  /** The change of a command was durable, so long after its handler had returned. */
  committed(waitedMs: number): void;
  shed(reason: ShedReason): void;
}

export interface Meters {
  /** The same meter for the same names. */
  operation(service: string, operation: string): OperationMeter;
}

/** What one operation's meter says; everything counts from the start of the process. */
export interface OperationFigures {
  readonly service: string;
  readonly operation: string;
  /** Calls that came in at this node and were answered, by code. */
  readonly answered: Readonly<Record<string, number>>;
  readonly shed: Readonly<Partial<Record<ShedReason, number>>>;
  /** From the call's arrival at this node until its answer, on whichever node it was carried out. */
  readonly response: Histogram;
  /** Of calls that were carried out here: the wait for the node, the handler, and the wait for the store. */
  readonly queueWait: Histogram;
  readonly handler: Histogram;
  readonly commitWait: Histogram;
}

/** How calls ended, without how long anything took: cheap to read. */
export type AnswerFigures = Pick<OperationFigures, "service" | "operation" | "answered" | "shed">;

/** What a process consumes. */
export interface ProcessFigures {
  /** Processor time since the start, s. */
  readonly cpuSeconds: number;
  /** The part of the last window in which the event loop was busy, 0 to 1. */
  readonly eventLoopUtilization: number;
  /** How late timers were in the last window, ms. */
  readonly eventLoopDelay: { readonly meanMs: number; readonly p99Ms: number; readonly maxMs: number };
  readonly heapUsedBytes: number;
  readonly heapTotalBytes: number;
  readonly rssBytes: number;
}

/** Bytes that crossed a boundary of the process since its start. */
export interface Traffic {
  readonly receivedBytes: number;
  readonly sentBytes: number;
}

const silent: OperationMeter = {
  answered: () => {},
  started: () => {},
  handled: () => {},
  committed: () => {},
  shed: () => {},
};

/** Meters that nobody reads. */
export const noMeters: Meters = { operation: () => silent };
