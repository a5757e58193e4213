/**
 * One run of a scenario under one seed: the nodes start, clients work while faults happen (safety phase), the faults
 * end and everything must come back (liveness phase), the nodes leave. The result is the same for the same seed, on
 * every machine.
 */

import type { CommitBatch } from "../ports/store.ts";
import { defaultLimits } from "../runtime/limits.ts";
import { listenToMarks, type Mark } from "../values/marks.ts";
import { pick } from "../values/prng.ts";
import { type Asking, DrawnAsking, ListedAsking, type PlannedOperation } from "./asking.ts";
import { completeBuild, hasDurableCommands } from "./builds.ts";
import type { Behaviour, Client } from "./client.ts";
import { Cluster } from "./cluster.ts";
import { committedState } from "./committed-state.ts";
import { isForgotten, isForgottenRepeat, isOfTheCaller, isShedHalfway, waitsForDurable } from "./expected-failures.ts";
import { type Fault, FaultInjector, type InjectedFault, planFaults, planUpgrade } from "./faults.ts";
import type { Violation } from "./judge.ts";
import type { Mutation } from "./mutation.ts";
import { type ClientOperation, describeOperation, describeReply, type Request } from "./operation.ts";
import { nameOfThing, pendingThings } from "./pending.ts";
import type { Reachable } from "./reached.ts";
import { drawLimits } from "./run-limits.ts";
import type { Scenario, Workload } from "./scenario.ts";
import { askedBy, type Broken, brokenBy, mistakeIn, ScenarioMistake } from "./scenario-code.ts";
import { type RunCode, runCode } from "./scenario-file.ts";
import { clientsOf, nodesOf, refuseMissingNodes } from "./sizes.ts";
import { watchGlobals } from "./user-code/globals.ts";
import { replaceSurroundings } from "./user-code/install.ts";
import { type Place, runAt } from "./user-code/place.ts";
import { outsidePromise, scenarioPlace } from "./user-code/places.ts";
import { hideStacks, stackOf } from "./user-code/stacks.ts";
import { drawStoreKind, drawWeather, fairWeather, setWeather } from "./weather.ts";
import { planCodeChanges, planOutage } from "./work-faults.ts";
import { honestAnswers, type StoreKind } from "./world/store.ts";
import type { Passage, TraceLine } from "./world/trace.ts";
import { seedPrng } from "./world/world.ts";

export interface RunOptions {
  readonly scenario: Scenario;
  readonly seed: number;
  /** Instead of the seed's own plan of faults. */
  readonly plan?: readonly Fault[] | undefined;
  /** Instead of what clients would ask for by the workload. */
  readonly operations?: readonly PlannedOperation[] | undefined;
  /** Another order of the same things, from 1; 0 is the seed's own. */
  readonly timing?: number | undefined;
  /** Instead of the seed's weather: nothing is lost, and little is late, but for the faults of the plan. */
  readonly fairWeather?: boolean | undefined;
  /** Instead of the seed's own: a file with one writer, or a server with standbys. */
  readonly storeKind?: StoreKind | undefined;
  /** How long faults happen, ms, instead of what the scenario says. */
  readonly durationMs?: number | undefined;
  /** The run ends here if it has not ended before, ms since the world began; for whoever waits for one violation. */
  readonly endsAtMs?: number | undefined;
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
  /** What went from one place to another, for pictures; empty unless the trace was kept. */
  readonly passages: readonly Passage[];
  /** The faults that happened, and when. */
  readonly injected: readonly InjectedFault[];
  /** The machines, by name. */
  readonly nodes: readonly string[];
  readonly plan: readonly Fault[];
  /** What clients asked for; empty unless something was found or the trace was kept. */
  readonly asked: readonly PlannedOperation[];
  /** When all nodes first served, ms since the world began. */
  readonly servedAt: number;
  readonly simulatedMs: number;
  readonly events: number;
  readonly operations: { readonly ok: number; readonly fail: number; readonly info: number };
  readonly commits: number;
  readonly checks: number;
  readonly faults: Readonly<Record<string, number>>;
  /** How often each rare branch of the runtime was reached; those that never were are left out. */
  readonly marks: Readonly<Partial<Record<Mark, number>>>;
  /** How often faults brought about what they are meant to. */
  readonly reached: Readonly<Record<Reachable, number>>;
}

/** After the faults have ended: until everything serves, and for how long everything must be answered then, ms. */
const recoveryMs = 30_000;
/** What was late when the faults ended comes in this time, and leases that ran out are claimed, ms. */
const settleMs = 8_000;
const calmMs = 3_000;
/** Many: clients who are too many for nodes with memory for two entities are turned away in turn, and not for a defect. */
const calmAttemptsMax = 24;
/** How late a timer may be of which its node's clock says that it is due, ms. */
const timerSlackMs = 2_000;
/** Until the last client has its answer, and what was promised is done, ms. */
const patienceMs = 120_000;
const stopMs = 5_000;

/**
 * Whoever has started a run; unhandled rejections belong to it. One run at a time. Throws `failed_precondition` when the
 * plan is about nodes that the scenario does not have.
 */
export async function simulate(options: RunOptions): Promise<RunResult> {
  refuseMissingNodes(options);
  const giveBack = replaceSurroundings();
  try {
    const { scenario, code } = await runCode(options.scenario);
    return await simulateWith({ ...options, scenario }, code);
  } finally {
    giveBack();
  }
}

async function simulateWith(options: RunOptions, code: RunCode["code"]): Promise<RunResult> {
  const undo = options.mutation?.install?.();
  const showStacks = hideStacks();
  // Where an error was made is of interest to whoever looks at one run, and costs a tenth of every run.
  const { stackTraceLimit } = Error;
  if (options.keepTrace !== true) Error.stackTraceLimit = 0;
  const run = new Run(options, code);
  const onRejection = (reason: unknown): void => run.rejected(reason);
  process.on("unhandledRejection", onRejection);
  const captures = !process.hasUncaughtExceptionCaptureCallback();
  if (captures) process.setUncaughtExceptionCaptureCallback((error) => run.thrown(error));
  try {
    return await run.run();
  } finally {
    process.off("unhandledRejection", onRejection);
    if (captures) process.setUncaughtExceptionCaptureCallback(null);
    Error.stackTraceLimit = stackTraceLimit;
    showStacks();
    undo?.();
  }
}

class Run {
  readonly #options: RunOptions;
  readonly #cluster: Cluster;
  /** Where the scenario's own code runs. */
  readonly #place: Place;
  readonly #weather = fairWeather();
  readonly #durationMs: number;
  readonly #injector: FaultInjector;
  readonly #plan: readonly Fault[];
  readonly #clients: readonly Client[];
  readonly #behaviour: Behaviour;
  #asking: Asking | undefined;
  #servedAt = 0;
  readonly #marks: Partial<Record<Mark, number>> = {};
  /** The safety phase is over: clients finish what they began. */
  #finishing = false;

  constructor(options: RunOptions, code: RunCode["code"]) {
    const { scenario, seed, mutation } = options;
    this.#options = options;
    const nodes = nodesOf(scenario, seed);
    const storeKind = options.storeKind ?? mutation?.storeKind ?? drawStoreKind(seed);
    this.#durationMs = options.durationMs ?? scenario.durationMs;
    const limits = { ...drawLimits(seed), ...mutation?.limits };
    this.#cluster = new Cluster({
      seed,
      timing: options.timing,
      system: scenario.system,
      upgrade: scenario.upgrade,
      code,
      nodes,
      weather: this.#weather,
      storeKind,
      shardsPerService: 4,
      limits,
      keepTrace: options.keepTrace ?? false,
      answers: { ...honestAnswers, ...mutation?.answers?.() },
    });
    this.#place = scenarioPlace(this.#cluster.world, this.#cluster.judge);
    const prng = seedPrng(seed, "run");
    const weather = drawWeather(prng);
    if (options.fairWeather !== true) setWeather(this.#weather, weather);
    this.#injector = new FaultInjector(this.#cluster);
    const names = this.#cluster.machines.map(({ name }) => name);
    const retentionMs = limits.retentionMs ?? defaultLimits.retentionMs;
    this.#plan = options.plan ?? drawPlan(options, { names, storeKind, retentionMs, durationMs: this.#durationMs });
    const clients = Math.max(scenario.clients ?? 2 + prng.below(19), clientsOf(options.operations));
    this.#clients = Array.from({ length: clients }, () => this.#cluster.client());
    this.#behaviour = {
      timeoutMs: pick(prng, [500, 2_000, 10_000]),
      attemptsMax: pick(prng, [1, 3, 8]),
      answerLost: this.#weather.clientAnswerLost,
    };
  }

  rejected(reason: unknown): void {
    if (reason instanceof ScenarioMistake) return this.#report(mistakeIn(reason));
    this.#cluster.judge.report("no defect", `a promise was rejected and nobody cared: ${stackOf(reason)}`);
  }

  thrown(error: unknown): void {
    this.#cluster.judge.report("no defect", `thrown where nobody can catch it: ${stackOf(error)}`);
  }

  async run(): Promise<RunResult> {
    const { judge } = this.#cluster;
    const listenNoMore = listenToMarks((mark) => {
      this.#marks[mark] = (this.#marks[mark] ?? 0) + 1;
    });
    const globalsSince = watchGlobals();
    judge.onCommitted = (batch) => this.#checkInvariants(batch);
    if (await this.#cluster.start()) await this.#phases();
    else judge.report("liveness", "the nodes did not come to serve");
    listenNoMore();
    this.#checkGlobals(globalsSince());
    return this.#result();
  }

  async #phases(): Promise<void> {
    const { scenario, operations } = this.#options;
    const { world } = this.#cluster;
    this.#servedAt = world.now;
    this.#injector.schedule(this.#plan);
    const workload: Workload = (prng, client) =>
      runAt(this.#place, () => asJson(askedBy(scenario.workload, prng, client)));
    const asking = operations ? new ListedAsking(world, operations) : new DrawnAsking(world, workload);
    this.#asking = asking;
    const over = (): boolean => this.#finishing || this.#broken;
    const work = this.#clients.map((client, index) =>
      asking.work(client, index, this.#behaviour, over).catch((reason: unknown) => this.rejected(reason)),
    );
    await this.#cluster.until(() => this.#broken, this.#durationMs);
    if (this.#broken) return;
    await this.#recover();
    await this.#cluster.until(() => this.#broken, settleMs);
    if (this.#broken) return;
    this.#finishing = true;
    if (!(await this.#done(Promise.all(work)))) return this.#stuck();
    if (!this.#broken) await this.#liveness();
    if (!this.#broken) await this.#workDone();
    if (!this.#broken) await this.#leave();
  }

  /** Nothing that still happens is of interest. */
  get #broken(): boolean {
    const { stopAtViolation, endsAtMs } = this.#options;
    const { judge, world } = this.#cluster;
    if (endsAtMs !== undefined && world.now >= endsAtMs) return true;
    return stopAtViolation !== false && judge.violations.length > 0;
  }

  /** The faults end; whoever is down is started; soon all serve. */
  async #recover(): Promise<void> {
    const cluster = this.#cluster;
    this.#injector.end();
    this.#completeBuilds();
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

  /** Where code was changed, every node gets the one that can finish what any other has begun. */
  #completeBuilds(): void {
    if (!this.#plan.some(({ kind }) => kind === "newCode")) return;
    for (const machine of this.#cluster.machines) {
      machine.build = completeBuild;
      // The one that runs: it may have been about to get another.
      if (machine.process?.build === completeBuild) continue;
      machine.crash();
    }
  }

  /** What nobody knew is asked again, and everything new is answered. */
  async #liveness(): Promise<void> {
    const { world, judge } = this.#cluster;
    const { system } = this.#options.scenario;
    const calm: Behaviour = { timeoutMs: 10_000, attemptsMax: calmAttemptsMax, answerLost: 0 };
    const unknown = judge.operations.filter(({ outcome }) => outcome === "info");
    const until = world.now + calmMs;
    let late = false;
    const calmWork = {
      over: () => world.now >= until || this.#broken,
      // Whose time in a list comes later than anybody waits for is not asked for: the nodes leave then.
      broken: () => late || this.#broken,
      heard: (operation: ClientOperation) => {
        const refused = isOfTheCaller(operation) || isForgottenRepeat(operation) || isShedHalfway(operation);
        const expected = refused || waitsForDurable(operation, system);
        if (operation.outcome !== "ok" && !expected) this.#unanswered(operation);
      },
    };
    const settle = this.#clients.map(async (client, index) => {
      for (const operation of unknown) {
        if (operation.client !== client.name || (await client.resolve(operation, calm))) continue;
        const expected = isForgotten(operation) || isOfTheCaller(operation) || waitsForDurable(operation, system);
        if (!expected) this.#unanswered(operation);
      }
      await this.#asking?.calmWork(client, index, calm, calmWork);
    });
    const settled = Promise.all(settle).catch((reason: unknown) => this.rejected(reason));
    if (await this.#done(settled)) return;
    late = true;
    this.#stuck();
  }

  /** What was promised for later, and is there now, gets done; whatever comes of it may still be under way. */
  async #workDone(): Promise<void> {
    const { database, judge, machines } = this.#cluster;
    const dueBefore = Math.min(...machines.map(({ clock }) => clock.wall())) - timerSlackMs;
    const promised = new Set(pendingThings(database, dueBefore).map(nameOfThing));
    const left = () => pendingThings(database, dueBefore).filter((thing) => promised.has(nameOfThing(thing)));
    if (await this.#cluster.until(() => this.#broken || left().length === 0, patienceMs)) return;
    const [first] = left();
    const why = first?.parked === null ? "" : `: ${first?.parked}`;
    judge.report("liveness", `${left().length} things were promised and are not done, such as ${first?.words}${why}`);
  }

  /** False when this takes too long; what is not waited for any more counts as done. */
  async #done(work: Promise<unknown>): Promise<boolean> {
    let done = false;
    void work.then(() => {
      done = true;
    });
    return this.#cluster.until(() => done || this.#broken, patienceMs);
  }

  #unanswered(operation: ClientOperation): void {
    const { judge } = this.#cluster;
    const said = describeReply(operation.reply);
    const message = operation.reply?.ok === false ? `: ${operation.reply.error.message}` : "";
    judge.report("liveness", `with all faults over, ${describeOperation(operation)} was answered ${said}${message}`);
  }

  #stuck(): void {
    const open = this.#cluster.judge.operations.filter(({ outcome }) => outcome === "open");
    const [first] = open;
    // A list may want something so late that nobody waits for it: it was never asked for.
    if (first === undefined) return;
    const example = describeOperation(first);
    this.#cluster.judge.report("liveness", `${open.length} operations never ended, such as ${example}`);
  }

  /** Planned: every node hands over and leaves; nothing stays behind. */
  async #leave(): Promise<void> {
    const { machines, judge, database } = this.#cluster;
    for (const machine of machines) {
      machine.wanted = false;
      const { running } = machine;
      const held = running?.holdings().callsInFlight ?? 0;
      if (held > 0) judge.report("bounded", `${machine.name} holds ${held} calls although every client has its answer`);
    }
    const stops = machines.map((machine) => machine.stop(stopMs));
    if (!(await this.#cluster.until(Promise.all(stops), patienceMs))) judge.report("liveness", "a node did not stop");
    await this.#cluster.advance(stopMs);
    if (database.members.size > 0) this.#cluster.note("members left", [...database.members.keys()].join(" "));
    this.#checkInvariants();
  }

  #checkInvariants(_batch?: CommitBatch): void {
    const { invariants } = this.#options.scenario;
    if (invariants.length === 0) return;
    const state = committedState(this.#cluster.database, this.#cluster.judge.shapes);
    for (const invariant of invariants) {
      const broken = runAt(this.#place, () => brokenBy(invariant, state));
      if (broken !== undefined) this.#report(broken);
    }
  }

  #report({ promise, text, invariant }: Broken): void {
    this.#cluster.judge.report(promise, text, invariant);
  }

  #checkGlobals(names: readonly string[]): void {
    if (names.length === 0) return;
    const why = "There it is one for all nodes, and outlives their processes: keep it in a variable of a module.";
    this.#cluster.judge.report(outsidePromise, `user code keeps state on globalThis: ${names.join(", ")}. ${why}`);
  }

  #result(): RunResult {
    const { world, judge, database } = this.#cluster;
    judge.reached.ended(database);
    const count = (outcome: string): number =>
      judge.operations.filter((operation) => operation.outcome === outcome).length;
    return {
      seed: this.#options.seed,
      violations: judge.violations,
      digest: world.trace.digest(),
      trace: world.trace.lines,
      passages: world.trace.passages,
      injected: this.#injector.injected,
      nodes: this.#cluster.machines.map(({ name }) => name),
      plan: this.#plan,
      asked: judge.violations.length > 0 || this.#options.keepTrace === true ? (this.#asking?.asked ?? []) : [],
      servedAt: this.#servedAt,
      simulatedMs: world.now,
      events: world.events,
      operations: { ok: count("ok"), fail: count("fail"), info: count("info") },
      commits: judge.counts.commits,
      checks: judge.counts.checks,
      faults: { ...this.#injector.counts },
      marks: this.#marks,
      reached: judge.reached.counts,
    };
  }
}

/** What a plan is drawn for. */
interface PlannedAmong {
  readonly names: readonly string[];
  readonly storeKind: StoreKind;
  readonly retentionMs: number;
  readonly durationMs: number;
}

/** Everything that happens in the run of a seed; a mutation may want faults of its own. */
function drawPlan({ scenario, seed, mutation }: RunOptions, among: PlannedAmong): Fault[] {
  const { system, upgrade } = scenario;
  const { names, storeKind, retentionMs, durationMs } = among;
  const plan = (mutation?.plan ?? planFaults)(seedPrng(seed, "faults"), names, durationMs, storeKind);
  if (mutation?.plan !== undefined) return [...plan];
  return [
    ...plan,
    ...(upgrade ? planUpgrade(seedPrng(seed, "upgrade"), names, durationMs) : []),
    ...(hasDurableCommands(system) ? planCodeChanges(seedPrng(seed, "code"), names, durationMs) : []),
    ...planOutage(seedPrng(seed, "outage"), names, { durationMs, retentionMs }),
  ];
}

/**
 * A request as it travels, and as a case keeps it. The workload may change its objects afterwards, and what is more than
 * JSON in them would be lost, or refused, on the way from a worker.
 */
function asJson(request: Request): Request {
  return JSON.parse(JSON.stringify(request)) as Request;
}
