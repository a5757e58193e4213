/**
 * A whole system inside this process: for tests of one's own services, and for embedding. No supervisor and no
 * other process; everything else is as it is in production.
 */
import { createLog } from "../adapters/log/pino.ts";
import type { Gateway } from "../ports/gateway.ts";
import type { Log } from "../ports/log.ts";
import type { NodeLimits } from "../runtime/limits.ts";
import type { Address, Operations } from "../service/call.ts";
import type { AnyInterface, AnySystem } from "../service/model.ts";
import { callThrough } from "./caller.ts";
import { hostNode } from "./hosted-node.ts";
import { parseStoreUrl } from "./store-location.ts";

/**
 * How a system runs inside this process.
 *
 * @example
 * ```ts
 * import type { StartOptions } from "synod";
 *
 * const durable: StartOptions = { store: "sqlite:.synod/test.db", adapters: true };
 * console.assert(durable.adapters);
 * ```
 */
export interface StartOptions {
  /** Store URL: `memory:` (the default), which ends with the process, `sqlite:PATH` or `postgres://…`. */
  readonly store?: string;
  /** Whether the system's adapters listen, each at its own address. Default false: only `to` calls. */
  readonly adapters?: boolean;
  /** Who calls through `to`: `ctx.request.principal`. Default `local`. */
  readonly principal?: string;
  /** Default: warnings and errors, on standard error. */
  readonly log?: Log;
  readonly limits?: Partial<NodeLimits>;
}

/**
 * A running system. Made by {@link startSystem}.
 *
 * @example
 * ```ts
 * import type { RunningSystem } from "synod";
 *
 * const serves = (system: RunningSystem) => system.gateway.state === "ready";
 * console.assert(typeof serves === "function");
 * ```
 */
export interface RunningSystem extends AsyncDisposable {
  /** A service of the system, ready to be called: `await system.to(Account, "alice").deposit({ amount: 5 })`. */
  to<I extends AnyInterface>(target: I, ...address: Address<I>): Operations<I>;
  /** What inbound adapters call: for values that are JSON text already. */
  readonly gateway: Gateway;
  /** Where the adapters answer, in the order of the system's adapters; none unless they were asked for. */
  readonly urls: readonly string[];
  /** Takes no new calls, finishes what it accepted (for `drainMs` at the most, 10 s by default), and leaves. */
  stop(drainMs?: number): Promise<void>;
}

const drainDefaultMs = 10_000;

/**
 * Starts a system inside this process; resolves when it serves.
 *
 * @example
 * ```ts
 * import { command, defineInterface, defineSystem, implement, startSystem } from "synod";
 * import { z } from "zod";
 *
 * const Counter = defineInterface("counter", {
 *   key: z.string(),
 *   operations: { add: command({ input: z.number(), output: z.number() }) },
 * });
 * const counter = implement(Counter, {
 *   state: { version: 1, initial: () => ({ count: 0 }) },
 *   operations: { add: (ctx, step) => (ctx.state.count += step) },
 * });
 *
 * await using system = await startSystem(defineSystem({ name: "counters", services: [counter] }));
 * console.assert((await system.to(Counter, "clicks").add(2)) === 2);
 * ```
 */
export async function startSystem(system: AnySystem, options: StartOptions = {}): Promise<RunningSystem> {
  const { store = "memory:", adapters = false, principal = "local", limits } = options;
  const hosted = await hostNode({
    node: "node-1",
    system,
    store: parseStoreUrl(store, system.name),
    log: options.log ?? createLog({ format: "text", level: "warn", name: system.name }),
    adapters: adapters ? system.adapters : [],
    ...(limits && { limits }),
  });
  const { gateway } = hosted.node;
  const stop = (drainMs: number = drainDefaultMs): Promise<void> => hosted.stop(drainMs);
  return {
    to: (target, ...address) => callThrough(gateway, principal, target, address),
    gateway,
    urls: hosted.urls,
    stop,
    [Symbol.asyncDispose]: () => stop(),
  };
}
