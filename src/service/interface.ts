/**
 * Interfaces: what the world may ask of a service. A definition here is a contract and nothing else, so that
 * callers can import it without importing any business logic.
 */
import type { StandardSchemaV1 } from "@standard-schema/spec";
import { isStatusCode } from "../errors.ts";
import { type Priority, priorities } from "../values/priority.ts";
import { checkMembers, checkOwnName, definitionError, quoted } from "./definition.ts";
import type { AnyInterface, AnyOperation, OperationKind, Schema } from "./model.ts";
import { isSchema } from "./schema.ts";

declare const types: unique symbol;
const interfaceMark: unique symbol = Symbol.for("synod.interface");
const operationMark: unique symbol = Symbol.for("synod.operation");

/**
 * Two types under one name, for a schema that takes one thing and returns another. It stands in the types of
 * interfaces with such schemas, so that they can be exported from packages with declarations.
 *
 * @example
 * ```ts
 * import { type Command, type Transformed, command } from "synod";
 * import { z } from "zod";
 *
 * const order: Command<Transformed<{ count?: number | undefined }, { count: number }>, void, {}> = command({
 *   input: z.object({ count: z.number().default(1) }),
 * });
 * console.assert(order.kind === "command");
 * ```
 */
export interface Transformed<Takes, Returns> {
  readonly [types]: { takes: Takes; returns: Returns };
}

/** What stands for a schema in the types of operations: its type, or both when they differ. */
export type TypeOf<S extends Schema | undefined> = S extends Schema
  ? OneOrBoth<StandardSchemaV1.InferInput<S>, StandardSchemaV1.InferOutput<S>>
  : // biome-ignore lint/suspicious/noConfusingVoidType: an operation without input or output is like a function without.
    void;
type OneOrBoth<In, Out> = [In, Out] extends [Out, In] ? In : Transformed<In, Out>;

/** What the schema takes: what callers send as input, what handlers return and pass to `fail`. */
export type Taken<T> = [T] extends [Transformed<infer In, unknown>] ? In : T;
/** What the schema returns: the input that handlers get, the output and error data that callers get. */
export type Returned<T> = [T] extends [Transformed<unknown, infer Out>] ? Out : T;

/** An operation, with the types of its schemas. */
export interface Operation<Kind extends OperationKind, Input, Output, Errors> extends AnyOperation {
  readonly kind: Kind;
  readonly [types]?: { input: Input; output: Output; errors: Errors };
}

/**
 * An operation that reads, and is safe to repeat. Made by {@link query}.
 *
 * @example
 * ```ts
 * import { type Query, query } from "synod";
 * import { z } from "zod";
 *
 * const size: Query<void, number, {}> = query({ output: z.number() });
 * console.assert(size.kind === "query");
 * ```
 */
export interface Query<Input, Output, Errors> extends Operation<"query", Input, Output, Errors> {}

/**
 * An operation that may change state. Made by {@link command}.
 *
 * @example
 * ```ts
 * import { type Command, command } from "synod";
 * import { z } from "zod";
 *
 * const rename: Command<{ name: string }, void, {}> = command({ input: z.object({ name: z.string() }) });
 * console.assert(rename.kind === "command");
 * ```
 */
export interface Command<Input, Output, Errors> extends Operation<"command", Input, Output, Errors> {
  readonly durable: false;
}

/**
 * An operation that, once accepted, is repeated until it is done. Made by {@link command} with `durable: true`.
 *
 * @example
 * ```ts
 * import { type DurableCommand, command } from "synod";
 * import { z } from "zod";
 *
 * const ship: DurableCommand<{ address: string }, void, {}> = command({
 *   durable: true,
 *   input: z.object({ address: z.string() }),
 * });
 * console.assert(ship.durable);
 * ```
 */
export interface DurableCommand<Input, Output, Errors> extends Operation<"command", Input, Output, Errors> {
  readonly durable: true;
}

/**
 * An interface: a name, maybe a key, and operations. Made by {@link defineInterface}.
 *
 * @example
 * ```ts
 * import { type Interface, type Query, defineInterface, query } from "synod";
 * import { z } from "zod";
 *
 * const Clock: Interface<"clock", undefined, { now: Query<void, number, {}> }> = defineInterface("clock", {
 *   operations: { now: query({ output: z.number() }) },
 * });
 * console.assert(Clock.name === "clock" && Clock.key === undefined);
 * ```
 */
export interface Interface<Name extends string, Key, Operations extends Readonly<Record<string, AnyOperation>>>
  extends AnyInterface {
  readonly name: Name;
  readonly operations: Operations;
  /** Undefined for a stateless service. */
  readonly [types]?: { key: Key };
}

/** The key of an interface as its schema types it; undefined for a stateless service. */
export type KeyOf<I> = I extends { readonly [types]?: { key: infer Key } } ? Key : never;

interface OperationOptions<
  Input extends Schema | undefined,
  Output extends Schema | undefined,
  Errors extends Readonly<Record<string, Schema>>,
> {
  /** What callers send. Leave it out for an operation that takes nothing. */
  readonly input?: Input;
  /** What callers get back. Leave it out for an operation that answers nothing but that it is done. */
  readonly output?: Output;
  /** The errors that callers must reckon with, by name, each with the schema of its data. */
  readonly errors?: Errors;
  /** A sentence for the API description. */
  readonly description?: string;
  /**
   * What goes first when a node has more to do than it can do: `critical` before `normal` (the default) before
   * `background`. A caller may ask for less.
   */
  readonly priority?: Priority;
}

/**
 * Declares an operation that reads. It sees the last durable state, changes nothing, and may call other
 * queries only; so callers repeat it freely.
 *
 * @example
 * ```ts
 * import { query } from "synod";
 * import { z } from "zod";
 *
 * const balance = query({ output: z.object({ balance: z.number() }), description: "What is in the account." });
 * console.assert(balance.kind === "query" && balance.input === undefined);
 * ```
 */
export function query<
  Input extends Schema | undefined = undefined,
  Output extends Schema | undefined = undefined,
  // biome-ignore lint/complexity/noBannedTypes: `{}` has no members, which is what is meant, and hovers say it shortest.
  Errors extends Readonly<Record<string, Schema>> = {},
>(options: OperationOptions<Input, Output, Errors> = {}): Query<TypeOf<Input>, TypeOf<Output>, ErrorTypes<Errors>> {
  checkMembers(options, operationMembers, "a query");
  return operation("query", options, false);
}

interface CommandOptions<
  Input extends Schema | undefined,
  Output extends Schema | undefined,
  Errors extends Readonly<Record<string, Schema>>,
  Durable extends boolean,
> extends OperationOptions<Input, Output, Errors> {
  /**
   * Once accepted, it is repeated until it is done, whatever crashes meanwhile; so its handler may call commands of
   * other services, and it holds its entity's turn until it has finished.
   */
  readonly durable?: Durable;
}

/**
 * Declares an operation that may change the state of its entity. Its changes, its reply and the record by
 * which a repeat is recognised are committed together when its handler returns.
 *
 * With `durable: true` it is a durable command, of a keyed interface: accepted means that it will be done.
 *
 * @example
 * ```ts
 * import { command } from "synod";
 * import { z } from "zod";
 *
 * const Amount = z.object({ amount: z.number().int().positive() });
 * const Balance = z.object({ balance: z.number() });
 * const withdraw = command({ input: Amount, output: Balance, errors: { insufficientFunds: Balance } });
 * console.assert(withdraw.kind === "command");
 * ```
 */
export function command<
  Input extends Schema | undefined = undefined,
  Output extends Schema | undefined = undefined,
  // biome-ignore lint/complexity/noBannedTypes: as for query.
  Errors extends Readonly<Record<string, Schema>> = {},
  const Durable extends boolean = false,
>(
  options: CommandOptions<Input, Output, Errors, Durable> = {},
): Durable extends true
  ? DurableCommand<TypeOf<Input>, TypeOf<Output>, ErrorTypes<Errors>>
  : Command<TypeOf<Input>, TypeOf<Output>, ErrorTypes<Errors>> {
  checkMembers(options, [...operationMembers, "durable"], "a command");
  const { durable = false } = options;
  if (typeof durable !== "boolean") throw definitionError("durable is true or false in the definition of a command");
  // The condition of the return type is the user's to resolve: here it stands open.
  return operation("command", options, durable) as never;
}

// The condition always holds; it makes hovers show the members and not the name of this type.
type ErrorTypes<Errors> =
  Errors extends Readonly<Record<string, Schema>> ? { [Name in keyof Errors]: TypeOf<Errors[Name]> } : never;

/**
 * Defines an interface: the contract between a service and its callers. With a `key` the service is keyed: it
 * has one entity with a state of its own for every key. Without one it is stateless.
 *
 * @example
 * ```ts
 * import { command, defineInterface, query } from "synod";
 * import { z } from "zod";
 *
 * const Amount = z.object({ amount: z.number().int().positive() });
 * const Balance = z.object({ balance: z.number() });
 *
 * export const Account = defineInterface("account", {
 *   key: z.string().min(1).max(128),
 *   operations: {
 *     deposit: command({ input: Amount, output: Balance }),
 *     balance: query({ output: Balance }),
 *   },
 * });
 * console.assert(Account.operations.deposit.kind === "command");
 * ```
 */
export function defineInterface<
  const Name extends string,
  // Not generic in the operations' own types: such a constraint would let `any` flow back into them.
  Operations extends Readonly<Record<string, AnyOperation>>,
  KeySchema extends StandardSchemaV1<string, string> | undefined = undefined,
>(
  name: Name,
  definition: { readonly key?: KeySchema; readonly operations: Operations },
): Interface<Name, KeyType<KeySchema>, Operations> {
  checkOwnName(name, "an interface");
  const subject = `interface ${name}`;
  checkMembers(definition, ["key", "operations"], subject);
  const { key, operations } = definition;
  if (key !== undefined && !isSchema(key)) throw definitionError(`the key of ${subject} is not a Standard Schema`);
  checkOperations(operations, key !== undefined, subject);
  return Object.freeze({
    [interfaceMark]: true,
    name,
    key,
    // Without a prototype, so that a name from outside such as `constructor` finds nothing in it.
    operations: Object.freeze(Object.assign(Object.create(null), operations) as Operations),
  });
}

type KeyType<S extends Schema | undefined> = S extends Schema ? TypeOf<S> : undefined;

/** Whether a value was made by {@link defineInterface}. */
export function isInterface(value: unknown): value is AnyInterface {
  return typeof value === "object" && value !== null && Object.hasOwn(value, interfaceMark);
}

const operationMembers: readonly string[] = ["input", "output", "errors", "description", "priority"];

function operation<Kind extends OperationKind>(
  kind: Kind,
  options: OperationOptions<Schema | undefined, Schema | undefined, Readonly<Record<string, Schema>>>,
  durable: boolean,
): Operation<Kind, never, never, never> {
  const { input, output, errors = {}, description, priority = "normal" } = options;
  if (!priorities.includes(priority)) {
    throw definitionError(`the priority of a ${kind} is ${priorities.join(", ")}, not ${quoted(String(priority))}`);
  }
  return Object.freeze({
    [operationMark]: true,
    kind,
    durable,
    input,
    output,
    errors: Object.freeze(Object.assign(Object.create(null), errors) as Record<string, Schema>),
    description,
    priority,
  });
}

function checkOperations(operations: Readonly<Record<string, AnyOperation>>, keyed: boolean, subject: string): void {
  const entries = Object.entries(operations ?? {});
  if (entries.length === 0) throw definitionError(`${subject} has no operations`);
  for (const [name, made] of entries) {
    checkOwnName(name, `an operation of ${subject}`);
    if (name === "then") {
      throw definitionError(`${subject} has an operation "then": whoever awaits its caller would call it`);
    }
    const own = `operation ${quoted(name)} of ${subject}`;
    if (typeof made !== "object" || made === null || !Object.hasOwn(made, operationMark)) {
      throw definitionError(`${own} was not made by query() or command()`);
    }
    if (made.durable && !keyed) {
      throw definitionError(`${own} is durable, and only an interface with a key can have durable commands`);
    }
    for (const part of ["input", "output"] as const) {
      if (made[part] !== undefined && !isSchema(made[part])) {
        throw definitionError(`the ${part} of ${own} is not a Standard Schema`);
      }
    }
    checkErrors(made, own);
  }
}

function checkErrors(made: AnyOperation, own: string): void {
  for (const [name, schema] of Object.entries(made.errors)) {
    checkOwnName(name, `an error of ${own}`);
    if (isStatusCode(name)) {
      throw definitionError(`${own} declares an error ${quoted(name)}, which is one of Synod's own codes`);
    }
    if (!isSchema(schema)) throw definitionError(`the error ${quoted(name)} of ${own} has no Standard Schema`);
  }
}
