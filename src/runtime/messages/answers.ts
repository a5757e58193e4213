/** What the answer to a message, or to a timer's command, means for it: done, later, or one attempt fewer. */
import type { DeliveryAnswer } from "../../core/outbox/outbox.ts";
import type { GatewayReply } from "../../ports/gateway.ts";
import { isRecorded } from "../replies.ts";

/** There was no time for it, whatever happened before. */
const lateCodes: ReadonlySet<string> = new Set(["deadline_exceeded", "cancelled"]);
/** The receiver could not take it, or somebody whom that calls. */
const waitingCodes: ReadonlySet<string> = new Set(["unavailable", "resource_exhausted", "aborted"]);

export function deliveryAnswerOf(reply: GatewayReply): DeliveryAnswer {
  // A declared error is a reply: the receiver has decided.
  if (reply.ok || isRecorded(reply)) return { kind: "delivered" };
  const { code, message, retryable, cut, retryAfterMs = 0, thrown } = reply.error;
  // Cut in the middle, or often: it may be what its receiver's node dies of. An outcome that nobody knows says nothing of that:
  // a service without keys may have done anything outside before it found somebody whom it calls away.
  const waits = lateCodes.has(code) || (waitingCodes.has(code) && retryable && cut === undefined);
  if (waits) return { kind: "waits", retryAfterMs };
  return { kind: "failed", reason: { code, message, ...(thrown && { thrown }) } };
}
