/**
 * A link session: everything that is decided about one connection between two nodes, and nothing that is
 * done about it. Like the two clerks at the ends of a pneumatic tube: they agree on who is there, number
 * what they send, never stuff more into the tube than the other side takes, and when the tube breaks they
 * can say of each letter whether it had left the house.
 *
 * `step(session, input, now)` changes the session and returns effects, to be performed in their order. The
 * driver feeds it connection events, frames, the runtime's calls and replies, and a `tick` at `wakeAt`. No
 * clock, no I/O and no cryptography here: instants and proofs are handed in.
 */
import { answerCall, changeWindow, takeCall, takeCancel } from "./answers.ts";
import { abandonAll, cancelCall, expireCalls, makeCall, sendQueued, takeCredit, takeReply } from "./calls.ts";
import { breach, close, cut, drain, ended, finishWhenDone, gone, takeGoodbye } from "./closing.ts";
import { sayHello, takeUnproven } from "./hello.ts";
import { block, look, takePong } from "./liveness.ts";
import type { LinkEffect, LinkInput, LinkTypes, ReceivedFrame } from "./messages.ts";
import { carriesFrames, type LinkSession } from "./state.ts";

/** Applies one input; returns the effects, to be performed in order before the next input. */
export function step<T extends LinkTypes>(
  session: LinkSession<T>,
  input: LinkInput<T>,
  now: number,
): readonly LinkEffect<T>[] {
  const effects: LinkEffect<T>[] = [];
  session.effects = effects;
  apply(session, input, now);
  finishWhenDone(session, now);
  return effects;
}

/** The instant at which the session wants a `tick`, if nothing happens before. */
export function wakeAt<T extends LinkTypes>(session: LinkSession<T>): number {
  switch (session.phase) {
    case "closed":
      return Number.POSITIVE_INFINITY;
    case "closing":
      return session.phaseDeadline;
    default:
      return Math.min(session.phaseDeadline, session.nextLookAt, session.earliestDeadline);
  }
}

function apply<T extends LinkTypes>(session: LinkSession<T>, input: LinkInput<T>, now: number): void {
  switch (input.kind) {
    case "connected":
      session.provenNodes = input.provenNodes;
      if (session.phase === "connecting") sayHello(session);
      return;
    case "heard":
      session.silentIntervals = 0;
      return;
    case "frame":
      takeFrame(session, input.frame, now);
      break;
    case "breach":
      breach(session, input.message, now);
      break;
    case "call":
      makeCall(session, input.call, now);
      break;
    case "cancel":
      cancelCall(session, input.call);
      break;
    case "abandon":
      abandonAll(session, input.message);
      break;
    case "reply":
      answerCall(session, input.number, input.body);
      break;
    case "window":
      changeWindow(session, input.callsMax, input.callBytesMax);
      break;
    case "blocked":
      block(session, input.bufferedBytes, input.takenBytes);
      break;
    case "drained":
      session.blocked = false;
      session.blockedIntervals = 0;
      sendQueued(session, now);
      break;
    case "drain":
      drain(session, input.message, now);
      break;
    case "close":
      close(session, input.cause, input.message, now);
      break;
    case "ended":
      ended(session);
      break;
    case "gone":
      gone(session, input.message);
      break;
    case "tick":
      tick(session, input.takenBytes, now);
  }
}

function takeFrame<T extends LinkTypes>(session: LinkSession<T>, frame: ReceivedFrame<T>, now: number): void {
  if (session.phase === "hello") {
    takeUnproven(session, frame, now);
    return;
  }
  if (!carriesFrames(session.phase)) return;
  if (!isExpected(session, frame)) {
    breach(session, `a ${frame.kind} came where none may come`, now);
    return;
  }
  const fault = takeExpected(session, frame, now);
  if (fault !== undefined) breach(session, fault, now);
}

/** Calls go one way and replies the other; the handshake is over, and this version has no streams. */
function isExpected<T extends LinkTypes>(session: LinkSession<T>, frame: ReceivedFrame<T>): boolean {
  switch (frame.kind) {
    case "call":
    case "cancel":
      return session.config.role === "acceptor";
    case "reply":
      return session.config.role === "dialler";
    case "credit":
      return session.config.role === "dialler" && frame.number === 0;
    case "ping":
    case "pong":
    case "goodbye":
      return true;
    default:
      return false;
  }
}

function takeExpected<T extends LinkTypes>(
  session: LinkSession<T>,
  frame: ReceivedFrame<T>,
  now: number,
): string | undefined {
  switch (frame.kind) {
    case "call":
      return takeCall(session, frame, now);
    case "reply":
      return takeReply(session, frame.number, frame.body, now);
    case "cancel":
      takeCancel(session, frame.number);
      break;
    case "credit":
      takeCredit(session, frame.callsMax, frame.callBytesMax, now);
      break;
    case "ping":
      session.effects.push({ kind: "send", frame: { kind: "pong", number: frame.number } });
      break;
    case "pong":
      takePong(session, frame.number, frame.load, now);
      break;
    case "goodbye":
      takeGoodbye(session, frame, now);
      break;
  }
  return undefined;
}

function tick<T extends LinkTypes>(session: LinkSession<T>, takenBytes: number, now: number): void {
  if (now >= session.phaseDeadline) {
    overdue(session, now);
    return;
  }
  if (session.phase === "closing" || session.phase === "closed") return;
  expireCalls(session, now);
  look(session, takenBytes, now);
}

function overdue<T extends LinkTypes>(session: LinkSession<T>, now: number): void {
  const { helloMs, lingerMs } = session.config.limits;
  if (session.phase === "closing")
    cut(session, session.cause ?? "lost", `the connection did not end within ${lingerMs} ms`);
  else if (session.phase === "connecting") cut(session, "refused", `no connection within ${helloMs} ms`);
  else close(session, "hello-timeout", `the handshake was not complete within ${helloMs} ms`, now);
}
