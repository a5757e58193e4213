/**
 * From what a command left behind to rows of its shard, and from rows to calls. Messages and items are numbered by
 * the shard's session; the number is what a receiver knows a message by.
 */
import type { ShardSession } from "../../core/sessions/shard-session.ts";
import type { EntityWork, InboxItem, OutboxMessage, TimerRow } from "../../ports/work.ts";
import { hashParts, shardOf } from "../../values/hash.ts";
import { sessionRecordId } from "../../values/ids.ts";
import { rankOf, ranks } from "../../values/priority.ts";
import type { Environment } from "../environment.ts";
import { foreignTarget } from "../foreign.ts";
import type { Invocation, Target } from "../invocation.ts";
import type { Left, Sent } from "./sending.ts";

/** Base 36 digits that hold every safe integer. */
const generationDigits = 11;

/** Whose work it is, and for whom it is done. */
export interface Sender {
  readonly key: string;
  readonly principal: string;
  readonly request: string;
  readonly traceparent: string | null;
}

export function senderOf({ principal, requestId, traceparent }: Invocation): Omit<Sender, "key"> {
  return { principal, request: requestId, traceparent: traceparent ?? null };
}

/** A durable command sends as whoever called it. */
export function senderOfItem({ item }: { readonly item: InboxItem }): Omit<Sender, "key"> {
  const { principal, request, traceparent } = item;
  return { principal, request, traceparent };
}

/** Characters of all inputs in that work. */
export function inputLengthOf(work: Partial<EntityWork> | null): number {
  return work === null ? 0 : lengthOf(work.accepted) + lengthOf(work.sent) + lengthOf(work.timersSet);
}

function lengthOf(rows: readonly { readonly input: string | null }[] | undefined): number {
  return rows === undefined ? 0 : rows.reduce((length, { input }) => length + (input?.length ?? 0), 0);
}

/** The shard that a call goes to, as floors know it; null for a service without keys, whose own calls may go to any shard. */
export function receiverOf({ store }: Environment, service: string, target: string | null): string | null {
  if (target === null) return null;
  return `${service}/${shardOf(service, target, store.identity.shardsPerService)}`;
}

/** Numbers what was left behind. Whoever calls this gives the numbers back if the change does not become durable. */
export function workOf(
  environment: Environment,
  session: ShardSession,
  sender: Sender,
  { messages, delayed, timers }: Left,
): Pick<EntityWork, "sent" | "timersSet" | "timersCleared"> {
  const now = Math.floor(environment.clock.wall());
  const sent = messages.map((message) => {
    const number = session.take(receiverOf(environment, message.service, message.target));
    return messageOf(sender, message, number, now);
  });
  const timersSet: TimerRow[] = delayed.map(({ message, dueAt }) => {
    const generation = session.takeGeneration();
    return { ...sender, ...message, name: delayedName(generation), generation, dueAt, attempts: 0 };
  });
  const timersCleared: string[] = [];
  for (const [name, timer] of timers) {
    if (timer === null) timersCleared.push(name);
    else timersSet.push({ ...sender, ...timer, ...ownTimer, name, generation: session.takeGeneration() });
  }
  return { sent, timersSet, timersCleared };
}

/** What a named timer has in common with all others. */
const ownTimer = { service: null, target: null, attempts: 0 } as const;

/** A delayed message is a timer with a name of its own. Names sort by generation: what is due at one instant leaves in its order. */
function delayedName(generation: number): string {
  return `#${generation.toString(36).padStart(generationDigits, "0")}`;
}

/** A message as it is when it is sent. */
export function messageOf(sender: Sender, message: Sent, number: number, sentAt: number): OutboxMessage {
  const { key, principal, request, traceparent } = sender;
  const { service, target, operation, input } = message;
  return {
    number,
    key,
    service,
    target,
    operation,
    input,
    principal,
    request,
    traceparent,
    sentAt,
    attempts: 0,
    parked: null,
  };
}

/** Within one pair of sender and receiver the order is kept. */
export function pairOf({ key, service, target }: OutboxMessage): string {
  // No key and no name has a NUL in it.
  return `${key}\0${service}${target === null ? "" : `\0${target}`}`;
}

/** Null when the code of this node has no such operation any more. */
export function targetOf({ system }: Environment, { service: name, target, operation }: Sent): Target | null {
  const service = system.services.find((other) => other.interface.name === name);
  if (service === undefined) return foreignTarget(name, target ?? undefined, operation);
  const { operations, key } = service.interface;
  if (!Object.hasOwn(operations, operation) || (key === undefined) !== (target === null)) return null;
  return { service, key: target, name: operation, operation: operations[operation]! };
}

/**
 * The call by which a message is delivered; the same at every attempt, but for its floor and its deadline. The first
 * attempt belongs to a chain that was admitted; what had to wait takes its place among the calls from outside, so that
 * a backlog does not keep them all away.
 */
export function deliveryOf(
  environment: Environment,
  message: OutboxMessage,
  target: Target,
  session: { readonly name: string; readonly numbers: ShardSession },
  prompt: boolean,
): Omit<Invocation, "signal"> {
  const { number, input, principal, request, traceparent } = message;
  return {
    target,
    input: input ?? undefined,
    requestId: request,
    principal,
    rank: prompt ? ranks.chain : rankOf(target.operation.priority),
    // The first try of its sender's owner: nobody has ever tried before.
    unsent: prompt,
    caller: principal,
    id: {
      hash: sessionRecordId(session.name, number),
      inputHash: hashParts(input ?? ""),
      keyTime: null,
      call: { session: session.name, number },
      floor: session.numbers.floor(receiverOf(environment, message.service, message.target)),
    },
    deadline: environment.clock.monotonic() + environment.limits.deliveryTimeoutMs,
    traceparent: traceparent ?? undefined,
    // It is done with when its receiver has promised to do it.
    waitFor: "acceptance",
  };
}
