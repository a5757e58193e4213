/**
 * The callee's half of a link: takes calls in the order of their numbers, holds the peer to the window that
 * it was granted, and lets exactly one answer out for each.
 */
import { invariant } from "../../errors.ts";
import type { LinkTypes } from "./messages.ts";
import { carriesFrames, type LinkSession } from "./state.ts";

/** Returns a breach of the protocol, if it is one. */
export function takeCall<T extends LinkTypes>(
  session: LinkSession<T>,
  frame: T["inbound"],
  now: number,
): string | undefined {
  // After its goodbye this side accepts nothing: the caller was told that such a call did not happen.
  if (session.phase === "draining") return undefined;
  if (frame.number !== session.lastAccepted + 1) {
    return `call ${frame.number} after call ${session.lastAccepted}`;
  }
  const bytes = session.inboundBytes + frame.bytes;
  if (session.inbound.size >= session.grantedCalls || (session.inbound.size > 0 && bytes > session.grantedBytes)) {
    return `more calls than were granted (${session.grantedCalls}, and ${session.grantedBytes} bytes)`;
  }
  session.lastAccepted = frame.number;
  session.inbound.set(frame.number, frame.bytes);
  session.inboundBytes = bytes;
  session.figures.callsDelivered++;
  session.effects.push({ kind: "deliver", frame, deadline: now + frame.remainingMs });
  return undefined;
}

/** The caller gave up. A cancel may cross the reply, so an unknown number is nothing strange. */
export function takeCancel<T extends LinkTypes>(session: LinkSession<T>, number: number): void {
  if (session.inbound.has(number)) session.effects.push({ kind: "withdraw", number });
}

export function answerCall<T extends LinkTypes>(session: LinkSession<T>, number: number, body: T["reply"]): void {
  // The link closed in the meantime; the caller knows.
  if (!carriesFrames(session.phase)) return;
  const bytes = session.inbound.get(number);
  invariant(bytes !== undefined, "a call on a link is answered once");
  session.inbound.delete(number);
  session.inboundBytes -= bytes;
  session.figures.repliesSent++;
  session.effects.push({ kind: "send", frame: { kind: "reply", number, body } });
}

/** This side takes more calls from now on, or fewer. */
export function changeWindow<T extends LinkTypes>(
  session: LinkSession<T>,
  callsMax: number,
  callBytesMax: number,
): void {
  if (session.phase !== "open") return;
  session.grantedCalls = Math.max(session.grantedCalls, callsMax);
  session.grantedBytes = Math.max(session.grantedBytes, callBytesMax);
  session.effects.push({ kind: "send", frame: { kind: "credit", number: 0, callsMax, callBytesMax } });
}

/** Nobody waits for anything on this link any more. */
export function withdrawAll<T extends LinkTypes>(session: LinkSession<T>): void {
  for (const number of session.inbound.keys()) session.effects.push({ kind: "withdraw", number });
  session.inbound.clear();
  session.inboundBytes = 0;
}
