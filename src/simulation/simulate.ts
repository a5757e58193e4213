/**
 * One run of a scenario under one seed: the nodes start, clients work while faults happen (safety phase), the faults
 * end and everything must come back (liveness phase), the nodes leave. The result is the same for the same seed, on
 * every machine.
 */
import type { CommitBatch } from "../ports/store.ts";
import type { NodeLimits } from "../runtime/limits.ts";
import type { AnyInterface } from "../service/model.ts";
import { createPrng, type Prng } from "../values/prng.ts";
import type { Behaviour, Client } from "./client.ts";
import { Cluster } from "./cluster.ts";
import { type Fault, FaultInjector, planFaults } from "./faults.ts";
import type { Violation } from "./judge.ts";
import type { Mutation } from "./mutations.ts";
import { describeOperation, describeReply } from "./operation.ts";
import type { CommittedState, Scenario } from "./scenario.ts";
import { drawWeather, fairWeather, setWeather } from "./weather.ts";
import { honestAnswers } from "./world/store.ts";
import type { TraceLine } from "./world/trace.ts";
import { chance, pick } from "./world/world.ts";

export interface RunOptions {
  readonly scenario: Scenario;
  readonly seed: number;
  /** Instead of the seed's own plan of faults. */
  readonly plan?: readonly Fault[];
  /** A defect that is put into the runtime or the store, to see that it is found. */
  readonly mutation?: Mutation;
  readonly keepTrace?: boolean;
  /** Whether the run ends at the first violation. */
  readonly stopAtViolation?: boolean;
}

export interface RunResult {
  readonly seed: number;
  readonly violations: readonly Violation[];
  /** Hash over the whole trace. */
  readonly digest: string;
  readonly trace: readonly TraceLine[];
  readonly plan: readonly Fault[];
  readonly simulatedMs: number;
  readonly events: number;
  readonly operations: { readonly ok: number; readonly fail: number; readonly info: number };
  readonly commits: number;
  readonly checks: number;
  readonly faults: Readonly<Record<string, number>>;
}

/** After the faults have ended: until everything serves, and for how long everything must be answered then, ms. */
const recoveryMs = 30_000;
/** What was late when the faults ended comes in this time, and leases that ran out are claimed, ms. */
const settleMs = 8_000;
const calmMs = 3_000;
const calmPauseMaxMs = 300;
/** Operations that a client asks for without a rest. */
const burstLengthMax = 12;
/** Until the last client has its answer, ms. */
const patienceMs = 120_000;
const stopMs = 5_000;

/** Whoever has started a run; unhandled rejections belong to it. One run at a time. */
export async function simulate(options: RunOptions): Promise<RunResult> {
  const undo = options.mutation?.install?.();
  // Where an error was made is of interest to whoever looks at one run, and costs a tenth of every run.
  const { stackTraceLimit } = Error;
  if (options.keepTrace !== true) Error.stackTraceLimit = 0;
  const run = new Run(options);
  const onRejection = (reason: unknown): void => run.rejected(reason);
  process.on("unhandledRejection", onRejection);
  try {
    return await run.run();
  } finally {
    process.off("unhandledRejection", onRejection);
    Error.stackTraceLimit = stackTraceLimit;
    undo?.();
  }
}

class Run {
  readonly #options: RunOptions;
  readonly #cluster: Cluster;
  readonly #prng: Prng;
  readonly #weather = fairWeather();
  readonly #injector: FaultInjector;
  readonly #plan: readonly Fault[];
  readonly #clients: readonly Client[];
  readonly #behaviour: Behaviour;
  /** The safety phase is over: clients finish what they began. */
  #finishing = false;

  constructor(options: RunOptions) {
    const { scenario, seed, mutation } = options;
    this.#options = options;
    const nodes = scenario.nodes ?? 3 + (seed % 3);
    this.#cluster = new Cluster({
      seed,
      system: () => scenario.system,
      nodes,
      weather: this.#weather,
      shardsPerService: 4,
      limits: { ...drawLimits(seed), ...mutation?.limits },
      keepTrace: options.keepTrace ?? false,
      answers: { ...honestAnswers, ...mutation?.answers?.() },
    });
    this.#prng = this.#cluster.world.prng("run");
    setWeather(this.#weather, drawWeather(this.#prng));
    this.#injector = new FaultInjector(this.#cluster);
    const names = this.#cluster.machines.map(({ name }) => name);
    this.#plan = options.plan ?? planFaults(this.#cluster.world.prng("faults"), names, scenario.durationMs);
    const clients = scenario.clients ?? 2 + this.#prng.below(19);
    this.#clients = Array.from({ length: clients }, () => this.#cluster.client());
    this.#behaviour = {
      timeoutMs: pick(this.#prng, [500, 2_000, 10_000]),
      attemptsMax: pick(this.#prng, [1, 3, 8]),
      answerLost: this.#weather.clientAnswerLost,
    };
  }

  rejected(reason: unknown): void {
    const words = reason instanceof Error ? (reason.stack ?? reason.message) : String(reason);
    this.#cluster.judge.report("no defect", `a promise was rejected and nobody cared: ${words}`);
  }

  async run(): Promise<RunResult> {
    const { judge } = this.#cluster;
    judge.onCommitted = (batch) => this.#checkInvariants(batch);
    if (await this.#cluster.start()) await this.#phases();
    else judge.report("liveness", "the nodes did not come to serve");
    return this.#result();
  }

  async #phases(): Promise<void> {
    const { scenario } = this.#options;
    this.#injector.schedule(this.#plan);
    const work = this.#clients.map((client, index) => this.#work(client, index));
    await this.#cluster.until(() => this.#broken, scenario.durationMs);
    if (this.#broken) return;
    await this.#recover();
    await this.#cluster.until(() => this.#broken, settleMs);
    if (this.#broken) return;
    this.#finishing = true;
    if (!(await this.#cluster.until(Promise.all(work), patienceMs))) return this.#stuck();
    await this.#liveness();
    if (!this.#broken) await this.#leave();
  }

  get #broken(): boolean {
    return this.#options.stopAtViolation !== false && this.#cluster.judge.violations.length > 0;
  }

  /** In bursts: only those who meet get in each other's way, and what they leave is looked at in the rests. */
  async #work(client: Client, index: number): Promise<void> {
    const { workload } = this.#options.scenario;
    const { prng } = client;
    const restMaxMs = pick(prng, [1_000, 4_000, 8_000]);
    while (!this.#finishing && !this.#broken) {
      await client.sleep(prng.number() * restMaxMs);
      const pauseMaxMs = pick(prng, [5, 50, 300]);
      for (let left = 1 + prng.below(burstLengthMax); left > 0 && !this.#finishing && !this.#broken; left--) {
        await client.perform(workload(prng, index), this.#behaviour);
        await client.sleep(prng.number() * pauseMaxMs);
      }
    }
  }

  /** The faults end; whoever is down is started; soon all serve. */
  async #recover(): Promise<void> {
    const cluster = this.#cluster;
    this.#injector.end();
    setWeather(this.#weather, fairWeather());
    for (const { name, wanted } of cluster.machines) if (!wanted) cluster.restart(name);
    cluster.note("calm", "");
    if (await cluster.until(() => cluster.serves || this.#broken, recoveryMs)) return;
    const late = cluster.machines.filter(({ running }) => running === null).map(({ name }) => name);
    cluster.judge.report(
      "liveness",
      `${recoveryMs} ms after the last fault these nodes do not serve: ${late.join(", ")}`,
    );
  }

  /** What nobody knew is asked again, and everything new is answered. */
  async #liveness(): Promise<void> {
    const { world, judge } = this.#cluster;
    const calm: Behaviour = { timeoutMs: 10_000, attemptsMax: 8, answerLost: 0 };
    const unknown = judge.operations.filter(({ outcome }) => outcome === "info");
    const until = world.now + calmMs;
    const settle = this.#clients.map(async (client, index) => {
      for (const operation of unknown) {
        if (operation.client === client.name && !(await client.resolve(operation, calm))) this.#unanswered(operation);
      }
      while (world.now < until && !this.#broken) {
        const operation = await client.perform(this.#options.scenario.workload(client.prng, index), calm);
        if (operation.outcome !== "ok" && !isOfTheCaller(operation)) this.#unanswered(operation);
        await client.sleep(client.prng.number() * calmPauseMaxMs);
      }
    });
    if (!(await this.#cluster.until(Promise.all(settle), patienceMs))) this.#stuck();
  }

  #unanswered(operation: Parameters<typeof describeOperation>[0]): void {
    const { judge } = this.#cluster;
    const said = describeReply(operation.reply);
    const message = operation.reply?.ok === false ? `: ${operation.reply.error.message}` : "";
    judge.report("liveness", `with all faults over, ${describeOperation(operation)} was answered ${said}${message}`);
  }

  #stuck(): void {
    const open = this.#cluster.judge.operations.filter(({ outcome }) => outcome === "open");
    const [first] = open;
    const example = first === undefined ? "" : `, such as ${describeOperation(first)}`;
    this.#cluster.judge.report("liveness", `${open.length} operations never ended${example}`);
  }

  /** Planned: every node hands over and leaves; nothing stays behind. */
  async #leave(): Promise<void> {
    const { machines, judge, network, database } = this.#cluster;
    for (const machine of machines) {
      machine.wanted = false;
      const { running } = machine;
      const held = running?.status().callsInFlight ?? 0;
      if (held > 0) judge.report("bounded", `${machine.name} holds ${held} calls although every client has its answer`);
    }
    const stops = machines.map((machine) => machine.stop(stopMs));
    if (!(await this.#cluster.until(Promise.all(stops), patienceMs))) judge.report("liveness", "a node did not stop");
    await this.#cluster.advance(stopMs);
    if (network.connectionsLength > 0)
      judge.report("bounded", `${network.connectionsLength} ends of connections are left`);
    if (database.members.size > 0) this.#cluster.note("members left", [...database.members.keys()].join(" "));
    this.#checkInvariants();
  }

  #checkInvariants(_batch?: CommitBatch): void {
    const { invariants } = this.#options.scenario;
    if (invariants.length === 0) return;
    const state = this.#committed();
    for (const { name, holds } of invariants) {
      const said = holds(state);
      if (said === true) continue;
      this.#cluster.judge.report("invariant", `${name}${typeof said === "string" ? `: ${said}` : ""}`);
    }
  }

  #committed(): CommittedState {
    const { services } = this.#cluster.database;
    return {
      all: ({ name }: AnyInterface) => {
        const states = new Map<string, unknown>();
        for (const { entities } of services.get(name) ?? []) {
          for (const [key, { state }] of entities) states.set(key, JSON.parse(state));
        }
        return states;
      },
    };
  }

  #result(): RunResult {
    const { world, judge } = this.#cluster;
    const count = (outcome: string): number =>
      judge.operations.filter((operation) => operation.outcome === outcome).length;
    return {
      seed: this.#options.seed,
      violations: judge.violations,
      digest: world.trace.digest(),
      trace: world.trace.lines,
      plan: this.#plan,
      simulatedMs: world.now,
      events: world.events,
      operations: { ok: count("ok"), fail: count("fail"), info: count("info") },
      commits: judge.counts.commits,
      checks: judge.counts.checks,
      faults: { ...this.#injector.counts },
    };
  }
}

/** Refused for what it is, by every system at any time. */
function isOfTheCaller({
  reply,
}: {
  readonly reply: { readonly ok: boolean; readonly error?: { readonly code: string } } | undefined;
}): boolean {
  return reply?.ok === false && ["invalid_argument", "internal"].includes(reply.error?.code ?? "");
}

/** Bounds that are reached in a run of a minute: in some seeds memory is scarce, in some everything is soon forgotten. */
function drawLimits(seed: number): Partial<NodeLimits> {
  const prng = createPrng(seed ^ 0x5eed);
  return {
    ...(chance(prng, 0.3) && { entityMemoryBytesMax: 6_000 }),
    ...(chance(prng, 0.5) && { trimIntervalMs: 2_000 }),
    ...(chance(prng, 0.2) && { batchCommandsMax: 3 }),
  };
}
