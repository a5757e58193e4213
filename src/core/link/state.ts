/** The state of a link session, shared by the files that decide about its parts. */
import type { LinkLimits } from "./limits.ts";
import type { Hello, LinkCause, LinkEffect, LinkRole, LinkTypes, Prover } from "./messages.ts";
import { CallQueue, type QueuedCall } from "./queue.ts";

/**
 * `connecting`: no connection yet. `hello`: who is there? `open`: calls. `draining`: no new calls, the
 * accepted ones are finished. `closing`: everything is said, the connection is on its way out. `closed`.
 */
export type LinkPhase = "connecting" | "hello" | "open" | "draining" | "closing" | "closed";

export interface LinkConfig {
  readonly role: LinkRole;
  readonly limits: LinkLimits;
  /** This side's hello. */
  readonly hello: Hello;
  /** Whom the dialler wants to reach. */
  readonly expected?: { readonly node: string; readonly incarnation: number } | undefined;
  readonly prover: Prover;
  /** What a call needs in a frame besides its input. */
  readonly headBytesMax: number;
}

/** An outgoing call from the moment it is made until it is settled and its place in the window is free. */
export interface OutboundEntry<T extends LinkTypes> extends QueuedCall {
  readonly call: T["call"];
  readonly queuedAt: number;
  /** 0 until it is sent. */
  number: number;
}

/** Figures of one link since it was made. */
export interface LinkFigures {
  /** Smoothed (1/8) and least round-trip time; undefined before the first pong. */
  roundTripMs: number | undefined;
  roundTripMinMs: number | undefined;
  callsSent: number;
  callsDelivered: number;
  repliesReceived: number;
  repliesSent: number;
  /** How long sent calls had waited at this side, in all and at the most. */
  queueWaitTotalMs: number;
  queueWaitMaxMs: number;
  /** What the peer had to do when it last said so, and the calls to it that were in flight then. */
  peerLoad: number;
  inFlightThen: number;
}

export interface LinkSession<T extends LinkTypes> {
  readonly config: LinkConfig;
  phase: LinkPhase;
  /** Effects of the input that is being processed. */
  effects: LinkEffect<T>[];
  peer: Hello | undefined;
  /** Whom the network has proved the peer to be one of; undefined where it proves nothing. */
  provenNodes: readonly string[] | undefined;
  version: number;
  /** Why it is closing, once it is. */
  cause: LinkCause | undefined;
  /** When the handshake must be complete, or the connection gone. */
  phaseDeadline: number;

  /** Every call that somebody waits for, queued or sent. */
  readonly calls: Map<T["call"], OutboundEntry<T>>;
  readonly queue: CallQueue<OutboundEntry<T>>;
  /** Sent and not replied to, whether somebody still waits or not. */
  readonly inFlight: Map<number, OutboundEntry<T>>;
  inFlightBytes: number;
  lastSent: number;
  /** The peer's window. */
  callsMax: number;
  callBytesMax: number;
  /** No call's deadline is before it. */
  earliestDeadline: number;

  /** Delivered and not answered: bytes by number. */
  readonly inbound: Map<number, number>;
  inboundBytes: number;
  lastAccepted: number;
  /** The widest window that this side ever granted; the peer may not have heard of a narrower one. */
  grantedCalls: number;
  grantedBytes: number;

  blocked: boolean;
  /** Looks in a row at which the network had taken nothing more, while blocked. */
  blockedIntervals: number;
  /** What the network had taken at the last of them, or when the link was blocked. */
  takenBytes: number;
  nextLookAt: number;
  lastPing: number;
  lastPingAt: number;
  /** Looks since anything came from the peer. */
  silentIntervals: number;
  readonly figures: LinkFigures;
}

/** A session that has just been made: a dialler's waits for its connection, an acceptor's for a hello. */
export function createLinkSession<T extends LinkTypes>(config: LinkConfig, now: number): LinkSession<T> {
  return {
    config,
    phase: config.role === "dialler" ? "connecting" : "hello",
    effects: [],
    peer: undefined,
    provenNodes: undefined,
    version: 0,
    cause: undefined,
    phaseDeadline: now + config.limits.helloMs,
    calls: new Map(),
    queue: new CallQueue(),
    inFlight: new Map(),
    inFlightBytes: 0,
    lastSent: 0,
    callsMax: 0,
    callBytesMax: 0,
    earliestDeadline: Number.POSITIVE_INFINITY,
    inbound: new Map(),
    inboundBytes: 0,
    lastAccepted: 0,
    grantedCalls: config.hello.callsMax,
    grantedBytes: config.hello.callBytesMax,
    blocked: false,
    blockedIntervals: 0,
    takenBytes: 0,
    nextLookAt: Number.POSITIVE_INFINITY,
    lastPing: 0,
    lastPingAt: 0,
    silentIntervals: 0,
    figures: {
      roundTripMs: undefined,
      roundTripMinMs: undefined,
      callsSent: 0,
      callsDelivered: 0,
      repliesReceived: 0,
      repliesSent: 0,
      queueWaitTotalMs: 0,
      queueWaitMaxMs: 0,
      peerLoad: 0,
      inFlightThen: 0,
    },
  };
}

/** Whether the link has a proven peer and carries frames. */
export function carriesFrames(phase: LinkPhase): boolean {
  return phase === "open" || phase === "draining";
}
