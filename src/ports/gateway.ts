/**
 * The gateway port: through it inbound adapters (HTTP, and whatever else speaks to the outside world)
 * call services. Values cross it as JSON text, so that what the caller sent is what the owner parses and
 * what the owner recorded is what the caller gets.
 */
import type { Outcome, Violation } from "../errors.ts";
import type { GoneSignal } from "../values/gone.ts";
import type { Priority } from "../values/priority.ts";
import type { JsonSchema } from "../values/schema-values.ts";
import type { Log } from "./log.ts";
import type { Traffic } from "./meters.ts";

/** One call from outside. */
export interface GatewayCall {
  readonly service: string;
  /** Present exactly for keyed services. */
  readonly key?: string | undefined;
  readonly operation: string;
  /** The input as JSON text; absent for an operation without input. */
  readonly input?: string | undefined;
  /** The idempotency key as the caller gave it, before scoping. Only commands of keyed services keep it. */
  readonly idempotencyKey?: string | undefined;
  /** How long somebody waits for the answer, in ms from now. Absent: the system's default. */
  readonly timeoutMs?: number | undefined;
  /** Who calls, as the adapter authenticated it. Scopes idempotency keys; `ctx.request.principal`. */
  readonly principal: string;
  /** Whose call it is for the queue, in which callers take turns, where that is not the principal. */
  readonly caller?: string | undefined;
  /** A priority below that of the operation, if that will do for this call. One above it is ignored. */
  readonly priority?: Priority | undefined;
  /** Fires when the caller has gone. */
  readonly signal?: GoneSignal | undefined;
  /** Of a durable command: the answer comes when it is accepted, and not when it has finished. */
  readonly waitFor?: "acceptance" | undefined;
  /**
   * Only what became of a durable command is asked, by its idempotency key and the hash of its input: none is ever
   * accepted by it. `not_found`: no such one is known (any more). `deadline_exceeded`, unknown: it goes on.
   */
  readonly existing?: { readonly inputHash: string } | undefined;
  /** W3C trace context, carried along. */
  readonly traceparent?: string | undefined;
}

/** As much of a call as decides whether there is room for it. */
export type CallOutline = Pick<GatewayCall, "service" | "key" | "operation" | "caller" | "priority" | "timeoutMs">;

/** An error as it leaves the gateway. */
export interface GatewayError {
  /** A status code, or the name of a declared error. */
  readonly code: string;
  readonly declared: boolean;
  readonly message: string;
  /** The declared error's data, as JSON text. */
  readonly data?: string | undefined;
  readonly violations?: readonly Violation[] | undefined;
  readonly outcome: Outcome;
  readonly retryable: boolean;
  readonly retryAfterMs?: number | undefined;
  /** What a handler threw, for operators: stands with what is parked for it, and leaves no gateway. */
  readonly thrown?: string | undefined;
  /** The answer was lost with its node or link, which may have died of the call. Leaves no gateway. */
  readonly cut?: true | undefined;
}

/** The answer: the output as JSON text (`undefined` for void), or the error. */
export type GatewayReply =
  | { readonly ok: true; readonly output: string | undefined; readonly replayed: boolean }
  | { readonly ok: false; readonly error: GatewayError; readonly replayed: boolean };

/** Where a schema of the user's cannot be said as JSON Schema, it is `undefined` below. */
export type { JsonSchema };

/** An operation as the outside world sees it. */
export interface OperationDescription {
  readonly name: string;
  readonly kind: "query" | "command";
  readonly priority: Priority;
  /** Once accepted, it goes on until it is done, whoever waits for it. */
  readonly durable: boolean;
  readonly description: string | undefined;
  /** Whether the operation takes an input, and its schema. */
  readonly input: JsonSchema | undefined;
  readonly hasInput: boolean;
  /** Whether the operation returns a value (HTTP 200) or nothing (HTTP 204), and its schema. */
  readonly output: JsonSchema | undefined;
  readonly hasOutput: boolean;
  /** Declared errors by name, with the schema of their data. */
  readonly errors: Readonly<Record<string, JsonSchema | undefined>>;
}

/** A service as the outside world sees it. */
export interface ServiceDescription {
  readonly name: string;
  readonly keyed: boolean;
  readonly key: JsonSchema | undefined;
  readonly operations: readonly OperationDescription[];
}

export interface Gateway {
  readonly system: string;
  readonly services: readonly ServiceDescription[];
  /** Longest timeout that a call may ask for, in ms. */
  readonly timeoutMaxMs: number;
  /**
   * Whether some other node of the system hosts a service that this one does not know (another version of the
   * system file, during an upgrade): a call for it may be passed on, unjudged.
   */
  isHostedElsewhere(service: string): boolean;
  /** Told by adapters of every connection that they accept: calls wait for a moment while others come in. */
  connected(): void;
  /** Whether calls wait for the node: only then is any turned away. */
  readonly busy: boolean;
  /**
   * Whether a call would be turned away if it came now, because the node has too much to do; asked before a call is
   * read, so that turning it away costs little. It is not asked whether the call is in order. One that this node would
   * pass on to another is not turned away: whether there is room for it is for that node to say.
   */
  refusal(call: CallOutline): GatewayError | undefined;
  /** Never rejects: every failure is a reply. */
  call(call: GatewayCall): Promise<GatewayReply>;
  /** `ready`: serves. `starting`: no shards yet. `draining`: finish what you have and go elsewhere. */
  readonly state: "starting" | "ready" | "draining" | "stopped";
  /** Whether the node may answer now: not while its lease has run out, as when it cannot reach the store. */
  readonly hasLease: boolean;
}

/** What an inbound adapter gets when its node starts. */
export interface AdapterEnvironment {
  readonly gateway: Gateway;
  readonly log: Log;
  /**
   * Where to listen instead of what the adapter was configured with: a listening socket that a supervisor
   * shares, or an address from the command line.
   */
  readonly listen?: ListenTarget | undefined;
}

export type ListenTarget =
  /** A raw handle of node:net, already bound, to be passed to `server.listen`. */
  { readonly handle: object; readonly url: string } | { readonly host: string; readonly port: number };

/** An open connection below any socket: a raw handle of node:net, which can go to another process. */
export interface ConnectionHandle {
  close(): void;
}

/**
 * Gives a connection on which nothing is going on to another node, so that its client notices nothing. The handle is
 * whoever's it was passed to from the call on. Resolves when it has gone, or was closed because it could not go.
 */
export type PassOn = (connection: ConnectionHandle) => Promise<void>;

/** A started inbound adapter. */
export interface RunningAdapter {
  /** Where it answers, such as `http://127.0.0.1:8080`. */
  readonly url: string;
  /**
   * Takes no new connections, lets requests in progress finish, resolves when all are answered. With `passOn` idle
   * connections are not closed but passed on.
   */
  drain(passOn?: PassOn): Promise<void>;
  /** Goes on with a connection that this adapter passed on in another node. Without it such connections are closed. */
  adopt?(connection: ConnectionHandle): void;
  /** What crossed its connections since it was started. */
  traffic?(): Traffic;
  /** Cuts what is left and frees everything. */
  close(): Promise<void>;
}

/**
 * An inbound adapter, as it stands in a system file: inert until a node starts it.
 *
 * @example
 * ```ts
 * import type { InboundAdapter } from "synod";
 * import { http } from "synod/http";
 *
 * const adapter: InboundAdapter = http({ port: 8081 });
 * console.assert(adapter.address.port === 8081);
 * ```
 */
export interface InboundAdapter {
  readonly name: string;
  /** The address it wants, so that a supervisor can bind it beforehand. */
  readonly address: { readonly host: string; readonly port: number };
  start(environment: AdapterEnvironment): Promise<RunningAdapter>;
}
