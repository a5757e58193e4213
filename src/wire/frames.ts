/**
 * The frames of a link: what each kind says. How they become bytes is in `codec.ts`; who may send which
 * when is decided by `core/link`.
 *
 *     hello hello proof            who is there, and the proof of it (`handshake.ts`)
 *     call -> reply                one of each per call, matched by the call's number; cancel in between
 *     chunk, credit                parts of a stream; how much the receiver is ready to take
 *     ping -> pong                 round-trip time, and whether anybody is there
 *     goodbye                      no more calls, and which were accepted
 */
import type { Outcome } from "../errors.ts";

/** Who one side is and what it can do. Later versions add fields behind these, which are skipped. */
export interface HelloFrame {
  readonly kind: "hello";
  /** Oldest and newest protocol version that this side speaks. */
  readonly versionMin: number;
  readonly versionMax: number;
  readonly system: string;
  readonly node: string;
  readonly incarnation: number;
  /** Counts the dialler's attempts, so that a late one is told from a newer one; the acceptor repeats it. */
  readonly dial: number;
  readonly nonce: Uint8Array;
  /** The longest frame that this side takes after the handshake. */
  readonly frameBytesMax: number;
  /** How many calls, and bytes of their inputs, this side takes without having answered them. */
  readonly callsMax: number;
  readonly callBytesMax: number;
}

/** That the sender holds the system's secret; over both hellos. */
export interface ProofFrame {
  readonly kind: "proof";
  readonly proof: Uint8Array;
}

/** A session's place in a series of numbered calls, by which a repeat is told (guarantee G4). */
export interface CallIdentity {
  readonly session: string;
  readonly number: number;
  /** All numbers below it are settled, except the open ones. */
  readonly floor: number;
  /** Ascending, all below the floor. */
  readonly open: readonly number[];
}

/** What is called, without what belongs to one link. */
export interface CallBody {
  readonly service: string;
  /** Present exactly for keyed services. */
  readonly key: string | undefined;
  readonly operation: string;
  /** The epoch that the caller knows of the key's shard. */
  readonly epoch: number | undefined;
  readonly identity: CallIdentity | undefined;
  /** The scoped id of a command that carries an idempotency key, and the instant in a timed key. */
  readonly command: { readonly id: string; readonly keyTime: number | null } | undefined;
  /** Names the request in logs, on every node that it passes. */
  readonly request: string;
  readonly principal: string;
  /** Whose call it is for the queue, in which callers take turns. Absent: the principal's. From protocol version 2 on. */
  readonly caller?: string | undefined;
  /** W3C trace context, carried along. */
  readonly traceparent: string | undefined;
  /** The input as JSON text; absent for an operation without input. */
  readonly input: string | undefined;
  /** The acceptance of a durable command is answer enough. */
  readonly waitFor?: "acceptance" | undefined;
  /** Only what became of a durable command is asked; the input is the hash of the one that it was called with. */
  readonly existing?: true | undefined;
}

export interface CallFrame {
  readonly kind: "call";
  /** From 1, without gaps, on one link. */
  readonly number: number;
  /** How long the caller still waits. */
  readonly remainingMs: number;
  /** 0 goes first. */
  readonly priority: number;
  /** The caller's incarnation when it made the call. */
  readonly incarnation: number;
  readonly body: CallBody;
  /** Bytes of the input as UTF-8, by which both sides count what is in flight. */
  readonly bytes: number;
}

/** The callee does not own the shard; this is what it knows. */
export interface MovedHint {
  /** Of the callee's view. */
  readonly revision: number;
  readonly epoch: number;
  /** The owner's incarnation and node, if there is one. */
  readonly owner: number | undefined;
  readonly node: string | undefined;
}

/** The answer to a call. */
export type ReplyBody =
  | {
      readonly kind: "ok";
      /** The output as JSON text; undefined for void. */
      readonly output: string | undefined;
      /** Whether it comes from a recorded reply. */
      readonly replayed: boolean;
    }
  | {
      readonly kind: "declared";
      readonly code: string;
      readonly message: string;
      /** The declared error's data, as JSON text. */
      readonly data: string | undefined;
      readonly replayed: boolean;
    }
  | {
      readonly kind: "status";
      readonly code: string;
      readonly message: string;
      readonly outcome: Outcome;
      readonly retryable: boolean;
      readonly retryAfterMs: number | undefined;
      /** Details such as violations, as JSON text. */
      readonly data: string | undefined;
    }
  | ({ readonly kind: "moved" } & MovedHint);

export interface ReplyFrame {
  readonly kind: "reply";
  readonly number: number;
  readonly body: ReplyBody;
}

/** Nobody waits for this call any more. It is answered all the same. */
export interface CancelFrame {
  readonly kind: "cancel";
  readonly number: number;
}

/** A part of what the call of that number streams. Protocol version 1 has no streams yet. */
export interface ChunkFrame {
  readonly kind: "chunk";
  readonly number: number;
  readonly last: boolean;
  readonly text: string;
}

/** How much the sender takes from now on: absolute, not added. Number 0 is the link itself, else a stream. */
export interface CreditFrame {
  readonly kind: "credit";
  readonly number: number;
  readonly callsMax: number;
  readonly callBytesMax: number;
}

export interface PingFrame {
  readonly kind: "ping";
  readonly number: number;
}

/** The answer to a ping. */
export interface PongFrame {
  readonly kind: "pong";
  readonly number: number;
  /** Calls that the sender has under way or waiting, by which callers choose between nodes. */
  readonly load: number;
}

/** The sender takes no more calls: those numbered above `accepted` certainly did not happen. */
export interface GoodbyeFrame {
  readonly kind: "goodbye";
  readonly accepted: number;
  /** One word for machines, and a sentence for people. */
  readonly cause: string;
  readonly message: string;
}

export type Frame =
  | HelloFrame
  | ProofFrame
  | CallFrame
  | ReplyFrame
  | CancelFrame
  | ChunkFrame
  | CreditFrame
  | PingFrame
  | PongFrame
  | GoodbyeFrame;

export type FrameKind = Frame["kind"];

/** The byte that names each kind. Never given to another kind. */
export const frameCodes: Readonly<Record<FrameKind, number>> = {
  hello: 1,
  proof: 2,
  call: 3,
  reply: 4,
  cancel: 5,
  chunk: 6,
  credit: 7,
  ping: 8,
  pong: 9,
  goodbye: 10,
};
