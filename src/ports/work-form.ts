/**
 * The form of pending work in a commit batch, as code; `batch.ts` says the form of the rest.
 *
 * Kept apart from what depends on a store's rows: whether numbers were given out is asked of {@link ungivenNumber}, with
 * what the store knows.
 */
import { isSessionName } from "../values/ids.ts";
import { isCount, isText, isTextOrNull } from "./form.ts";
import type { ShardChanges } from "./store.ts";
import type { EntityWork, InboxItem, JournalEntry, OutboxMessage, ShardProgress, TimerRow } from "./work.ts";

export function workFault(key: string, work: EntityWork): string | undefined {
  for (const item of work.accepted) {
    if (item.key !== key) return "accepts an item of another key";
    if (!isItem(item)) return "accepts an item that no store can keep";
  }
  if (!work.finished.every(isNumber)) return "finishes an item whose number is none";
  for (const message of work.sent) {
    if (message.key !== key) return "sends a message of another key";
    if (!isMessage(message)) return "sends a message that no store can keep";
  }
  for (const timer of work.timersSet) {
    if (timer.key !== key) return "sets a timer of another key";
    if (!isTimer(timer)) return "sets a timer that no store can keep";
  }
  if (!work.timersCleared.every(isText)) return "clears a timer whose name no store can keep";
  const names = [...work.timersSet.map(({ name }) => name), ...work.timersCleared];
  if (!isEachOnce(names)) return "names a timer twice";
  return undefined;
}

export function progressFault(progress: ShardProgress): string | undefined {
  const { items, itemsDropped, messages, messagesSettled, timersCounted, released } = progress;
  for (const { number, attempts, parked, journal } of items) {
    if (!isNumber(number) || !isCount(attempts) || !isTextOrNull(parked)) return "has an item that no store can keep";
    if (!journal.every(isEntry)) return "has a journal that no store can keep";
    if (!isEachOnce(journal.map(({ id }) => id))) return "has a journal with an id twice";
  }
  for (const { number, attempts, parked } of messages) {
    if (!isNumber(number) || !isCount(attempts) || !isTextOrNull(parked)) return "has a message that no store can keep";
  }
  for (const { key, name, generation, attempts } of timersCounted) {
    const isWhole = isText(key) && isText(name) && isNumber(generation) && isCount(attempts);
    if (!isWhole) return "counts a timer that no store can keep";
  }
  if (!isEachOnce(timersCounted.map(({ key, name }) => JSON.stringify([key, name])))) return "counts a timer twice";
  for (const { key, name, generation, message } of released) {
    const isWhole = isText(key) && isText(name) && isCount(generation) && isMessage(message) && message.key === key;
    if (!isWhole) return "releases a timer that no store can keep";
  }
  const numbers = [items.map(numberOf), itemsDropped, messages.map(numberOf), messagesSettled];
  if (!numbers.every((list) => list.every(isNumber) && isEachOnce(list)))
    return "has a number twice, or one that is none";
  return undefined;
}

/** New items and messages of one shard, whose numbers must differ, and what they finish. */
export function numbersFault({ entities, progress }: ShardChanges): string | undefined {
  const given: number[] = [];
  const finished: number[] = [];
  for (const { work } of entities) {
    if (work === null) continue;
    given.push(...work.accepted.map(numberOf), ...work.sent.map(numberOf));
    finished.push(...work.finished);
  }
  if (progress !== null) given.push(...progress.released.map(({ message }) => message.number));
  if (given.length === 0 && finished.length === 0) return undefined;
  if (!isEachOnce([...given, ...finished])) return "has one number for two things";
  return undefined;
}

/**
 * A number or generation in these changes that was never given out, when the shard's next one was `sessionNext`; or
 * the next one itself, when it would go back.
 */
export function ungivenNumber({ entities, progress, sessionNext }: ShardChanges, before: number): number | undefined {
  if (sessionNext !== null && sessionNext < before) return sessionNext;
  const next = sessionNext ?? before;
  const isUngiven = (number: number): boolean => number >= next;
  for (const { work } of entities) {
    if (work === null) continue;
    const { accepted, sent, timersSet } = work;
    const generations = timersSet.map(({ generation }) => generation);
    const found = [...accepted.map(numberOf), ...sent.map(numberOf), ...generations].find(isUngiven);
    if (found !== undefined) return found;
  }
  return progress?.released.map(({ message }) => message.number).find(isUngiven);
}

function isItem(item: InboxItem): boolean {
  const { number, operation, input, id, inputHash, keyTime, call, acceptedAt, attempts, parked } = item;
  const isCall = call === null || (isSessionName(call.session) && isCount(call.number));
  const isTime = isInstant(acceptedAt) && (keyTime === null || isInstant(keyTime));
  const texts = [operation, input, id, inputHash, parked].every(isTextOrNull);
  return isNumber(number) && isCount(attempts) && isCall && isTime && texts && isRequest(item);
}

function isMessage(message: OutboxMessage): boolean {
  const { number, key, service, target, operation, input, sentAt, attempts, parked } = message;
  const texts = [key, service, target, operation, input, parked].every(isTextOrNull);
  return isNumber(number) && isCount(attempts) && isInstant(sentAt) && texts && isRequest(message);
}

function isTimer(timer: TimerRow): boolean {
  const { name, generation, dueAt, service, target, operation, input, attempts } = timer;
  const texts = [name, service, target, operation, input].every(isTextOrNull);
  return isNumber(generation) && isInstant(dueAt) && attempts === 0 && texts && isRequest(timer);
}

function isRequest({ principal, request, traceparent }: Pick<TimerRow, "principal" | "request" | "traceparent">) {
  return isText(principal) && isText(request) && isTextOrNull(traceparent);
}

function isEntry({ id, name, inputHash, outcome }: JournalEntry): boolean {
  return isText(id) && isText(name) && isText(inputHash) && isTextOrNull(outcome);
}

/** The first number of a session is 1. */
function isNumber(number: number): boolean {
  return isCount(number) && number > 0;
}

/** Ms since 1970. */
function isInstant(instant: number): boolean {
  return Number.isSafeInteger(instant);
}

function isEachOnce(list: readonly unknown[]): boolean {
  return list.length < 2 || new Set(list).size === list.length;
}

function numberOf({ number }: { readonly number: number }): number {
  return number;
}
