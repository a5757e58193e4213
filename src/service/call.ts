/** Calls: what `to` returns, and what a caller gets back. Types only; the runtime makes the values. */
import type { StatusCode, SynodError } from "../errors.ts";
import type { Duration } from "../values/durations.ts";
import type { Frozen } from "./frozen.ts";
import type { KeyOf, Operation, Returned, Taken } from "./interface.ts";
import type { AnyInterface, AnyOperation, OperationKind } from "./model.ts";

/**
 * Options of one call.
 *
 * @example
 * ```ts
 * import type { CallOptions } from "synod";
 *
 * const patient: CallOptions = { timeout: "30s" };
 * console.assert(patient.timeout === "30s");
 * ```
 */
export interface CallOptions {
  /** How long to wait for the answer, at the most: ms, or a text such as `"5s"`. Never past the caller's own deadline. */
  readonly timeout?: Duration;
  /** The idempotency key: a command takes effect at most once under it. Left out, Synod makes one. */
  readonly id?: string;
}

/**
 * One operation, ready to be called: it returns the output or throws a `SynodError`. `safe` returns a
 * {@link Result} instead, in which the declared errors are typed.
 *
 * @example
 * ```ts
 * import type { Call } from "synod";
 *
 * async function refill(deposit: Call<{ amount: number }, { balance: number }, {}>) {
 *   const { balance } = await deposit({ amount: 5 });
 *   return balance;
 * }
 * console.assert(typeof refill === "function");
 * ```
 */
export interface Call<Input, Output, Errors> {
  (...input: InputArguments<Input>): Promise<Output>;
  safe(...input: InputArguments<Input>): Promise<Result<Output, Errors>>;
}

/** What an operation is called with: its input, if it takes one. */
// biome-ignore lint/suspicious/noConfusingVoidType: void is what an operation without input has in place of a type.
export type InputArguments<Input> = [Input] extends [void]
  ? []
  : undefined extends Input
    ? [input?: Frozen<Input>]
    : [input: Frozen<Input>];

/**
 * The outcome of a `.safe` call.
 *
 * @example
 * ```ts
 * import type { Result } from "synod";
 *
 * function missing(result: Result<{ balance: number }, { insufficientFunds: { balance: number } }>): number {
 *   if (result.ok) return 0;
 *   if (result.error.code === "insufficientFunds") return result.error.data.balance;
 *   throw result.error;
 * }
 * console.assert(missing({ ok: true, value: { balance: 1 } }) === 0);
 * ```
 */
export type Result<Output, Errors> =
  | { readonly ok: true; readonly value: Output }
  | { readonly ok: false; readonly error: StatusError | DeclaredErrors<Errors> };

type DeclaredErrors<Errors> = { [Name in keyof Errors & string]: DeclaredError<Name, Errors[Name]> }[keyof Errors &
  string];

/**
 * An error that the operation declares, with its typed data. It is a reply: recorded, and the same at every repeat.
 *
 * @example
 * ```ts
 * import type { DeclaredError } from "synod";
 *
 * const shortBy = (error: DeclaredError<"insufficientFunds", { balance: number }>, amount: number) =>
 *   amount - error.data.balance;
 * console.assert(typeof shortBy === "function");
 * ```
 */
export interface DeclaredError<Code extends string, Data> extends SynodError {
  readonly code: Code;
  readonly data: Data;
}

/**
 * A failure that is not a reply: `outcome` says whether the call may have taken effect all the same.
 *
 * @example
 * ```ts
 * import type { StatusError } from "synod";
 *
 * const mayHaveHappened = (error: StatusError) => error.outcome === "unknown";
 * console.assert(typeof mayHaveHappened === "function");
 * ```
 */
export interface StatusError extends SynodError {
  readonly code: StatusCode;
}

/**
 * What `to` takes behind the interface: the key of a keyed one, then options.
 *
 * @example
 * ```ts
 * import { type Address, defineInterface, query } from "synod";
 * import { z } from "zod";
 *
 * const Account = defineInterface("account", { key: z.string(), operations: { balance: query() } });
 * const alice: Address<typeof Account> = ["alice", { timeout: "5s" }];
 * console.assert(alice[0] === "alice");
 * ```
 */
export type Address<I> = [KeyOf<I>] extends [undefined]
  ? [options?: CallOptions]
  : [key: Taken<KeyOf<I>>, options?: CallOptions];

/**
 * The operations of an interface, ready to be called: all of them, or those of one kind.
 *
 * @example
 * ```ts
 * import { type Operations, command, defineInterface, query } from "synod";
 * import { z } from "zod";
 *
 * const Counter = defineInterface("counter", {
 *   key: z.string(),
 *   operations: { add: command({ input: z.number() }), value: query({ output: z.number() }) },
 * });
 *
 * async function addTwice(counter: Operations<typeof Counter>) {
 *   await counter.add(1);
 *   await counter.add(1);
 *   return counter.value();
 * }
 * console.assert(typeof addTwice === "function");
 * ```
 */
export type Operations<I extends AnyInterface, Kind extends OperationKind = OperationKind> = {
  readonly [Name in keyof I["operations"] as I["operations"][Name]["kind"] extends Kind ? Name : never]: CallOf<
    I["operations"][Name]
  >;
};

type CallOf<O extends AnyOperation> =
  O extends Operation<OperationKind, infer Input, infer Output, infer Errors>
    ? Call<Taken<Input>, Returned<Output>, { [Name in keyof Errors]: Returned<Errors[Name]> }>
    : never;

/** An interface as the argument of `to`; or, if `calls` does not name it, a type that says so. */
export type Listed<I extends AnyInterface, Calls> = I["name"] extends Calls
  ? I
  : `${I["name"]} is missing from the calls of this service`;
