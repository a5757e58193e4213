/** Services: an interface with the business logic behind it. */
import type {
  CommandContext,
  DurableContext,
  QueryContext,
  StatelessCommandContext,
  StatelessQueryContext,
} from "./context.ts";
import { checkMembers, definitionError, quoted } from "./definition.ts";
import type { Frozen } from "./frozen.ts";
import { type Interface, isInterface, type Operation, type Returned, type Taken } from "./interface.ts";
import type { AnyHandler, AnyInterface, AnyOperation, AnyService, OperationKind } from "./model.ts";
import type { CommandInputs, Sending } from "./sending.ts";
import { type StateDefinition, type StateIsJson, stateOf } from "./state.ts";

const serviceMark: unique symbol = Symbol.for("synod.service");

/**
 * A service: what {@link implement} returns and a system is made of.
 *
 * @example
 * ```ts
 * import { type Service, defineInterface, implement, query } from "synod";
 * import { z } from "zod";
 *
 * const Dice = defineInterface("dice", { operations: { roll: query({ output: z.number() }) } });
 * const dice: Service<typeof Dice> = implement(Dice, {
 *   operations: { roll: (ctx) => 1 + Math.floor(ctx.random() * 6) },
 * });
 * console.assert(dice.interface === Dice);
 * ```
 */
export interface Service<I extends AnyInterface> extends AnyService {
  readonly interface: I;
}

/** `Calls` has the names of the interfaces that may be called: enough to tell them apart, and short in hovers. */
interface Definition<Name, Key, Operations, State, Calls extends string, Sends extends string> {
  /** The interfaces whose operations the handlers may call. No two services may wait for each other. */
  readonly calls?: readonly (AnyInterface & { readonly name: Calls })[];
  /**
   * The interfaces to which the commands may send; this service's own too, if it sets timers. Nobody waits for a
   * message, so this may go round in circles.
   */
  readonly sends?: readonly (AnyInterface & { readonly name: Sends })[];
  /** The state of one entity. Keyed services have one, stateless ones do not. */
  readonly state?: StateDefinition<Returned<Key>, State>;
  /** One handler for each operation of the interface. */
  readonly operations: Handlers<Name, Key, Operations, State, Calls, Sends>;
}

// The function type stands outside every condition: inside of one, the state's type would not be inferred yet
// when a handler's context needs it.
type Handlers<Name, Key, Operations, State, Calls, Sends> = {
  readonly [Operation in keyof Operations]: (
    ctx: ContextOf<Operations[Operation], Key, State, Calls> &
      SendingOf<Operations[Operation], Sends, Name extends Sends ? CommandInputs<Operations> : unknown>,
    input: InputOf<Operations[Operation]>,
  ) => ReplyOf<Operations[Operation]> | Promise<ReplyOf<Operations[Operation]>>;
};

/** Nothing for a query, nor where nothing is sent: hovers stay short. */
type SendingOf<O, Sends, Own> = [Sends] extends [never]
  ? unknown
  : O extends { readonly kind: "command" }
    ? Sending<Sends, Own>
    : unknown;

type ContextOf<O, Key, State, Calls> =
  O extends Operation<infer Kind, unknown, unknown, infer Errors>
    ? [Key] extends [undefined]
      ? StatelessContext<Kind, Errors, Calls>
      : O extends { readonly durable: true }
        ? DurableContext<Key, State, Errors, Calls>
        : KeyedContext<Kind, Key, State, Errors, Calls>
    : never;

type StatelessContext<Kind, Errors, Calls> = Kind extends "command"
  ? StatelessCommandContext<Errors, Calls>
  : StatelessQueryContext<Errors, Calls>;

type KeyedContext<Kind, Key, State, Errors, Calls> = Kind extends "command"
  ? CommandContext<Key, State, Errors, Calls>
  : QueryContext<Key, State, Errors, Calls>;

type InputOf<O> = O extends Operation<OperationKind, infer Input, unknown, unknown> ? Returned<Input> : never;
type ReplyOf<O> = O extends Operation<OperationKind, unknown, infer Output, unknown> ? Frozen<Taken<Output>> : never;

/** A keyed service must have a state, and a stateless one has nowhere to keep it, nor its messages. */
type StateIfKeyed<Key> = [Key] extends [undefined]
  ? { readonly state?: "a stateless service has no state"; readonly sends?: "a stateless service has no outbox" }
  : { readonly state: object };

/**
 * Implements an interface with business logic: plain functions from a context and an input to a reply.
 *
 * A handler works on a draft. What it changed is committed, together with its reply, when it returns; if it
 * throws, nothing has changed. It may run more than once, so it keeps to its context for everything that
 * varies: `ctx.now`, `ctx.random()`, `ctx.uuid()`.
 *
 * @example
 * ```ts
 * import { command, defineInterface, implement, query } from "synod";
 * import { z } from "zod";
 *
 * const Amount = z.object({ amount: z.number().int().positive() });
 * const Balance = z.object({ balance: z.number() });
 * const Account = defineInterface("account", {
 *   key: z.string(),
 *   operations: {
 *     deposit: command({ input: Amount, output: Balance }),
 *     withdraw: command({ input: Amount, output: Balance, errors: { insufficientFunds: Balance } }),
 *     balance: query({ output: Balance }),
 *   },
 * });
 *
 * export const account = implement(Account, {
 *   state: { version: 1, initial: () => ({ balance: 0 }) },
 *   operations: {
 *     deposit: (ctx, { amount }) => {
 *       ctx.state.balance += amount;
 *       return ctx.state;
 *     },
 *     withdraw: (ctx, { amount }) => {
 *       if (ctx.state.balance < amount) throw ctx.fail("insufficientFunds", ctx.state);
 *       ctx.state.balance -= amount;
 *       return ctx.state;
 *     },
 *     balance: (ctx) => ctx.state,
 *   },
 * });
 * console.assert(account.interface === Account);
 * ```
 */
export function implement<
  Name extends string,
  Key,
  Operations extends Readonly<Record<string, AnyOperation>>,
  State,
  Calls extends string = never,
  Sends extends string = never,
>(
  implemented: Interface<Name, Key, Operations>,
  definition: Definition<Name, Key, Operations, State, Calls, Sends> & StateIfKeyed<Key> & StateIsJson<State>,
): Service<Interface<Name, Key, Operations>> {
  if (!isInterface(implemented)) {
    throw definitionError("implement() needs an interface made by defineInterface() first (is there an import cycle?)");
  }
  const subject = `service ${implemented.name}`;
  checkMembers(definition, ["calls", "sends", "state", "operations"], subject);
  const { calls = [], sends = [], state, operations } = definition;
  checkListed("calls", calls, subject);
  checkListed("sends", sends as readonly AnyInterface[], subject);
  if (implemented.key !== undefined && state === undefined) {
    throw definitionError(`${subject} is keyed and needs a state: { version: 1, initial: () => ({ … }) }`);
  }
  if (implemented.key === undefined && state !== undefined) {
    throw definitionError(`${subject} is stateless and cannot have a state; give its interface a key, or leave it out`);
  }
  if (implemented.key === undefined && sends.length > 0) {
    throw definitionError(`${subject} is stateless and cannot send: it has no outbox; give its interface a key`);
  }
  return Object.freeze({
    [serviceMark]: true,
    interface: implemented,
    calls: Object.freeze([...calls]),
    sends: Object.freeze([...(sends as readonly AnyInterface[])]),
    // Here the users' types end: the runtime calls handlers with what their types promise.
    state: state === undefined ? undefined : stateOf(state as Parameters<typeof stateOf>[0], subject),
    operations: handlersOf(implemented, operations as Readonly<Record<string, AnyHandler>>, subject),
  });
}

/** Whether a value was made by {@link implement}. */
export function isService(value: unknown): value is AnyService {
  return typeof value === "object" && value !== null && Object.hasOwn(value, serviceMark);
}

function checkListed(member: "calls" | "sends", listed: readonly AnyInterface[], subject: string): void {
  const names = new Set<string>();
  for (const [index, other] of listed.entries()) {
    if (!isInterface(other)) {
      throw definitionError(
        `${member}[${index}] of ${subject} was not made by defineInterface() (is there an import cycle?)`,
      );
    }
    if (names.has(other.name)) throw definitionError(`${subject} lists ${other.name} twice in its ${member}`);
    names.add(other.name);
  }
}

function handlersOf(
  implemented: AnyInterface,
  operations: Readonly<Record<string, AnyHandler>>,
  subject: string,
): Readonly<Record<string, AnyHandler>> {
  const handlers: Record<string, AnyHandler> = Object.create(null);
  for (const name of Object.keys(implemented.operations)) {
    const handler = Object.hasOwn(operations ?? {}, name) ? operations[name] : undefined;
    if (typeof handler !== "function") throw definitionError(`${subject} has no handler for ${quoted(name)}`);
    handlers[name] = handler;
  }
  for (const name of Object.keys(operations)) {
    if (name in handlers) continue;
    throw definitionError(
      `${subject} has a handler ${quoted(name)}, and its interface has no such operation, only ${Object.keys(handlers).join(", ")}`,
    );
  }
  return Object.freeze(handlers);
}
