/**
 * What became of durable commands, over HTTP. A durable command goes on when nobody waits for it any more, so whoever
 * has not heard the end of it is told where that can be read or waited for: `GET /outcomes/{name}`.
 *
 * The name holds the call itself (service, key, operation, idempotency key and the hash of the input), and nothing is
 * remembered here for it: any node answers. It is no secret and opens nothing, for the runtime looks only among the
 * commands of the principal that asks.
 */
import type { GatewayCall, GatewayReply } from "../../ports/gateway.ts";
import { hashParts } from "../../values/hash.ts";
import { Refusal } from "./problem.ts";
import { ownPaths } from "./routes.ts";

/** What an outcome is asked for by. */
export type OutcomeCall = Pick<GatewayCall, "service" | "key" | "operation" | "idempotencyKey" | "existing">;

/** Where the outcome of a durable command with an idempotency key is. */
export function outcomeLocation({ service, key, operation, idempotencyKey, input, existing }: GatewayCall): string {
  const parts = [service, key, operation, idempotencyKey, existing?.inputHash ?? hashParts(input ?? "")];
  return `${ownPaths.outcomes}${Buffer.from(JSON.stringify(parts)).toString("base64url")}`;
}

/** Throws a {@link Refusal} where no outcome can be. */
export function outcomeCallOf(name: string): OutcomeCall {
  const parts = decoded(name);
  if (!Array.isArray(parts) || parts.length !== 5 || !parts.every((part) => typeof part === "string")) {
    throw new Refusal(404, "not_found", "no outcome has this name: take it from the Location header as it is");
  }
  const [service, key, operation, idempotencyKey, inputHash] = parts as [string, string, string, string, string];
  return { service, key, operation, idempotencyKey, existing: { inputHash } };
}

/** Whether what was asked for was, or may have been, accepted, and its end was not waited for. */
export function goesOn(reply: GatewayReply): boolean {
  return !reply.ok && reply.error.code === "deadline_exceeded" && reply.error.outcome === "unknown";
}

/** What goes wrong with the asking does not say that the command did not happen (guarantee G7). */
export function ofCommand(reply: GatewayReply): GatewayReply {
  if (reply.ok || reply.error.declared) return reply;
  return { ...reply, error: { ...reply.error, outcome: "unknown" } };
}

function decoded(name: string): unknown {
  try {
    return JSON.parse(Buffer.from(name, "base64url").toString("utf8"));
  } catch {
    return undefined;
  }
}
