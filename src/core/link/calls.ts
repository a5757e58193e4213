/**
 * The caller's half of a link: gives calls their numbers, holds them back while the peer takes no more,
 * matches replies, and knows of every call whether it was sent.
 *
 * A reply gives back what its call took of the peer's window, so a call costs two frames and no third. A
 * call that nobody waits for any more keeps its place in the window until the peer has answered it: the
 * peer is still holding it.
 */
import type { StatusCode } from "../../errors.ts";
import type { LinkTypes } from "./messages.ts";
import { carriesFrames, type LinkSession, type OutboundEntry } from "./state.ts";

/** Somebody wants to call the peer. */
export function makeCall<T extends LinkTypes>(session: LinkSession<T>, call: T["call"], now: number): void {
  const refusal = refusalOf(session, call, now);
  if (refusal !== undefined) {
    const [code, message] = refusal;
    session.effects.push({ kind: "fail", call, failure: { code, sent: false, message } });
    return;
  }
  const { bytes, priority } = call;
  const entry: OutboundEntry<T> = { call, bytes, priority, queuedAt: now, number: 0, waiting: true };
  session.calls.set(call, entry);
  session.queue.push(entry);
  session.earliestDeadline = Math.min(session.earliestDeadline, call.deadline);
  sendQueued(session, now);
}

function refusalOf<T extends LinkTypes>(
  session: LinkSession<T>,
  call: T["call"],
  now: number,
): readonly [StatusCode, string] | undefined {
  const { limits, headBytesMax } = session.config;
  if (session.phase === "draining" || session.phase === "closing" || session.phase === "closed") {
    return ["unavailable", `the link takes no new calls (${session.cause})`];
  }
  if (call.deadline <= now) return ["deadline_exceeded", "the deadline had passed before the call was sent"];
  const frameBytesMax = session.peer?.frameBytesMax ?? limits.frameBytesMax;
  if (call.bytes > frameBytesMax - headBytesMax) {
    return [
      "invalid_argument",
      `the input has ${call.bytes} bytes, and a link carries at most ${frameBytesMax - headBytesMax}`,
    ];
  }
  if (session.queue.length >= limits.queueLengthMax || session.queue.bytes + call.bytes > limits.queueBytesMax) {
    return ["resource_exhausted", `${session.queue.length} calls wait for the link already`];
  }
  return undefined;
}

/** Sends as many of the waiting calls as the peer and the connection take now. */
export function sendQueued<T extends LinkTypes>(session: LinkSession<T>, now: number): void {
  if (!carriesFrames(session.phase)) return;
  while (!session.blocked) {
    const entry = session.queue.peek();
    if (entry === undefined || !fitsWindow(session, entry)) return;
    const remainingMs = entry.call.deadline - now;
    if (remainingMs <= 0) abandon(session, entry, "deadline_exceeded");
    else send(session, entry, remainingMs, now);
  }
}

/** A call that is larger than the whole window goes when it is alone, or it would wait for ever. */
function fitsWindow<T extends LinkTypes>(session: LinkSession<T>, entry: OutboundEntry<T>): boolean {
  const inFlight = session.inFlight.size;
  if (inFlight >= session.callsMax) return false;
  return inFlight === 0 || session.inFlightBytes + entry.bytes <= session.callBytesMax;
}

function send<T extends LinkTypes>(
  session: LinkSession<T>,
  entry: OutboundEntry<T>,
  remainingMs: number,
  now: number,
): void {
  session.queue.remove(entry);
  session.lastSent++;
  entry.number = session.lastSent;
  session.inFlight.set(entry.number, entry);
  session.inFlightBytes += entry.bytes;
  const waited = now - entry.queuedAt;
  session.figures.callsSent++;
  session.figures.queueWaitTotalMs += waited;
  session.figures.queueWaitMaxMs = Math.max(session.figures.queueWaitMaxMs, waited);
  session.effects.push({ kind: "send", frame: { kind: "call", number: entry.number, remainingMs, call: entry.call } });
}

/** The peer answered. Nobody may wait for it any more; its place is free in any case. Returns a breach. */
export function takeReply<T extends LinkTypes>(
  session: LinkSession<T>,
  number: number,
  body: T["reply"],
  now: number,
): string | undefined {
  const entry = session.inFlight.get(number);
  if (entry === undefined) return `a reply to call ${number}, which is not in flight`;
  session.figures.repliesReceived++;
  session.inFlight.delete(number);
  session.inFlightBytes -= entry.bytes;
  if (session.calls.delete(entry.call)) session.effects.push({ kind: "settle", call: entry.call, body });
  sendQueued(session, now);
  return undefined;
}

/** The peer takes this much from now on. */
export function takeCredit<T extends LinkTypes>(
  session: LinkSession<T>,
  callsMax: number,
  callBytesMax: number,
  now: number,
): void {
  session.callsMax = callsMax;
  session.callBytesMax = callBytesMax;
  sendQueued(session, now);
}

/** Nobody waits for this call any more. */
export function cancelCall<T extends LinkTypes>(session: LinkSession<T>, call: T["call"]): void {
  const entry = session.calls.get(call);
  if (entry === undefined) return;
  abandon(session, entry, "cancelled");
}

/** Fails every call whose deadline has passed. */
export function expireCalls<T extends LinkTypes>(session: LinkSession<T>, now: number): void {
  if (now < session.earliestDeadline) return;
  // One walk over what is waiting; the bound that it leaves spares the next walk until another one is due.
  let earliest = Number.POSITIVE_INFINITY;
  for (const entry of session.calls.values()) {
    if (entry.call.deadline <= now) abandon(session, entry, "deadline_exceeded");
    else earliest = Math.min(earliest, entry.call.deadline);
  }
  session.earliestDeadline = earliest;
}

function abandon<T extends LinkTypes>(
  session: LinkSession<T>,
  entry: OutboundEntry<T>,
  code: "cancelled" | "deadline_exceeded",
): void {
  const sent = entry.number > 0;
  const when = sent ? "after the call was sent" : "before the call was sent";
  const message = code === "cancelled" ? `the caller gave up ${when}` : `the deadline passed ${when}`;
  failEntry(session, entry, code, sent, message);
  tellAbandoned(session, entry);
}

/** The callee may stop: nobody waits for this call any more, if it was sent. */
function tellAbandoned<T extends LinkTypes>(session: LinkSession<T>, { number }: OutboundEntry<T>): void {
  if (number === 0 || !carriesFrames(session.phase)) return;
  session.effects.push({ kind: "send", frame: { kind: "cancel", number } });
}

/** This side can wait for nothing any more: what was sent may have happened. The link goes on, for what comes after. */
export function abandonAll<T extends LinkTypes>(session: LinkSession<T>, message: string): void {
  for (const entry of session.calls.values()) {
    failEntry(session, entry, "unavailable", entry.number > 0, message);
    tellAbandoned(session, entry);
  }
}

/** The peer takes no calls above `accepted`: those, and the waiting ones, certainly did not happen. */
export function failUnaccepted<T extends LinkTypes>(session: LinkSession<T>, accepted: number, message: string): void {
  for (const entry of session.calls.values()) {
    if (entry.number === 0 || entry.number > accepted) failEntry(session, entry, "unavailable", false, message);
  }
  for (const [number, entry] of session.inFlight) {
    if (number <= accepted) continue;
    session.inFlight.delete(number);
    session.inFlightBytes -= entry.bytes;
  }
}

/** The link is over: what was sent may have happened, what was not did not. */
export function failAll<T extends LinkTypes>(session: LinkSession<T>, message: string): void {
  for (const entry of session.calls.values()) failEntry(session, entry, "unavailable", entry.number > 0, message);
  session.inFlight.clear();
  session.inFlightBytes = 0;
}

function failEntry<T extends LinkTypes>(
  session: LinkSession<T>,
  entry: OutboundEntry<T>,
  code: StatusCode,
  sent: boolean,
  message: string,
): void {
  session.queue.remove(entry);
  session.calls.delete(entry.call);
  session.effects.push({ kind: "fail", call: entry.call, failure: { code, sent, message } });
}
