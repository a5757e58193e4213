/**
 * Is anybody there, and does it read? Looked at once per ping interval, and counted in intervals instead of
 * time: a node that was itself suspended for ten seconds wakes up having counted one, and does not take its
 * peers for dead before it has read what they sent.
 *
 * The dialler asks, and the acceptor answers: each hears the other once per interval. An acceptor that asked as well
 * would learn nothing more, for twice the frames.
 */
import { breach, cut } from "./closing.ts";
import type { LinkTypes } from "./messages.ts";
import type { LinkSession } from "./state.ts";

/** Weight of a new round trip in the smoothed one. */
const roundTripWeight = 1 / 8;

export function look<T extends LinkTypes>(session: LinkSession<T>, takenBytes: number, now: number): void {
  if (now < session.nextLookAt) return;
  const { limits, role } = session.config;
  session.nextLookAt = now + limits.pingIntervalMs;
  if (session.blocked) {
    // An acceptor goes on answering, so bytes may wait all the time for a peer that reads all the time.
    session.blockedIntervals = takenBytes > session.takenBytes ? 0 : session.blockedIntervals + 1;
    session.takenBytes = takenBytes;
    if (session.blockedIntervals < limits.blockedIntervalsMax) return;
    cut(session, "not-reading", `the peer took no bytes for ${session.blockedIntervals} ping intervals`);
    return;
  }
  if (session.silentIntervals >= limits.silentIntervalsMax) {
    cut(session, "silent", `nothing came from the peer for ${session.silentIntervals} ping intervals`);
    return;
  }
  session.silentIntervals++;
  if (role === "acceptor") return;
  session.lastPing++;
  session.lastPingAt = now;
  session.effects.push({ kind: "send", frame: { kind: "ping", number: session.lastPing } });
}

export function takePong<T extends LinkTypes>(
  session: LinkSession<T>,
  number: number,
  load: number,
  now: number,
): void {
  if (number > session.lastPing) {
    breach(session, `a pong to ping ${number}, which was never sent`, now);
    return;
  }
  // An older one says nothing about the last ping's round trip.
  if (number < session.lastPing) return;
  const { figures } = session;
  figures.peerLoad = load;
  figures.inFlightThen = session.inFlight.size;
  const took = now - session.lastPingAt;
  figures.roundTripMs =
    figures.roundTripMs === undefined ? took : figures.roundTripMs + roundTripWeight * (took - figures.roundTripMs);
  figures.roundTripMinMs = Math.min(figures.roundTripMinMs ?? took, took);
}

/** The connection wants no more bytes for now. */
export function block<T extends LinkTypes>(session: LinkSession<T>, bufferedBytes: number, takenBytes: number): void {
  if (!session.blocked) session.takenBytes = takenBytes;
  session.blocked = true;
  if (bufferedBytes > session.config.limits.bufferedBytesMax) {
    cut(session, "not-reading", `${bufferedBytes} bytes wait for a peer that asks for more than it reads`);
  }
}
