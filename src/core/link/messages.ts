/**
 * What a link session reads and writes, as far as it decides about it. What a call asks and what a reply
 * says is opaque here (`LinkTypes`). The frames of `wire/` have these shapes.
 */
import type { StatusCode } from "../../errors.ts";

/** The dialler makes calls, the acceptor answers them. */
export type LinkRole = "dialler" | "acceptor";

/** Why a link is closed. The words travel in goodbyes and stand in statistics and logs. */
export type LinkCause =
  /** Nobody took the connection. */
  | "refused"
  | "hello-timeout"
  | "wrong-secret"
  | "wrong-system"
  | "wrong-version"
  /** Another node than the one that was dialled, another incarnation of it, or one that its certificate is not for. */
  | "wrong-node"
  /** Both sides claim the same node id. */
  | "same-node"
  /** A newer connection of that incarnation is known. */
  | "stale"
  /** A newer connection of the same incarnation took its place. */
  | "superseded"
  /** The acceptor holds as many unproven connections as it may. */
  | "crowded"
  /** The acceptor is not a member yet. */
  | "starting"
  /** The peer broke the protocol. */
  | "breach"
  /** Pings went unanswered. */
  | "silent"
  /** The peer takes no bytes. */
  | "not-reading"
  /** The connection was cut. */
  | "lost"
  /** Planned: finish what is accepted. */
  | "draining"
  /** Planned: at once. */
  | "stopped";

/** Who one side is; the shape of `HelloFrame` of `wire/`. */
export interface Hello {
  readonly kind: "hello";
  readonly versionMin: number;
  readonly versionMax: number;
  readonly system: string;
  readonly node: string;
  readonly incarnation: number;
  readonly dial: number;
  readonly nonce: Uint8Array;
  readonly frameBytesMax: number;
  readonly callsMax: number;
  readonly callBytesMax: number;
}

/** Pure: makes and compares proofs; the session knows no cryptography. */
export interface Prover {
  prove(role: LinkRole, version: number, dialler: Hello, acceptor: Hello): Uint8Array;
  same(a: Uint8Array, b: Uint8Array): boolean;
}

/** What the session must know of an outgoing call. */
export interface OutboundCall {
  /** Instant after which nobody waits. */
  readonly deadline: number;
  /** Bytes of its input. */
  readonly bytes: number;
  /** 0 goes first; above 4 counts as 4. */
  readonly priority: number;
}

/** What the session must know of an incoming call. */
export interface InboundCall {
  readonly kind: "call";
  readonly number: number;
  readonly remainingMs: number;
  readonly bytes: number;
}

/** What a link carries, as the driver knows it. */
export interface LinkTypes {
  /** The driver's own object for an outgoing call. */
  readonly call: OutboundCall;
  /** The frame of an incoming call. */
  readonly inbound: InboundCall;
  /** The body of a reply. */
  readonly reply: unknown;
}

interface ReplyFrame<T extends LinkTypes> {
  readonly kind: "reply";
  readonly number: number;
  readonly body: T["reply"];
}

/** The frames that look the same in both directions. */
type PlainFrame =
  | Hello
  | { readonly kind: "proof"; readonly proof: Uint8Array }
  | { readonly kind: "cancel" | "ping"; readonly number: number }
  | { readonly kind: "credit"; readonly number: number; readonly callsMax: number; readonly callBytesMax: number }
  | { readonly kind: "goodbye"; readonly accepted: number; readonly cause: string; readonly message: string };

export type ReceivedFrame<T extends LinkTypes> =
  | PlainFrame
  | T["inbound"]
  | ReplyFrame<T>
  /** `load`: calls that the peer has under way or waiting. */
  | { readonly kind: "pong"; readonly number: number; readonly load: number }
  | { readonly kind: "chunk"; readonly number: number };

export type SentFrame<T extends LinkTypes> =
  | PlainFrame
  | ReplyFrame<T>
  /** The driver adds what this side has to do. */
  | { readonly kind: "pong"; readonly number: number }
  | { readonly kind: "call"; readonly number: number; readonly remainingMs: number; readonly call: T["call"] };

/** Why a call got no reply. */
export interface CallFailure {
  readonly code: StatusCode;
  /** False: the peer certainly did not execute it and will not. True: it may have. */
  readonly sent: boolean;
  readonly message: string;
}

export type LinkInput<T extends LinkTypes> =
  /** The connection stands, to one of these nodes where the network can prove it; only a dialler waits for it. */
  | { readonly kind: "connected"; readonly provenNodes?: readonly string[] | undefined }
  /** Bytes arrived: somebody is there. */
  | { readonly kind: "heard" }
  | { readonly kind: "frame"; readonly frame: ReceivedFrame<T> }
  /** Bytes arrived that are no frame. */
  | { readonly kind: "breach"; readonly message: string }
  /** Somebody wants to call the peer. */
  | { readonly kind: "call"; readonly call: T["call"] }
  /** Nobody waits for this call any more. */
  | { readonly kind: "cancel"; readonly call: T["call"] }
  /** Nobody here can wait for any call any more; the link stays. */
  | { readonly kind: "abandon"; readonly message: string }
  /** The answer to a delivered call. */
  | { readonly kind: "reply"; readonly number: number; readonly body: T["reply"] }
  /** This side takes more calls from now on, or fewer. */
  | { readonly kind: "window"; readonly callsMax: number; readonly callBytesMax: number }
  /** What the connection said to the last bytes: it wants no more for now, how much it holds, and how much it has passed on so far. */
  | { readonly kind: "blocked"; readonly bufferedBytes: number; readonly takenBytes: number }
  | { readonly kind: "drained" }
  /** Take no more calls, finish the accepted ones, then part. */
  | { readonly kind: "drain"; readonly message: string }
  | { readonly kind: "close"; readonly cause: LinkCause; readonly message: string }
  /** The peer ended its half. */
  | { readonly kind: "ended" }
  /** There is no connection, or no longer. */
  | { readonly kind: "gone"; readonly message: string }
  /** `takenBytes`: of all that was sent, what the connection has passed on to the network so far. */
  | { readonly kind: "tick"; readonly takenBytes: number };

/** To be performed in the order in which they are returned. */
export type LinkEffect<T extends LinkTypes> =
  /** Write the frame. Frames go out in the order of their effects. */
  | { readonly kind: "send"; readonly frame: SentFrame<T> }
  /** The peer is who it says. Frames may be as long as was announced from now on; nothing else came before. */
  | { readonly kind: "opened"; readonly peer: Hello; readonly version: number }
  /** Execute this call and answer it exactly once, cancelled or not. */
  | { readonly kind: "deliver"; readonly frame: T["inbound"]; readonly deadline: number }
  /** Nobody waits for the answer any more: stop if that is possible. */
  | { readonly kind: "withdraw"; readonly number: number }
  | { readonly kind: "settle"; readonly call: T["call"]; readonly body: T["reply"] }
  | { readonly kind: "fail"; readonly call: T["call"]; readonly failure: CallFailure }
  /** The link takes no new calls from now on. Comes once; `planned`: the peer or this side leaves in order. */
  | { readonly kind: "closing"; readonly cause: LinkCause; readonly planned: boolean; readonly message: string }
  /** End this half after everything sent. */
  | { readonly kind: "end" }
  /** Cut the connection; there may be none yet. */
  | { readonly kind: "destroy"; readonly message: string }
  /** Nothing comes after this but refusals of calls. */
  | { readonly kind: "closed" };
