/** What the answer to a message, or to a timer's command, means for it: done, later, or one attempt fewer. */
import type { DeliveryAnswer } from "../../core/outbox/outbox.ts";
import type { GatewayReply } from "../../ports/gateway.ts";
import { isRecorded } from "../replies.ts";

/** The receiver could not take it; as far as anybody knows, the message is not to blame. */
const waitingCodes: ReadonlySet<string> = new Set([
  "unavailable",
  "resource_exhausted",
  "deadline_exceeded",
  "cancelled",
  "aborted",
]);

export function deliveryAnswerOf(reply: GatewayReply): DeliveryAnswer {
  // A declared error is a reply: the receiver has decided.
  if (reply.ok || isRecorded(reply)) return { kind: "delivered" };
  const { code, message, outcome, retryAfterMs = 0, thrown } = reply.error;
  // Cut in the middle: it may be what its receiver's node dies of. Too late is something else.
  const cut = outcome === "unknown" && code !== "deadline_exceeded";
  if (waitingCodes.has(code) && !cut) return { kind: "waits", retryAfterMs };
  return { kind: "failed", reason: { code, message, ...(thrown && { thrown }) } };
}
