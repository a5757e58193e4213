/**
 * Operations: a history's events paired up, each invocation with its completion. What checkers read.
 *
 * Pairing also proves that the history is one: a process does one thing at a time, and none is heard of
 * again once it ended in `info`.
 */
import { SynodError } from "../errors.ts";
import type { HistoryEvent, OperationEvent } from "./history.ts";

/** What an operation answered. */
export interface Reply {
  readonly value: unknown;
  /** Name of the declared error, when the reply is one. */
  readonly error: string | undefined;
}

export interface Operation {
  readonly process: number;
  readonly f: string;
  readonly key: string | null;
  /** The input. */
  readonly value: unknown;
  readonly outcome: "ok" | "fail" | "info";
  /** Present exactly for `ok`. */
  readonly reply: Reply | undefined;
  readonly node: string | undefined;
  readonly epoch: number | undefined;
  /** Index of the event that invoked it. */
  readonly invokedAt: number;
  /** Index of the event after which it cannot take effect any more: for `info`, Infinity. */
  readonly completedAt: number;
}

/**
 * The input by which a workload marks a read as settled: made after the faults had ended and everything had
 * converged, so that nothing may be missing from it.
 */
export const settled = "settled";

/** All operations, in the order of their invocations. One that the history leaves open is `info`. */
export function pairOperations(events: Iterable<HistoryEvent>): Operation[] {
  const operations: Operation[] = [];
  /** By process: where its open operation stands in `operations`, or that it has ended. */
  const processes = new Map<number, number | "idle" | "ended">();
  for (const event of events) {
    if (event.process === "fault") continue;
    const state = processes.get(event.process) ?? "idle";
    if (state === "ended") throw broken(event, "acts again after info");
    if (event.type === "invoke") {
      if (state !== "idle") throw broken(event, `invokes ${event.f} while ${operations[state]!.f} is open`);
      processes.set(event.process, operations.push(invoked(event)) - 1);
    } else {
      if (state === "idle") throw broken(event, `completes ${event.f}, which it did not invoke`);
      const invocation = operations[state]!;
      if (invocation.f !== event.f || invocation.key !== event.key) {
        throw broken(event, `completes ${nameOf(event)} while ${nameOf(invocation)} is open`);
      }
      operations[state] = completed(invocation, event);
      processes.set(event.process, event.type === "info" ? "ended" : "idle");
    }
  }
  return operations;
}

function invoked(event: OperationEvent): Operation {
  return {
    process: event.process,
    f: event.f,
    key: event.key,
    value: event.value,
    outcome: "info",
    reply: undefined,
    node: undefined,
    epoch: undefined,
    invokedAt: event.index,
    completedAt: Number.POSITIVE_INFINITY,
  };
}

function completed(invocation: Operation, event: OperationEvent): Operation {
  return {
    ...invocation,
    outcome: event.type as Operation["outcome"],
    reply: event.type === "ok" ? { value: event.value, error: event.error } : undefined,
    node: event.node,
    epoch: event.epoch,
    completedAt: event.type === "info" ? Number.POSITIVE_INFINITY : event.index,
  };
}

function nameOf(of: { readonly f: string; readonly key: string | null }): string {
  return of.key === null ? of.f : `${of.f} of key ${JSON.stringify(of.key)}`;
}

function broken(event: OperationEvent, what: string): SynodError {
  return new SynodError("invalid_argument", `event ${event.index} of the history: process ${event.process} ${what}`);
}
