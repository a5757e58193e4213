/**
 * The ways in which a link ends.
 *
 * In order: the acceptor says goodbye with the number of the last call that it accepted, answers those, and
 * ends its half; or the dialler waits for its replies, says goodbye and ends its half. In trouble: both sides
 * know of each call whether it was sent, a goodbye tells the peer why, and a bound on how long that may
 * take cuts what is left.
 */
import { withdrawAll } from "./answers.ts";
import { failAll, failUnaccepted } from "./calls.ts";
import type { LinkCause, LinkTypes } from "./messages.ts";
import type { LinkSession } from "./state.ts";

/** The peer broke the protocol. */
export function breach<T extends LinkTypes>(session: LinkSession<T>, message: string, now: number): void {
  close(session, "breach", message, now);
}

/** Ends the link now, and tells the peer why. */
export function close<T extends LinkTypes>(
  session: LinkSession<T>,
  cause: LinkCause,
  message: string,
  now: number,
): void {
  if (session.phase === "closing" || session.phase === "closed") return;
  if (session.phase === "connecting") {
    cut(session, cause, message);
    return;
  }
  settleEverything(session, message);
  announce(session, cause, false, message);
  sendGoodbye(session, cause, message);
  part(session, now);
}

/** Ends the link without a word: there is no connection, or nobody at its end. */
export function cut<T extends LinkTypes>(session: LinkSession<T>, cause: LinkCause, message: string): void {
  if (session.phase === "closed") return;
  settleEverything(session, message);
  announce(session, cause, false, message);
  session.phase = "closed";
  session.effects.push({ kind: "destroy", message }, { kind: "closed" });
}

/** Takes no new calls; `finishWhenDone` does the rest. */
export function drain<T extends LinkTypes>(session: LinkSession<T>, message: string, now: number): void {
  if (session.phase === "draining" || session.phase === "closing" || session.phase === "closed") return;
  if (session.phase !== "open") {
    close(session, "draining", message, now);
    return;
  }
  announce(session, "draining", true, message);
  if (session.config.role === "acceptor") sendGoodbye(session, "draining", message);
  session.phase = "draining";
}

/** The peer takes no more calls. */
export function takeGoodbye<T extends LinkTypes>(
  session: LinkSession<T>,
  goodbye: { readonly accepted: number; readonly cause: string; readonly message: string },
  now: number,
): void {
  const message = `the peer closed the link (${goodbye.cause}): ${goodbye.message}`;
  const planned = goodbye.cause === "draining";
  if (session.config.role === "acceptor" || session.phase === "hello") {
    settleEverything(session, message);
    announce(session, causeOf(goodbye.cause), planned, message);
    part(session, now);
    return;
  }
  failUnaccepted(session, goodbye.accepted, message);
  announce(session, causeOf(goodbye.cause), planned, message);
  session.phase = "draining";
}

/** There is no connection any more. */
export function gone<T extends LinkTypes>(session: LinkSession<T>, message: string): void {
  if (session.phase === "closed") return;
  settleEverything(session, message);
  announce(session, session.phase === "connecting" ? "refused" : "lost", false, message);
  session.phase = "closed";
  session.effects.push({ kind: "closed" });
}

/** The peer ended its half: in order when everything is said, else it is as good as gone. */
export function ended<T extends LinkTypes>(session: LinkSession<T>): void {
  if (session.phase !== "closing") cut(session, "lost", "the peer ended the connection");
}

/** A draining link ends as soon as nothing is open on it. */
export function finishWhenDone<T extends LinkTypes>(session: LinkSession<T>, now: number): void {
  if (session.phase !== "draining") return;
  if (session.calls.size > 0 || session.inbound.size > 0) return;
  if (session.config.role === "dialler") sendGoodbye(session, "draining", "the link is not needed any more");
  part(session, now);
}

function settleEverything<T extends LinkTypes>(session: LinkSession<T>, message: string): void {
  failAll(session, message);
  withdrawAll(session);
}

function announce<T extends LinkTypes>(
  session: LinkSession<T>,
  cause: LinkCause,
  planned: boolean,
  message: string,
): void {
  if (session.cause !== undefined) return;
  session.cause = cause;
  session.effects.push({ kind: "closing", cause, planned, message });
}

function sendGoodbye<T extends LinkTypes>(session: LinkSession<T>, cause: LinkCause, message: string): void {
  const frame = { kind: "goodbye", accepted: session.lastAccepted, cause, message } as const;
  session.effects.push({ kind: "send", frame });
}

/** Everything is said: ends this half, and gives the peer a moment to end its own. */
function part<T extends LinkTypes>(session: LinkSession<T>, now: number): void {
  session.phase = "closing";
  session.phaseDeadline = now + session.config.limits.lingerMs;
  session.effects.push({ kind: "end" });
}

const causes: ReadonlySet<string> = new Set<LinkCause>([
  "hello-timeout",
  "wrong-secret",
  "wrong-system",
  "wrong-version",
  "wrong-node",
  "same-node",
  "stale",
  "superseded",
  "crowded",
  "starting",
  "breach",
  "silent",
  "not-reading",
  "draining",
  "stopped",
]);

/** A cause that a later version made up counts as a lost link. */
function causeOf(word: string): LinkCause {
  return causes.has(word) ? (word as LinkCause) : "lost";
}
