/** One call of an operation, as it travels through a node: what is asked, by whom, and until when. */
import type { Prerequisite } from "../core/commits/prerequisite.ts";
import type { Floor } from "../core/sessions/caller.ts";
import type { GatewayReply } from "../ports/gateway.ts";
import type { AnyOperation, AnyService } from "../service/model.ts";
import type { GoneSignal } from "../values/gone.ts";
import { hashParts } from "../values/hash.ts";
import type { Rank } from "../values/priority.ts";
import type { Slot } from "./load.ts";

export interface Target {
  readonly service: AnyService;
  /** Null for a stateless service. */
  readonly key: string | null;
  readonly name: string;
  readonly operation: AnyOperation;
}

export interface Invocation {
  readonly target: Target;
  /** JSON text; undefined for an operation without input. */
  readonly input: string | undefined;
  /** Identifies the request in logs; stands for the id, in `ctx.request.id` and `ctx.random`, where there is none. */
  readonly requestId: string;
  readonly principal: string;
  /** What goes first where it has to wait, and whose call it is: callers take turns. */
  readonly rank: Rank;
  readonly caller: string;
  /** Under this id the command takes effect at most once; null: it is never repeated. */
  readonly id: CommandId | null;
  /** When nobody waits for the answer any more, on the monotonic clock, ms. */
  readonly deadline: number;
  /** Fires when the caller has gone. */
  readonly signal: GoneSignal | undefined;
  readonly traceparent: string | undefined;
  /** The timer of its entity that runs it: if that is not set any more when the command gets the turn, nothing happens. */
  readonly timer?: { readonly name: string; readonly generation: number } | undefined;
  /** Of a durable command: its acceptance is answer enough. */
  readonly waitFor?: "acceptance" | undefined;
  /** Only what became of a durable command of this id is asked: none is ever accepted by it, and there is no input. */
  readonly existing?: true | undefined;
  /**
   * Nothing under its id has ever left, by what is durable of the one who calls, who is on this node: there is no record
   * to look for. Never said to other nodes: a copy that is late on its way could come after another one.
   */
  readonly unsent?: boolean | undefined;
  /** Without this its change never becomes durable: its caller is on this node, and has not let it leave yet. */
  readonly requires?: Prerequisite | undefined;
  /** What it holds while it is carried out on this node. */
  slot?: Slot;
}

/** The scoped id of a command. */
export interface CommandId {
  readonly hash: string;
  readonly inputHash: string;
  /** The instant in a timed key, ms since 1970; null for opaque keys and for calls of a session. */
  readonly keyTime: number | null;
  /**
   * For a command that got its id from Synod: the number in a session to which it belongs. The session is that of the
   * node where it came in, or of the shard whose durable command calls it, or whose message it is.
   */
  readonly call?: { readonly session: string; readonly number: number };
  /** What came along with it: which calls of that session are settled. */
  readonly floor?: Floor;
}

/** Base 36 digits of an instant in ms, until the year 5188. */
const instantDigits = 9;

/**
 * The scoped id of a command: a hash over whatever scopes it. That of a timed key starts with the key's instant,
 * so that records made at about the same time stand together in the store's index, and few pages change at once.
 */
export function commandHash(keyTime: number | null, ...parts: string[]): string {
  const hash = hashParts(...parts);
  return keyTime === null ? hash : `${keyTime.toString(36).padStart(instantDigits, "0")}-${hash}`;
}

/** How one attempt on an activation ended. */
export interface Attempt {
  readonly reply: GatewayReply;
  /**
   * Set when the activation was lost before it could answer. `certain`: the attempt had no effect, and may
   * be repeated; otherwise only an id makes a repeat harmless.
   */
  readonly lost?: { readonly certain: boolean };
}

/** What belongs to a target, such as "the input of account/alice.deposit": put into words when something is wrong with it. */
export class PartOf {
  readonly #part: string;
  readonly #target: Target;

  constructor(part: string, target: Target) {
    this.#part = part;
    this.#target = target;
  }

  toString(): string {
    return `${this.#part} of ${nameOfTarget(this.#target)}`;
  }
}

/** `account/alice.deposit`, for messages and logs. */
export function nameOfTarget({ service, key, name }: Target): string {
  return `${nameOfEntity(service.interface.name, key)}.${name}`;
}

export function nameOfEntity(service: string, key: string | null): string {
  return key === null ? service : `${service}/${key}`;
}
