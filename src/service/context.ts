/**
 * Contexts: all that a handler knows of the world. There is one type for each kind of operation, and it offers
 * only what that kind may do, so that what would make a repeat or a crash harmful does not compile.
 *
 * | handler of             | has                        | may call             |
 * | ---------------------- | -------------------------- | -------------------- |
 * | a keyed query          | key, read-only state       | queries              |
 * | a keyed command        | key, state, clear()        | queries              |
 * | a durable command      | key, state, clear(), step()| queries and commands |
 * | a stateless query      |                            | queries              |
 * | a stateless command    |                            | queries and commands |
 *
 * Their type parameters, for handlers that are written apart from `implement`: the type of the key, the type of the
 * state, the declared errors with their data, and the names of the interfaces in `calls` (`"account" | "rates"`;
 * `never` without any). If the service has `sends`, its commands have `Sending` besides: send() and timer().
 *
 * Types only; the runtime makes the values. A context is revoked when its handler has settled.
 */
import type { SynodError } from "../errors.ts";
import type { Log } from "../ports/log.ts";
import type { Address, Listed, Operations } from "./call.ts";
import type { Frozen } from "./frozen.ts";
import type { Returned, Taken } from "./interface.ts";
import type { AnyInterface } from "./model.ts";

/**
 * The call that a handler answers.
 *
 * @example
 * ```ts
 * import type { Request } from "synod";
 *
 * const mayDelete = (request: Request) => request.principal === "admin";
 * console.assert(mayDelete({ id: "1", attempt: 1, principal: "admin" }));
 * ```
 */
export interface Request {
  /** The id under which the call takes effect at most once; the same at every attempt. */
  readonly id: string;
  /** 1 for the first attempt that this node makes; of a durable command, for the first of all. */
  readonly attempt: number;
  /** Who called from outside, as the inbound adapter authenticated it. */
  readonly principal: string;
}

/** What every handler has. */
interface Context<Errors> {
  /** The instant of the call, in ms since 1970; it does not move while the handler runs. */
  readonly now: number;
  /** When nobody waits for the answer any more, in ms since 1970. */
  readonly deadline: number;
  /** Fires at the deadline, or when the handler's work has become pointless. */
  readonly signal: AbortSignal;
  readonly request: Request;
  readonly log: Log;
  /** A number in [0, 1): the same at a repeat of the same call, and not to be foreseen from outside. */
  random(): number;
  /** A UUID: the same at a repeat of the same call, and not to be foreseen from outside. */
  uuid(): string;
  /** The declared error `code`, to be thrown: `throw ctx.fail("insufficientFunds", ctx.state)`. */
  fail<Code extends keyof Errors & string>(code: Code, data: Frozen<Taken<Errors[Code]>>): SynodError;
}

/**
 * The context of a command of a keyed service.
 *
 * @example
 * ```ts
 * import type { CommandContext } from "synod";
 *
 * type Counter = { count: number };
 * function add(ctx: CommandContext<string, Counter, {}, never>, step: number): number {
 *   ctx.state.count += step;
 *   return ctx.state.count;
 * }
 * console.assert(typeof add === "function");
 * ```
 */
export interface CommandContext<Key, State, Errors, Calls> extends Context<Errors> {
  readonly key: Returned<Key>;
  /** A draft of the entity's state: change it or assign it. It is committed when the handler returns. */
  state: State;
  /** Puts the entity back to its initial state; its row is removed, and repeats are still recognised. */
  clear(): void;
  /** Another service (keyed: with a key), whose queries may be called. */
  to<I extends AnyInterface>(target: Listed<I, Calls>, ...address: Address<I>): Operations<I, "query">;
}

/**
 * The context of a durable command. Its handler runs again and again until it is done, and each run sees the
 * outcomes that earlier ones recorded: of its calls, in the order in which it makes them, and of its steps. So
 * whatever it does depends on nothing but its context.
 *
 * @example
 * ```ts
 * import type { DurableContext } from "synod";
 *
 * type Order = { status: "new" | "paid" };
 * async function pay(ctx: DurableContext<string, Order, {}, never>): Promise<void> {
 *   const rate = await ctx.step("rate", async () => (await fetch("https://example.org/rate")).text());
 *   ctx.log.info("paid", { rate });
 *   ctx.state.status = "paid";
 * }
 * console.assert(typeof pay === "function");
 * ```
 */
export interface DurableContext<Key, State, Errors, Calls> extends Context<Errors> {
  readonly key: Returned<Key>;
  /** A draft of the entity's state: change it or assign it. It is committed when the handler returns. */
  state: State;
  /** Puts the entity back to its initial state; its row is removed, and repeats are still recognised. */
  clear(): void;
  /** Another service (keyed: with a key), whose queries and commands may be called. */
  to<I extends AnyInterface>(target: Listed<I, Calls>, ...address: Address<I>): Operations<I>;
  /**
   * Does something outside of Synod, and records what came of it: JSON, or nothing. It is done at least once; once
   * it is recorded, it is not done again. Steps of one name are told apart by their order.
   */
  step<Outcome>(name: string, act: () => Outcome | Promise<Outcome>): Promise<Outcome>;
}

/**
 * The context of a query of a keyed service.
 *
 * @example
 * ```ts
 * import type { QueryContext } from "synod";
 *
 * const doubled = (ctx: QueryContext<string, { count: number }, {}, never>) => ctx.state.count * 2;
 * console.assert(typeof doubled === "function");
 * ```
 */
export interface QueryContext<Key, State, Errors, Calls> extends Context<Errors> {
  readonly key: Returned<Key>;
  /** The entity's last durable state, as it was when the query started. */
  readonly state: Frozen<State>;
  /** Another service (keyed: with a key), whose queries may be called. */
  to<I extends AnyInterface>(target: Listed<I, Calls>, ...address: Address<I>): Operations<I, "query">;
}

/**
 * The context of a command of a stateless service. It may run more than once; the keyed commands that it calls
 * keep their ids, and so take effect once.
 *
 * @example
 * ```ts
 * import type { StatelessCommandContext } from "synod";
 *
 * const coupon = (ctx: StatelessCommandContext<{}, never>) => ({ code: ctx.uuid(), issuedAt: ctx.now });
 * console.assert(typeof coupon === "function");
 * ```
 */
export interface StatelessCommandContext<Errors, Calls> extends Context<Errors> {
  /** Another service (keyed: with a key), whose queries and commands may be called. */
  to<I extends AnyInterface>(target: Listed<I, Calls>, ...address: Address<I>): Operations<I>;
}

/**
 * The context of a query of a stateless service.
 *
 * @example
 * ```ts
 * import type { StatelessQueryContext } from "synod";
 *
 * const today = (ctx: StatelessQueryContext<{}, never>) => new Date(ctx.now).toISOString().slice(0, 10);
 * console.assert(typeof today === "function");
 * ```
 */
export interface StatelessQueryContext<Errors, Calls> extends Context<Errors> {
  /** Another service (keyed: with a key), whose queries may be called. */
  to<I extends AnyInterface>(target: Listed<I, Calls>, ...address: Address<I>): Operations<I, "query">;
}
