/** What operations may fail with when all faults are over, because there is nothing better to be said to whoever asked. */
import type { AnySystem } from "../service/model.ts";
import type { ClientOperation } from "./operation.ts";

type Failed = Readonly<Pick<ClientOperation, "request" | "reply" | "idempotencyKey">> & {
  readonly refusals: readonly string[];
};

/** Its key is older than what is remembered: that nobody will ever know is the answer. */
export function isForgotten({ reply }: Failed): boolean {
  return reply?.ok === false && reply.error.code === "failed_precondition" && reply.error.outcome === "unknown";
}

/** The same of one that asks again for what another asked for long ago, under one key. */
export function isForgottenRepeat(operation: ClientOperation): boolean {
  return operation.underItsKey[0] !== operation && isForgotten(operation);
}

/**
 * Small bounds may turn the second call of a stateless command away when the first is done. Without a key of its own
 * nobody can ask for the rest again, and that it is not known is the answer.
 */
export function isShedHalfway({ idempotencyKey, reply }: Failed): boolean {
  if (idempotencyKey !== undefined || reply?.ok !== false) return false;
  return reply.error.code === "resource_exhausted" && reply.error.outcome === "unknown";
}

/** Refused for what it is, by every system at any time. */
export function isOfTheCaller({ reply }: Failed): boolean {
  return reply?.ok === false && ["invalid_argument", "internal"].includes(reply.error.code);
}

/**
 * A durable command whose attempts fail, by its own code, is parked, in the way of others, or slower than its caller:
 * that it is done in the end is looked at then. What is in the way of others is so too for whom a small bound turned away
 * at the last of all his attempts, and the command at those before.
 */
export function waitsForDurable({ request, reply, refusals }: Failed, { services }: AnySystem): boolean {
  if (reply?.ok !== false) return false;
  const { code, message } = reply.error;
  const said = code === "resource_exhausted" ? refusals : [message];
  if (said.some((words) => / is parked: | is blocked by its durable command /.test(words))) return true;
  const operation = services.find((one) => one.interface.name === request.service)?.interface.operations[
    request.operation
  ];
  if (operation?.kind !== "command" || !operation.durable) return false;
  // Its caller may have repeated it for longer than its key is remembered.
  return code === "deadline_exceeded" || / is older than what .* remembers: /.test(message);
}
