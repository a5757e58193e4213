/** What leaks through the abstraction of a call, made visible: per link, for `synod status` and metrics. */
import type { LinkCause } from "../../core/link/messages.ts";
import type { LinkPhase } from "../../core/link/state.ts";
import type { DialledPeer } from "./dialled-peer.ts";
import type { Link } from "./link.ts";

export interface LinkStatistics {
  readonly node: string;
  readonly incarnation: number;
  readonly direction: "dialled" | "accepted";
  readonly phase: LinkPhase | "waiting";
  /** Smoothed and least round-trip time; undefined until the first was measured. */
  readonly roundTripMs: number | undefined;
  readonly roundTripMinMs: number | undefined;
  /** Calls that are not answered, and bytes of their inputs; outgoing if dialled, incoming if accepted. */
  readonly callsInFlight: number;
  readonly callBytesInFlight: number;
  /** Calls that wait at this side. */
  readonly queueLength: number;
  /** How long sent calls had waited, on average and at the most. */
  readonly queueWaitMeanMs: number;
  readonly queueWaitMaxMs: number;
  /** Bytes written and not yet taken by the network. */
  readonly bufferedBytes: number;
  /** Calls that the peer had under way or waiting when it last said so. */
  readonly peerLoad: number;
  readonly calls: number;
  readonly replies: number;
  readonly framesSent: number;
  readonly framesReceived: number;
  readonly bytesSent: number;
  readonly bytesReceived: number;
  /** Links after the first, and why links and attempts ended, by cause. Zero and empty if accepted. */
  readonly reconnects: number;
  readonly causes: Readonly<Partial<Record<LinkCause, number>>>;
}

/** The newest link of a peer that this node dials. */
export function dialledStatistics(peer: DialledPeer): LinkStatistics {
  const link = [...peer.links].at(-1);
  const { reconnects, causes } = peer.dialling;
  const own = { ...peer.identity, direction: "dialled", reconnects, causes: Object.fromEntries(causes) } as const;
  if (link !== undefined) return { ...figuresOf(link), ...own };
  return { ...nothing, phase: "waiting", ...own };
}

export function acceptedStatistics(link: Link): LinkStatistics {
  const { node, incarnation } = link.peer ?? { node: "unknown", incarnation: 0 };
  return { ...figuresOf(link), node, incarnation, direction: "accepted", reconnects: 0, causes: {} };
}

type Figures = Omit<LinkStatistics, "node" | "incarnation" | "direction" | "reconnects" | "causes">;

function figuresOf(link: Link): Figures {
  const { session } = link;
  const { figures } = session;
  const dialled = session.config.role === "dialler";
  return {
    phase: session.phase,
    roundTripMs: figures.roundTripMs,
    roundTripMinMs: figures.roundTripMinMs,
    callsInFlight: dialled ? session.inFlight.size : session.inbound.size,
    callBytesInFlight: dialled ? session.inFlightBytes : session.inboundBytes,
    queueLength: session.queue.length,
    queueWaitMeanMs: figures.callsSent === 0 ? 0 : figures.queueWaitTotalMs / figures.callsSent,
    queueWaitMaxMs: figures.queueWaitMaxMs,
    bufferedBytes: link.bufferedBytes,
    peerLoad: figures.peerLoad,
    calls: dialled ? figures.callsSent : figures.callsDelivered,
    replies: dialled ? figures.repliesReceived : figures.repliesSent,
    framesSent: link.framesSent,
    framesReceived: link.framesReceived,
    bytesSent: link.bytesSent,
    bytesReceived: link.bytesReceived,
  };
}

const nothing: Figures = {
  phase: "waiting",
  roundTripMs: undefined,
  roundTripMinMs: undefined,
  callsInFlight: 0,
  callBytesInFlight: 0,
  queueLength: 0,
  queueWaitMeanMs: 0,
  queueWaitMaxMs: 0,
  bufferedBytes: 0,
  peerLoad: 0,
  calls: 0,
  replies: 0,
  framesSent: 0,
  framesReceived: 0,
  bytesSent: 0,
  bytesReceived: 0,
};
