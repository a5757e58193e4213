/**
 * One simulated node under an open load: calls come when they come, whether or not earlier ones were answered, and
 * what runs takes time. The processor takes so long for a handler, so long to take a call in, and less to turn one
 * away by its head; the store writes so many commands at a time. The times are those of a slow machine, so that a
 * minute of overload is a matter of seconds to simulate; what is looked at are ratios.
 */
import { z } from "zod";
import { clientOn } from "../../src/client/client.ts";
import type { Platform } from "../../src/client/platform.ts";
import type { LoadLimits } from "../../src/core/load/limits.ts";
import { command, defineInterface, defineSystem, implement, query } from "../../src/index.ts";
import type { GatewayCall, GatewayReply } from "../../src/ports/gateway.ts";
import { withoutLoadControl } from "../../src/runtime/limits.ts";
import type { NodeStatus } from "../../src/runtime/node.ts";
import { Cluster } from "../../src/simulation/cluster.ts";
import { nodePlace } from "../../src/simulation/user-code/places.ts";
import { fairWeather } from "../../src/simulation/weather.ts";
import type { Process } from "../../src/simulation/world/process.ts";
import type { StoreKind } from "../../src/simulation/world/store.ts";
import type { Prng } from "../../src/values/prng.ts";

/** What the processor takes, ms. */
const handlerMs = 10;
const takeInMs = 0.1;
/** What it takes for a transfer, and for each of the two moves that this calls, ms. */
const transferHandlerMs = 2;
const moveHandlerMs = 2;
const turnAwayMs = 0.03;
/** The store writes so many commands at a time, if nothing else is said, and takes so long, ms. */
const storeBatch = 5;
export const storeWriteMs = 20;
/** Calls per second that the processor, and the store, can do. */
export const capacities = {
  compute: 1_000 / (handlerMs + takeInMs + turnAwayMs),
  write: (storeBatch * 1_000) / storeWriteMs,
  transfer: 1_000 / (transferHandlerMs + 2 * moveHandlerMs + takeInMs + turnAwayMs),
} as const;
/** One way between a client and the node, ms. */
const wayMs = 0.2;
/** How long a caller waits. */
const patienceMs = 1_000;
/** The objective: 99 of 100 admitted calls have their answer by then. */
export const objectiveMs = 500;

const Work = defineInterface("work", {
  operations: {
    compute: query({ output: z.null() }),
    urgent: query({ priority: "critical", output: z.null() }),
    idle: query({ priority: "background", output: z.null() }),
  },
});

const Ledger = defineInterface("ledger", {
  key: z.string(),
  operations: { write: command({ output: z.int() }) },
});

const Account = defineInterface("account", { key: z.string(), operations: { move: command() } });

const Transfer = defineInterface("transfer", {
  key: z.string(),
  operations: { start: command({ durable: true, output: z.null() }) },
});

function systemOn(process: Process) {
  const compute = (): null => {
    process.spend(handlerMs);
    return null;
  };
  const work = implement(Work, { operations: { compute, urgent: compute, idle: compute } });
  const ledger = implement(Ledger, {
    state: { version: 1, initial: () => ({ entries: 0 }) },
    operations: { write: (ctx) => ++ctx.state.entries },
  });
  const account = implement(Account, {
    state: { version: 1, initial: () => ({ moves: 0 }) },
    operations: {
      move: (ctx) => {
        process.spend(moveHandlerMs);
        ctx.state.moves += 1;
      },
    },
  });
  const transfer = implement(Transfer, {
    calls: [Account],
    state: { version: 1, initial: () => ({ done: false }) },
    operations: {
      start: async (ctx) => {
        process.spend(transferHandlerMs);
        await ctx.to(Account, `from-${ctx.key.slice(-2)}`).move();
        await ctx.to(Account, `to-${ctx.key.slice(-2)}`).move();
        ctx.state.done = true;
        return null;
      },
    },
  });
  return defineSystem({ name: "busy", services: [work, ledger, account, transfer] });
}

/** Everything gets in, and nothing is turned away before its deadline. */
export const noLoadControl: Partial<LoadLimits> = withoutLoadControl.load ?? {};

export type Kind = "compute" | "urgent" | "idle" | "write" | "transfer";

export interface LoadWorldOptions {
  readonly seed?: number;
  readonly load?: Partial<LoadLimits>;
  /** Commands that the store writes at a time. */
  readonly storeBatch?: number;
  /** A file has one commit under way and writes one by one; a server, more. A file if nothing else is said. */
  readonly storeKind?: StoreKind;
  /** How many clients repeat what fails, as Synod's client library does; none: nobody repeats anything. */
  readonly clients?: number;
}

type Result = { readonly ok: true } | { readonly ok: false; readonly error: { readonly code: string } };

/** What became of the calls that came in a stretch of time. */
export class Tally {
  offered = 0;
  /** Answered with a value within the caller's patience. */
  good = 0;
  readonly codes = new Map<string, number>();
  readonly responsesMs: number[] = [];
  readonly #seconds: number;

  constructor(seconds: number) {
    this.#seconds = seconds;
  }

  /** Good answers per second. */
  get goodput(): number {
    return this.good / this.#seconds;
  }

  /** Of the calls that had a value for an answer, in time or not. */
  get p99Ms(): number {
    const sorted = this.responsesMs.toSorted((a, b) => a - b);
    return sorted[Math.ceil(sorted.length * 0.99) - 1] ?? Number.NaN;
  }

  ended(tookMs: number, code: string): void {
    this.codes.set(code, (this.codes.get(code) ?? 0) + 1);
    if (code !== "ok") return;
    this.responsesMs.push(tookMs);
    if (tookMs <= patienceMs) this.good += 1;
  }
}

export class LoadWorld {
  readonly cluster: Cluster;
  readonly #prng: Prng;
  readonly #clients: ReturnType<typeof clientOn>[];
  #calls = 0;
  #attempts = 0;

  private constructor({
    seed = 1,
    load = {},
    clients = 0,
    storeBatch: batchCommandsMax = storeBatch,
    storeKind = "file",
  }: LoadWorldOptions) {
    const weather = fairWeather();
    Object.assign(weather.store, { writeMinMs: storeWriteMs, writeMaxMs: storeWriteMs });
    const system = systemOn({ spend: () => {} } as unknown as Process);
    this.cluster = new Cluster({
      ...{ seed, system, nodes: 1, weather, shardsPerService: 4, storeKind, keepTrace: false },
      code: (process, judge) => ({ place: nodePlace(process, judge), system: systemOn(process) }),
      limits: { batchCommandsMax, load },
    });
    this.#prng = this.cluster.world.prng("load");
    this.#clients = Array.from({ length: clients }, () =>
      clientOn(this.#platform(), "http://busy", {
        timeout: patienceMs,
        fetch: (url, init) => this.#fetch(url, init),
      }),
    );
  }

  static async start(options: LoadWorldOptions = {}): Promise<LoadWorld> {
    const world = new LoadWorld(options);
    if (!(await world.cluster.start())) throw new Error("the node did not come to serve");
    await world.cluster.advance(1_000);
    return world;
  }

  get status(): NodeStatus {
    return this.cluster.machines[0]!.running!.status();
  }

  /**
   * So many calls of each kind per second for so long, at random instants; resolves when all have ended. Those of the
   * first `settleMs` are not counted.
   */
  async offer(rates: Partial<Record<Kind, number>>, ms: number, settleMs: number = 0): Promise<Record<Kind, Tally>> {
    const { world } = this.cluster;
    const tally = (): Tally => new Tally((ms - settleMs) / 1_000);
    const tallies = { compute: tally(), urgent: tally(), idle: tally(), write: tally(), transfer: tally() };
    const untilMs = world.now + ms;
    const countedFromMs = world.now + settleMs;
    const uncounted = tally();
    let open = 0;
    const arrive = (kind: Kind, rate: number): void => {
      const waitMs = (-Math.log(1 - this.#prng.number()) / rate) * 1_000;
      if (world.now + waitMs >= untilMs) return;
      world.after(waitMs, () => {
        arrive(kind, rate);
        open += 1;
        void this.#call(kind, world.now < countedFromMs ? uncounted : tallies[kind]).finally(() => {
          open -= 1;
        });
      });
    };
    for (const [kind, rate] of Object.entries(rates)) arrive(kind as Kind, rate);
    await world.run(untilMs);
    await world.run(untilMs + 10 * patienceMs, () => open === 0);
    return tallies;
  }

  /** The store does nothing for so long. */
  stallStore(ms: number): void {
    this.cluster.store.lock(ms);
  }

  /** From now on each write takes the store so long. */
  slowStore(ms: number): void {
    Object.assign(this.cluster.store.weather, { writeMinMs: ms, writeMaxMs: ms });
  }

  async #call(kind: Kind, tally: Tally): Promise<void> {
    const { world } = this.cluster;
    const sentAt = world.now;
    tally.offered += 1;
    const number = ++this.#calls;
    let code: string;
    if (this.#clients.length === 0) {
      const reply = await this.#attempt(callOf(kind, number));
      code = reply.ok ? "ok" : reply.error.code;
    } else {
      code = await this.#callByClient(kind, number);
    }
    tally.ended(world.now - sentAt, code);
  }

  /** All attempts of clients so far. */
  get attempts(): number {
    return this.#attempts;
  }

  async #callByClient(kind: Kind, number: number): Promise<string> {
    const client = this.#clients[number % this.#clients.length]!;
    const result = await this.#askedBy(client, kind, number);
    return result.ok ? "ok" : result.error.code;
  }

  #askedBy(client: ReturnType<typeof clientOn>, kind: Kind, number: number): Promise<Result> {
    if (kind === "write") return client.to(Ledger, keyOf(number)).write.safe();
    if (kind === "transfer") return client.to(Transfer, `transfer-${number}`).start.safe();
    return client.to(Work)[kind].safe();
  }

  /** One request: there, through the door, and back. */
  #attempt(call: GatewayCall): Promise<GatewayReply> {
    const { world, machines } = this.cluster;
    this.#attempts += 1;
    return new Promise((resolve) => {
      world.after(wayMs, () => {
        const { process, running } = machines[0]!;
        if (process === null || running === null) throw new Error("the node is gone");
        process.deliver(() => {
          const answer = (reply: GatewayReply): void => {
            world.after(process.aheadMs + wayMs, () => resolve(reply));
          };
          const { gateway } = running;
          process.spend(turnAwayMs);
          const refused = gateway.busy ? gateway.refusal({ ...call, caller: call.principal }) : undefined;
          if (refused !== undefined) return answer({ ok: false, error: refused, replayed: false });
          process.spend(takeInMs);
          void gateway.call(call).then(answer);
        });
      });
    });
  }

  /** As much of HTTP as the client library looks at. */
  async #fetch(url: string, init: RequestInit): Promise<Response> {
    const headers = new Headers(init.headers);
    const [service = "", ...rest] = new URL(url).pathname.slice(1).split("/");
    const gone = new AbortController();
    init.signal?.addEventListener("abort", () => this.cluster.machines[0]!.process?.deliver(() => gone.abort()));
    const reply = await this.#attempt({
      ...{ service, operation: rest.at(-1)!, principal: "client", signal: gone.signal },
      key: rest.length === 2 ? rest[0] : undefined,
      idempotencyKey: headers.get("idempotency-key") ?? undefined,
      timeoutMs: Number(headers.get("request-timeout")) * 1_000,
    });
    return responseOf(reply);
  }

  #platform(): Platform {
    const { world } = this.cluster;
    return {
      monotonic: () => world.now,
      wall: () => Date.UTC(2026, 0, 1) + world.now,
      random: () => this.#prng.number(),
      bytes: (length) => Uint8Array.from({ length }, () => this.#prng.below(256)),
      after: (delayMs, callback) => {
        const event = world.after(delayMs, callback);
        return () => world.cancel(event);
      },
    };
  }
}

/** Few enough that an entity is called often, and many enough that none is hot. */
function keyOf(number: number): string {
  return `key-${number % 100}`;
}

/** Callers are many, as in life. */
function callOf(kind: Kind, number: number): GatewayCall {
  const common = { principal: `caller-${number % 50}`, timeoutMs: patienceMs };
  if (kind === "write") return { ...common, service: "ledger", key: keyOf(number), operation: "write" };
  if (kind === "transfer") {
    const key = `transfer-${number}`;
    return { ...common, service: "transfer", key, operation: "start", idempotencyKey: key };
  }
  return { ...common, service: "work", operation: kind };
}

function responseOf(reply: GatewayReply): Response {
  const type = reply.ok ? "application/json" : "application/problem+json";
  const text = reply.ok ? reply.output! : JSON.stringify({ ...reply.error, detail: reply.error.message });
  const status = reply.ok ? 200 : 503;
  const headers = new Headers({ "content-type": type });
  return { status, headers, type: "default", text: async () => text } as unknown as Response;
}
