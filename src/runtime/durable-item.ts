/** A durable command as it rests in the inbox, and as a call that is made of it again for each attempt. */
import type { GatewayReply } from "../ports/gateway.ts";
import type { InboxItem } from "../ports/work.ts";
import type { AnyService } from "../service/model.ts";
import { sessionRecordId } from "../values/ids.ts";
import { type CommandId, commandHash, type Invocation, nameOfTarget, type Target } from "./invocation.ts";
import { failure } from "./replies.ts";
import { incarnationOf } from "./session-names.ts";

/**
 * Under which id the outcome of a durable command is kept, and the number of the caller's session that holds it. One
 * that another durable command calls stays in its caller's number, which is open until the caller has finished. Any
 * other number of a session is settled when its call ends, or its message is delivered, long before the command may
 * be done: so that no floor waits for it, its outcome is kept like that of an opaque key.
 */
export function outcomeOf({ hash, call }: CommandId): { readonly id: string; readonly call: InboxItem["call"] } {
  if (call === undefined) return { id: hash, call: null };
  const derived = hash !== sessionRecordId(call.session, call.number);
  // A message's number stays open for as long as its sender may repeat it, be that days after it was accepted.
  const sent = incarnationOf(call.session) === null;
  return derived || sent ? { id: hash, call: { ...call } } : { id: `outcome/${hash}`, call: null };
}

/** The id of a call or a step of the durable command of this id: what it is, and which one of those to that same target. */
export function callIdOf(item: string, ...parts: string[]): string {
  return commandHash(null, "durable", item, ...parts);
}

/** Under which id the record of a call is kept. */
export function recordIdOf({ id, target }: Invocation): string {
  return target.operation.durable ? outcomeOf(id!).id : id!.hash;
}

export function acceptedItem(invocation: Invocation, number: number, acceptedAt: number): InboxItem {
  const { target, input, id, principal, requestId, traceparent } = invocation;
  const { inputHash, keyTime } = id!;
  return {
    number,
    key: target.key!,
    operation: target.name,
    input: input ?? null,
    ...outcomeOf(id!),
    inputHash,
    keyTime,
    principal,
    request: requestId,
    traceparent: traceparent ?? null,
    acceptedAt,
    attempts: 1,
    parked: null,
    holdsTurn: false,
  };
}

/** Undefined when this code has no such durable command. */
export function targetOfItem(service: AnyService, { key, operation: name }: InboxItem): Target | undefined {
  const { operations } = service.interface;
  const operation = Object.hasOwn(operations, name) ? operations[name] : undefined;
  return operation?.durable === true ? { service, key, name, operation } : undefined;
}

/** What a repeat of a parked command gets: it may have had effects, and goes on when an operator says so. */
export function parkedReply(target: Target | string, { number, parked }: InboxItem): GatewayReply {
  const name = typeof target === "string" ? target : nameOfTarget(target);
  const { message } = JSON.parse(parked ?? '{"message":"it is being parked"}') as { message: string };
  return failure("failed_precondition", `durable command ${number} of ${name} is parked: ${message}`, {
    outcome: "unknown",
  });
}
