/**
 * Pending work for the committer's tests: a model of what a store keeps of it, and work and progress that an owner who
 * makes no mistakes could say. Everything is taken from what that owner knows: what the store has, and what was said
 * since.
 */
import assert from "node:assert/strict";
import type { ShardId } from "../../ports/store.ts";
import type { EntityWork, InboxItem, OutboxMessage, ShardProgress, TimerRow } from "../../ports/work.ts";

const origin = { operation: "o", input: null, principal: "p", request: "r", traceparent: null };

export class PendingModel {
  readonly items = new Map<number, { key: string; attempts: number; journal: Map<string, string | null> }>();
  readonly messages = new Map<number, { key: string; attempts: number }>();
  /** Generations, by key and name. */
  readonly timers = new Map<string, number>();

  /** False when a number is taken, or what is to be finished is not there. */
  apply(key: string, work: Partial<EntityWork>): boolean {
    let isCurrent = true;
    for (const { number, attempts } of work.accepted ?? []) {
      isCurrent &&= !this.items.has(number);
      this.items.set(number, { key, attempts, journal: new Map() });
    }
    for (const number of work.finished ?? []) {
      isCurrent &&= this.items.get(number)?.key === key;
      this.items.delete(number);
    }
    for (const { number, attempts } of work.sent ?? []) {
      isCurrent &&= !this.messages.has(number);
      this.messages.set(number, { key, attempts });
    }
    for (const name of work.timersCleared ?? []) this.timers.delete(`${key}/${name}`);
    for (const { name, generation } of work.timersSet ?? []) this.timers.set(`${key}/${name}`, generation);
    return isCurrent;
  }

  advance(progress: Partial<ShardProgress>): void {
    for (const { number, attempts, journal } of progress.items ?? []) {
      const item = this.items.get(number);
      if (item === undefined) continue;
      item.attempts = attempts;
      for (const { id, outcome } of journal) item.journal.set(id, outcome);
    }
    for (const number of progress.itemsDropped ?? []) this.items.delete(number);
    for (const { key, name, generation, message } of progress.released ?? []) {
      if (this.timers.get(`${key}/${name}`) !== generation) continue;
      this.timers.delete(`${key}/${name}`);
      this.messages.set(message.number, { key, attempts: message.attempts });
    }
    for (const { number, attempts } of progress.messages ?? []) {
      const message = this.messages.get(number);
      if (message !== undefined) message.attempts = attempts;
    }
    for (const number of progress.messagesSettled ?? []) this.messages.delete(number);
  }

  copy(): PendingModel {
    const copy = new PendingModel();
    for (const [number, { journal, ...item }] of this.items) {
      copy.items.set(number, { ...item, journal: new Map(journal) });
    }
    for (const [number, message] of this.messages) copy.messages.set(number, { ...message });
    for (const [name, generation] of this.timers) copy.timers.set(name, generation);
    return copy;
  }
}

/** What a command does to its entity's pending work. */
export type WorkForm = "none" | "accept" | "finish" | "pass" | "send" | "set" | "clear";

/**
 * `pass`: the command is accepted and finished at once. `known`: what is there once all that was said is done.
 */
export function workOf(
  form: WorkForm,
  key: string,
  known: PendingModel,
  nextNumber: () => number,
): Partial<EntityWork> | null {
  const open = [...known.items].find(([, item]) => item.key === key)?.[0];
  switch (form) {
    case "none":
      return null;
    case "accept":
      return { accepted: [itemOf(nextNumber(), key)] };
    case "finish":
      return open === undefined ? null : { finished: [open] };
    case "pass": {
      const number = nextNumber();
      return { accepted: [itemOf(number, key)], finished: [number], sent: [messageOf(nextNumber(), key)] };
    }
    case "send":
      return { sent: [messageOf(nextNumber(), key), messageOf(nextNumber(), key)] };
    case "set":
      return { timersSet: [timerOf(nextNumber(), key)] };
    case "clear":
      return { timersCleared: [timerName] };
  }
}

/** `bad`: an outcome that the store does not take. */
export type ProgressForm = "attempt" | "record" | "bad" | "drop" | "retry" | "settle" | "release";

/** Progress in something that is there, `pick` says in which; null when there is no such thing. */
export function progressOf(
  form: ProgressForm,
  pick: number,
  { known, durable }: { readonly known: PendingModel; readonly durable: PendingModel },
  nextNumber: () => number,
): Partial<ShardProgress> | null {
  const one = <Value>(values: Iterable<Value>): Value | undefined => {
    const all = [...values];
    return all[pick % Math.max(1, all.length)];
  };
  const item = one(known.items.keys());
  // What leaves, leaves when it is durable.
  const message = one([...known.messages.keys()].filter((number) => durable.messages.has(number)));
  const timer = one([...known.timers].filter(([name, generation]) => durable.timers.get(name) === generation));
  const attempts = pick + 2;
  const state = { attempts, parked: null, holdsTurn: false };
  switch (form) {
    case "attempt":
      return item === undefined ? null : { items: [{ number: item, ...state, journal: [] }] };
    case "record":
    case "bad": {
      const outcome = form === "bad" ? badReply : `"${pick}"`;
      const journal = [{ id: `call ${pick % 3}`, name: "", inputHash: "", outcome }];
      return item === undefined ? null : { items: [{ number: item, ...state, journal }] };
    }
    case "drop":
      return item === undefined ? null : { itemsDropped: [item] };
    case "retry":
      return message === undefined ? null : { messages: [{ number: message, attempts, parked: null }] };
    case "settle":
      return message === undefined ? null : { messagesSettled: [message] };
    case "release": {
      if (timer === undefined) return null;
      const [key] = timer[0].split("/");
      const released = { key: key!, name: timerName, generation: timer[1], message: messageOf(nextNumber(), key!) };
      return { released: [released] };
    }
  }
}

/** What the store does not take: in the reply of a change, or the outcome of a call. */
export const badReply = "bad";

const timerName = "hold";

export function itemOf(number: number, key: string): InboxItem {
  const found = { id: `item ${number}`, inputHash: "", keyTime: null, call: null };
  return { number, key, ...origin, ...found, acceptedAt: 0, attempts: 1, parked: null, holdsTurn: false };
}

export function messageOf(number: number, key: string): OutboxMessage {
  return { number, key, service: "s", target: "t", ...origin, sentAt: 0, attempts: 0, parked: null };
}

export function timerOf(generation: number, key: string): TimerRow {
  return { key, name: timerName, generation, dueAt: 0, service: null, target: null, ...origin, attempts: 0 };
}

/** The pending work of several shards. */
export class PendingModels {
  readonly #models = new Map<number, PendingModel>();

  of({ number }: Pick<ShardId, "number">): PendingModel {
    let model = this.#models.get(number);
    if (model === undefined) {
      model = new PendingModel();
      this.#models.set(number, model);
    }
    return model;
  }
}

/** A number that stands for no message: by it the model store knows which progress is in a batch. */
const firstMark = 1_000_000_000;

export function markOf(token: number): number {
  return firstMark + token;
}

/** The tokens of the progress in a batch, in the order in which it was said. */
export function marksIn(settled: readonly number[]): number[] {
  const tokens = settled.filter((number) => number >= firstMark).map((number) => number - firstMark);
  assert.deepEqual(
    tokens,
    tokens.toSorted((a, b) => a - b),
  );
  return tokens;
}
