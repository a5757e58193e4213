/** `connect`, and what it returns. */
import { SynodError } from "../errors.ts";
import type { Address, CallOptions, Operations } from "../service/call.ts";
import type { AnyInterface } from "../service/model.ts";
import { type Duration, parseDuration } from "../values/durations.ts";
import { Caller } from "./caller.ts";
import { type Platform, platform } from "./platform.ts";
import type { FetchFunction, Target } from "./request.ts";
import { RetryBudget } from "./retry-budget.ts";
import type { OutcomeOptions, Outcomes, Sends } from "./sent.ts";

/** Timeout of a call that names none, ms. */
const timeoutDefaultMs = 10_000;

/**
 * How a client behaves; everything has a default.
 *
 * @example
 * ```ts
 * import type { ClientOptions } from "synod/client";
 *
 * let token = "first";
 * const options: ClientOptions = { timeout: "5s", headers: () => ({ authorization: `Bearer ${token}` }) };
 * token = "second";
 * console.assert(typeof options.headers === "function" && options.headers().authorization === "Bearer second");
 * ```
 */
export interface ClientOptions {
  /** How long a call may take with all its repeats, unless it says otherwise. Default: 10 s. */
  readonly timeout?: Duration;
  /** Headers of every request, for authentication for instance; a function is asked before each attempt. */
  readonly headers?: Readonly<Record<string, string>> | (() => Readonly<Record<string, string>>);
  /** Instead of the global `fetch`. */
  readonly fetch?: FetchFunction;
}

/**
 * A connection to a system. It holds nothing open by itself. Made by {@link connect}.
 *
 * @example
 * ```ts
 * import { defineInterface, query } from "synod";
 * import type { Client } from "synod/client";
 * import { z } from "zod";
 *
 * const Rates = defineInterface("rates", { operations: { euro: query({ output: z.number() }) } });
 * async function inEuro(client: Client, amount: number) {
 *   return amount * (await client.to(Rates).euro());
 * }
 * console.assert(typeof inEuro === "function");
 * ```
 */
export interface Client {
  /**
   * The operations of an interface: of one entity for a keyed one.
   *
   * Each returns the output or throws a {@link SynodError}; `.safe(input)` returns a union instead, in which
   * declared errors are typed.
   */
  to<I extends AnyInterface>(callee: I, ...address: Address<I>): Operations<I>;
  /**
   * The durable commands of a keyed interface, without waiting for their end: each resolves when it is accepted, and
   * from then on it will be done. Repeated, as calls are, under one idempotency key.
   */
  send<I extends AnyInterface>(callee: I, ...address: Address<I>): Sends<I>;
  /** What became of durable commands, by the ids that `send` gave, in this program or another one. Starts nothing. */
  outcome<I extends AnyInterface>(callee: I, options?: OutcomeOptions): Outcomes<I>;
}

/**
 * Connects to a running system.
 *
 * @example
 * ```ts
 * import { command, defineInterface } from "synod";
 * import { connect } from "synod/client";
 * import { z } from "zod";
 *
 * const Account = defineInterface("account", {
 *   key: z.string(),
 *   operations: {
 *     deposit: command({ input: z.object({ amount: z.number() }), output: z.object({ balance: z.number() }) }),
 *   },
 * });
 * const bank = connect("http://127.0.0.1:8080");
 * const deposit = () => bank.to(Account, "alice").deposit({ amount: 5 });
 * console.assert(typeof deposit === "function");
 * ```
 */
export function connect(url: string, options: ClientOptions = {}): Client {
  return clientOn(platform, url, options);
}

/** A client on the platform that it is given. */
export function clientOn(platform: Platform, url: string, options: ClientOptions = {}): Client {
  const { headers = {}, timeout = timeoutDefaultMs } = options;
  const caller = new Caller({
    base: baseOf(url),
    // Looked up at each call, so that it can be replaced; and called as a plain function, as browsers want it.
    fetch: options.fetch ?? ((input, init) => fetch(input, init)),
    headers: typeof headers === "function" ? headers : () => headers,
    timeoutMs: parseDuration(timeout, "the client's timeout"),
    budget: new RetryBudget(platform),
    platform,
  });
  return {
    to: (callee, ...address) => operationsOf(caller, callee, address),
    send: (callee, ...address) => sendsOf(caller, callee, address),
    outcome: (callee, options) => outcomesOf(caller, callee, options ?? {}),
  };
}

/** The part of the address that stands before `/{service}`. */
function baseOf(url: string): string {
  const parsed = URL.canParse(url) ? new URL(url) : undefined;
  if (parsed === undefined || !/^https?:$/.test(parsed.protocol)) {
    const message = `${JSON.stringify(url)} is not the address of a system, such as http://127.0.0.1:8080`;
    throw new SynodError("invalid_argument", message);
  }
  if (parsed.username !== "" || parsed.password !== "") {
    throw new SynodError("invalid_argument", `the address of ${parsed.host} has credentials: put them into headers`);
  }
  if (parsed.search !== "" || parsed.hash !== "") {
    throw new SynodError("invalid_argument", `${url} has a query or a fragment, which an address of a system has not`);
  }
  return (parsed.origin + parsed.pathname).replace(/\/+$/, "");
}

function operationsOf<I extends AnyInterface>(caller: Caller, callee: I, address: readonly unknown[]): Operations<I> {
  const keyed = callee.key !== undefined;
  const key = keyed ? keyOf(callee, address[0]) : undefined;
  const options = ((keyed ? address[1] : address[0]) ?? {}) as CallOptions;
  const operations: Record<string, unknown> = {};
  for (const [name, operation] of Object.entries(callee.operations)) {
    const target = { service: callee.name, key, name, operation };
    operations[name] = withSafe((input?: unknown) => caller.call(target, input, options));
  }
  return operations as Operations<I>;
}

function sendsOf<I extends AnyInterface>(caller: Caller, callee: I, address: readonly unknown[]): Sends<I> {
  const key = keyOf(callee, address[0]);
  const options = (address[1] ?? {}) as CallOptions;
  const sends: Record<string, unknown> = {};
  for (const target of durableTargets(callee, key)) {
    sends[target.name] = async (input?: unknown): Promise<unknown> => {
      const id = await caller.send(target, input, options);
      return { id, outcome: withSafe((waiting: OutcomeOptions = {}) => caller.outcome(target, id, waiting)) };
    };
  }
  return sends as Sends<I>;
}

function outcomesOf<I extends AnyInterface>(caller: Caller, callee: I, options: OutcomeOptions): Outcomes<I> {
  const outcomes: Record<string, unknown> = {};
  for (const target of durableTargets(callee, undefined)) {
    outcomes[target.name] = withSafe((id: string) => caller.outcome(target, id, options));
  }
  return outcomes as Outcomes<I>;
}

function durableTargets({ name: service, operations }: AnyInterface, key: string | undefined): readonly Target[] {
  const durable = Object.entries(operations).filter(([, operation]) => operation.durable);
  return durable.map(([name, operation]) => ({ service, key, name, operation }));
}

/** A call that throws, and beside it one that returns what it would have thrown. */
function withSafe<Argument>(call: (argument: Argument) => Promise<unknown>): unknown {
  const safe = (argument: Argument): Promise<unknown> =>
    call(argument).then(
      (value) => ({ ok: true, value }),
      (error: unknown) => ({ ok: false, error }),
    );
  return Object.assign(call, { safe });
}

function keyOf({ name }: AnyInterface, key: unknown): string {
  const refuse = (why: string) => new SynodError("invalid_argument", why);
  if (typeof key !== "string") throw refuse(`service ${name} is keyed: give its key, a string`);
  if (!key.isWellFormed()) throw refuse(`the key of ${name} contains a lone surrogate (half of a character)`);
  // URLs have no way to say these: to them `%2e` is a dot as well.
  if (key === "." || key === "..") throw refuse(`the key ${key} of ${name} cannot be part of a URL`);
  return key;
}
