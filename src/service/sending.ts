/**
 * Messages and timers: what a command leaves behind for later. They are part of its commit, so they leave if its
 * state change does, and else never. Types only; the runtime makes the values.
 */
import type { Duration } from "../values/durations.ts";
import type { InputArguments } from "./call.ts";
import type { KeyOf, Operation, Taken } from "./interface.ts";
import type { AnyInterface, OperationKind } from "./model.ts";

/**
 * Options of one message.
 *
 * @example
 * ```ts
 * import type { SendOptions } from "synod";
 *
 * const reminder: SendOptions = { after: "7d" };
 * console.assert(reminder.after === "7d");
 * ```
 */
export interface SendOptions {
  /** When it leaves, counted from `ctx.now`: ms, or a text such as `"5m"`. Left out: as soon as the command is durable. */
  readonly after?: Duration;
}

/**
 * When a timer fires: `after` a time from `ctx.now`, or `at` an instant in ms since 1970.
 *
 * @example
 * ```ts
 * import type { TimerTime } from "synod";
 *
 * const times: TimerTime[] = [{ after: "15m" }, { at: Date.UTC(2030, 0, 1) }];
 * console.assert(times.length === 2);
 * ```
 */
export type TimerTime = { readonly after: Duration } | { readonly at: number };

/**
 * Commands, ready to be sent, by the type of their input: nobody waits for them, so they return nothing.
 *
 * @example
 * ```ts
 * import type { Messages } from "synod";
 *
 * function restock(shelf: Messages<{ refill: { boxes: number }; close: void }>) {
 *   shelf.refill({ boxes: 2 });
 *   shelf.close();
 * }
 * console.assert(typeof restock === "function");
 * ```
 */
export type Messages<Inputs> = {
  readonly [Name in keyof Inputs]: (...input: InputArguments<Inputs[Name]>) => void;
};

/** The commands of an interface's operations, each with what it takes. */
// The condition always holds; it makes hovers show the members and not the name of this type.
export type CommandInputs<Operations> =
  Operations extends Readonly<Record<string, unknown>>
    ? {
        [Name in keyof Operations as Operations[Name] extends { readonly kind: "command" }
          ? Name
          : never]: Operations[Name] extends Operation<OperationKind, infer Input, unknown, unknown>
          ? Taken<Input>
          : never;
      }
    : never;

/**
 * A named timer of an entity: at most one is set under each name.
 *
 * @example
 * ```ts
 * import type { NamedTimer } from "synod";
 *
 * function hold(timer: NamedTimer<{ release: { seat: number } }>) {
 *   timer.set({ after: "15m" }).release({ seat: 7 });
 * }
 * console.assert(typeof hold === "function");
 * ```
 */
export interface NamedTimer<Own> {
  /** Sets the timer to run a command of this entity, in place of what was set under this name before. */
  set(time: TimerTime): Messages<Own>;
  /** Takes it back. If this commits before the timer's own command, that never runs. */
  cancel(): void;
}

/** The argument of `timer`; or, if the service does not send to itself, a type that says so. */
type TimerName<Own> = unknown extends Own ? "this service's own interface is missing from its sends" : string;

/** An interface as the argument of `send`; or, if `sends` does not name it, a type that says so. */
type Receiving<I extends AnyInterface, Sends> = I["name"] extends Sends
  ? I
  : `${I["name"]} is missing from the sends of this service`;

type SendAddress<I> = [KeyOf<I>] extends [undefined]
  ? [options?: SendOptions]
  : [key: Taken<KeyOf<I>>, options?: SendOptions];

/**
 * What the context of a command has besides, where the service has `sends`. `Sends` are the names of these interfaces
 * (`"account" | "transfer"`), `Own` the service's own commands with their inputs (`{ release: { seat: number } }`).
 *
 * @example
 * ```ts
 * import { type CommandContext, type Sending, command, defineInterface } from "synod";
 * import { z } from "zod";
 *
 * const Seat = defineInterface("seat", {
 *   key: z.string(),
 *   operations: { reserve: command({ input: z.string() }), release: command() },
 * });
 *
 * type Reserving = CommandContext<string, { by: string | null }, {}, never> & Sending<"seat", { release: void }>;
 * function reserve(ctx: Reserving, person: string): void {
 *   ctx.state.by = person;
 *   ctx.timer("hold").set({ after: "15m" }).release();
 *   ctx.send(Seat, "next").reserve(person);
 * }
 * console.assert(typeof reserve === "function");
 * ```
 */
export interface Sending<Sends, Own> {
  /**
   * Another service, or this one (keyed: with a key), to which commands are sent without waiting for them. A
   * message leaves once this command is durable, and takes effect once; those from one entity to another keep
   * their order. Throws `resource_exhausted` when too much waits to be delivered already.
   */
  send<I extends AnyInterface>(
    target: Receiving<I, Sends>,
    ...address: SendAddress<I>
  ): Messages<CommandInputs<I["operations"]>>;
  /** The timer of this entity that has that name; for a service that names its own interface in `sends`. */
  timer(name: TimerName<Own>): NamedTimer<Own>;
}
