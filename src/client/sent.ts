/** Durable commands, sent without waiting for their end: what `send` and `outcome` return. Types only. */
import type { CallOptions, InputArguments, Result } from "../service/call.ts";
import type { DurableCommand, Returned, Taken } from "../service/interface.ts";
import type { AnyInterface, AnyOperation } from "../service/model.ts";

/**
 * How long to wait for an outcome.
 *
 * @example
 * ```ts
 * import type { OutcomeOptions } from "synod/client";
 *
 * const patient: OutcomeOptions = { timeout: "5m" };
 * console.assert(patient.timeout === "5m");
 * ```
 */
export type OutcomeOptions = Pick<CallOptions, "timeout">;

/**
 * A durable command that was accepted: it will be done, whoever waits for it. Its id is text that can be kept
 * anywhere, and by which its outcome is asked for later, also by another program (`client.outcome`).
 *
 * @example
 * ```ts
 * import type { Accepted } from "synod/client";
 *
 * async function follow(transfer: Accepted<{ status: string }, {}>) {
 *   console.log("accepted as", transfer.id);
 *   return (await transfer.outcome({ timeout: "1m" })).status;
 * }
 * console.assert(typeof follow === "function");
 * ```
 */
export interface Accepted<Output, Errors> {
  readonly id: string;
  readonly outcome: OutcomeCall<Output, Errors>;
}

/**
 * Waits for the end of a durable command: returns its output or throws a `SynodError`; `safe` returns a union.
 * When the time is over first, that is `deadline_exceeded`, and the command goes on. Of an error that the operation
 * does not declare `outcome` is always "unknown": that nobody could be asked does not undo what was accepted.
 *
 * @example
 * ```ts
 * import type { OutcomeCall } from "synod/client";
 *
 * const status = async (outcome: OutcomeCall<{ status: string }, {}>) => (await outcome()).status;
 * console.assert(typeof status === "function");
 * ```
 */
export interface OutcomeCall<Output, Errors> {
  (options?: OutcomeOptions): Promise<Output>;
  safe(options?: OutcomeOptions): Promise<Result<Output, Errors>>;
}

/**
 * The durable commands of an interface, ready to be sent. Each resolves when it is accepted, durably.
 *
 * @example
 * ```ts
 * import { command, defineInterface } from "synod";
 * import type { Sends } from "synod/client";
 * import { z } from "zod";
 *
 * const Order = defineInterface("order", { key: z.string(), operations: { ship: command({ durable: true }) } });
 * const ship = async (order: Sends<typeof Order>) => (await order.ship()).id;
 * console.assert(typeof ship === "function" && Order.name === "order");
 * ```
 */
export type Sends<I extends AnyInterface> = {
  readonly [Name in DurableNames<I>]: SendOf<I["operations"][Name]>;
};

/**
 * The durable commands of an interface, whose outcomes are asked for by the ids that `send` gave.
 *
 * @example
 * ```ts
 * import { command, defineInterface } from "synod";
 * import type { Outcomes } from "synod/client";
 * import { z } from "zod";
 *
 * const Order = defineInterface("order", { key: z.string(), operations: { ship: command({ durable: true }) } });
 * const shipped = (orders: Outcomes<typeof Order>, id: string) => orders.ship(id);
 * console.assert(typeof shipped === "function" && Order.name === "order");
 * ```
 */
export type Outcomes<I extends AnyInterface> = {
  readonly [Name in DurableNames<I>]: OutcomeOf<I["operations"][Name]>;
};

type DurableNames<I extends AnyInterface> = {
  [Name in keyof I["operations"]]: I["operations"][Name] extends { readonly durable: true } ? Name : never;
}[keyof I["operations"]];

type SendOf<O extends AnyOperation> =
  O extends DurableCommand<infer Input, infer Output, infer Errors>
    ? (
        ...input: InputArguments<Taken<Input>>
      ) => Promise<Accepted<Returned<Output>, { [Name in keyof Errors]: Returned<Errors[Name]> }>>
    : never;

type OutcomeOf<O extends AnyOperation> =
  O extends DurableCommand<unknown, infer Output, infer Errors>
    ? {
        (id: string): Promise<Returned<Output>>;
        safe(id: string): Promise<Result<Returned<Output>, { [Name in keyof Errors]: Returned<Errors[Name]> }>>;
      }
    : never;
