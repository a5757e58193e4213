/**
 * What a supervisor and its node processes say to each other over the channel that Node opens between a
 * parent and its child. The order of a start is: the child loads the system file and says `loaded`; the
 * supervisor opens what belongs to the whole system and says `start`; the child says `joined`, so that its
 * lease can be ended should it die, and `ready` when it serves.
 */
import type { NodeMeters } from "../admin/target.ts";
import type { FaultOrder } from "../drill/fault.ts";
import type { SynodErrorOptions } from "../errors.ts";
import type { GatewayCall, GatewayReply } from "../ports/gateway.ts";
import type { EntityInspection, NodeStatus } from "../runtime/node.ts";
import type { WorkAction } from "../runtime/operators.ts";
import type { WorkDetails, WorkPage, WorkQuery } from "../runtime/pending-work.ts";
import type { AvailabilityTargets } from "../service/availability.ts";
import type { NodeCounts } from "./availability/requests.ts";

/** An inbound adapter of the system, as far as a supervisor must know it. */
export interface AdapterFacts {
  readonly name: string;
  readonly host: string;
  readonly port: number;
}

/** What a supervisor must know of the system; it never runs the user's code itself. */
export interface SystemFacts {
  readonly name: string;
  readonly adapters: readonly AdapterFacts[];
  readonly services: readonly ServiceFacts[];
  /** The store that the system file names, for when nobody names another one. */
  readonly store?: string | undefined;
  /** What is promised of its availability, if anything is. */
  readonly availability?: AvailabilityTargets;
}

/** Enough of a service to read a command line such as `call account alice deposit '{"amount":5}'`. */
export interface ServiceFacts {
  readonly name: string;
  readonly keyed: boolean;
  readonly operations: readonly string[];
}

/** An error that crosses between processes. */
export interface ErrorFacts extends Pick<SynodErrorOptions, "outcome" | "retryable" | "retryAfterMs" | "data"> {
  readonly code: string;
  readonly message: string;
  readonly stack: string | undefined;
}

/** A question to a node, with its answer's type. */
export interface Questions {
  status: { readonly ask: undefined; readonly answer: NodeStatus };
  meters: { readonly ask: undefined; readonly answer: NodeMeters };
  counts: { readonly ask: undefined; readonly answer: NodeCounts };
  inspect: { readonly ask: { readonly service: string; readonly key: string }; readonly answer: EntityInspection };
  call: { readonly ask: GatewayCall; readonly answer: GatewayReply };
  work: { readonly ask: WorkQuery; readonly answer: WorkPage };
  workDetails: { readonly ask: { readonly id: string }; readonly answer: WorkDetails };
  /** The node passes it on to the owner. */
  operate: { readonly ask: { readonly id: string; readonly action: WorkAction }; readonly answer: null };
  /** Whether the node's event loop still turns. */
  ping: { readonly ask: undefined; readonly answer: null };
  /** A fault of a drill that a node does to itself. */
  suffer: { readonly ask: FaultOrder; readonly answer: null };
  /** Takes no new calls from outside; answers when those that came in are answered, or the time is over. */
  closeDoors: { readonly ask: { readonly drainMs: number }; readonly answer: null };
}

export type Question = keyof Questions;

export type ToNode =
  /** Comes with a listening socket: bring it to listen, so that connections queue until an adapter takes them. */
  | { readonly type: "hold"; readonly host: string; readonly port: number }
  /** Comes with a listening socket, the one for the adapter of that index. */
  | { readonly type: "listen"; readonly adapter: number; readonly host: string; readonly port: number }
  | { readonly type: "start"; readonly store: string; readonly expectedMembers: number }
  /** The membership has changed: look now. */
  | { readonly type: "refresh" }
  | { readonly type: "ask"; readonly id: number; readonly question: Question; readonly ask: unknown }
  /** Comes with an open connection that was idle at a node which leaves. */
  | { readonly type: "connection"; readonly adapter: number }
  /** `passOn`: idle connections are wanted elsewhere. */
  | { readonly type: "drain"; readonly drainMs: number; readonly passOn: boolean };

export type FromNode =
  | { readonly type: "loaded"; readonly system: SystemFacts }
  | { readonly type: "joined"; readonly incarnation: number }
  /** `address`: where other nodes reach it. */
  | { readonly type: "ready"; readonly urls: readonly string[]; readonly address: string | null }
  | { readonly type: "answer"; readonly id: number; readonly answer: unknown }
  | { readonly type: "refusal"; readonly id: number; readonly error: ErrorFacts }
  /** Comes with an open connection on which nothing is going on: another node should go on with it. */
  | { readonly type: "connection"; readonly adapter: number }
  /** It was told to end (SIGTERM), and goes on until its supervisor has decided what that means. */
  | { readonly type: "terminated" }
  /** Why the process is about to end. */
  | { readonly type: "failed"; readonly error: ErrorFacts };
