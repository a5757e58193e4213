/** `connect`, and what it returns. */
import { SynodError } from "../errors.ts";
import type { Address, CallOptions, Operations } from "../service/call.ts";
import type { AnyInterface } from "../service/model.ts";
import { type Duration, parseDuration } from "../values/durations.ts";
import { Caller } from "./caller.ts";
import type { FetchFunction } from "./request.ts";
import { RetryBudget } from "./retry-budget.ts";

/** Timeout of a call that names none, ms. */
const timeoutDefaultMs = 10_000;

/** How a client behaves; everything has a default. */
export interface ClientOptions {
  /** How long a call may take with all its repeats, unless it says otherwise. Default: 10 s. */
  readonly timeout?: Duration;
  /** Headers of every request, for authentication for instance; a function is asked before each attempt. */
  readonly headers?: Readonly<Record<string, string>> | (() => Readonly<Record<string, string>>);
  /** Instead of the global `fetch`. */
  readonly fetch?: FetchFunction;
}

/** A connection to a system. It holds nothing open by itself. */
export interface Client {
  /**
   * The operations of an interface: of one entity for a keyed one.
   *
   * Each returns the output or throws a {@link SynodError}; `.safe(input)` returns a union instead, in which
   * declared errors are typed.
   */
  to<I extends AnyInterface>(callee: I, ...address: Address<I>): Operations<I>;
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
  const base = baseOf(url);
  const { headers = {}, timeout = timeoutDefaultMs } = options;
  const caller = new Caller({
    base,
    fetch: options.fetch ?? ((input, init) => fetch(input, init)),
    headers: typeof headers === "function" ? headers : () => headers,
    timeoutMs: parseDuration(timeout, "the client's timeout"),
    budget: new RetryBudget(),
  });
  return { to: (callee, ...address) => operationsOf(caller, callee, address) };
}

function baseOf(url: string): string {
  const parsed = URL.canParse(url) ? new URL(url) : undefined;
  if (parsed === undefined || !/^https?:$/.test(parsed.protocol)) {
    throw new SynodError("invalid_argument", `${url} is not the address of a system, such as http://127.0.0.1:8080`);
  }
  return parsed.href.replace(/\/$/, "");
}

function operationsOf<I extends AnyInterface>(caller: Caller, callee: I, address: readonly unknown[]): Operations<I> {
  const keyed = callee.key !== undefined;
  const key = keyed ? keyOf(callee, address[0]) : undefined;
  const options = ((keyed ? address[1] : address[0]) ?? {}) as CallOptions;
  const operations: Record<string, unknown> = {};
  for (const [name, operation] of Object.entries(callee.operations)) {
    const target = { service: callee.name, key, name, kind: operation.kind };
    const call = (input?: unknown): Promise<unknown> => caller.call(target, input, options);
    const safe = (input?: unknown): Promise<unknown> =>
      call(input).then(
        (value) => ({ ok: true, value }),
        (error: unknown) => ({ ok: false, error }),
      );
    operations[name] = Object.assign(call, { safe });
  }
  return operations as Operations<I>;
}

function keyOf({ name }: AnyInterface, key: unknown): string {
  if (typeof key !== "string") {
    throw new SynodError("invalid_argument", `service ${name} is keyed: give its key, a string`);
  }
  // URLs know no way to say these: `%2e` is a dot to them.
  if (key === "." || key === "..") {
    throw new SynodError("invalid_argument", `the key ${key} of ${name} cannot be part of a URL`);
  }
  return key;
}
