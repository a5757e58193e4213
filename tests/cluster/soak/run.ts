/**
 * One soak: three processes under clients and faults, period after period, and the judgement of what the clients saw.
 * After each period everything has to come back, and what was done in it is judged while the next one goes on.
 */
import { mkdirSync } from "node:fs";
import { join } from "node:path";
import type { Verdict } from "../../../src/simulation/checkers/verdict.ts";
import { type PostgresServer, startServer } from "../../postgres/server.ts";
import { Cluster } from "../cluster.ts";
import { Workload } from "../workload/workload.ts";
import { FaultProxy } from "./fault-proxy.ts";
import { instrumented } from "./instrumentation.ts";
import { machineFaults } from "./machine-faults.ts";
import { networkFaults } from "./network-faults.ts";
import { type Period, periodsOf } from "./plan.ts";
import { Probes } from "./probes.ts";
import { processFaults } from "./process-faults.ts";
import { type FaultFigures, isHeld, type SoakReport } from "./report.ts";
import { type FaultKind, pause, type Scene } from "./scene.ts";
import { clockEnvironment, type Surroundings, surroundingsIn } from "./surroundings.ts";

export const faultKinds: readonly FaultKind[] = [...processFaults, ...networkFaults, ...machineFaults];

export interface SoakOptions {
  readonly seed: number;
  readonly durationMs: number;
  /** Names of kinds; all when absent. */
  readonly kinds: readonly string[] | undefined;
  readonly defect: string | undefined;
  /** Where the store is: a file, or a PostgreSQL server that the soak brings. */
  readonly store: "sqlite" | "postgres";
  readonly folder: string;
  readonly progress: (text: string) => void;
  readonly isInterrupted: () => boolean;
}

const quietMs = 6_000;
/** Until everything is as it was before the faults. */
const recoveryMaxMs = 60_000;
const probesPerNode = 3;
/** For what comes after the last fault: the checkers, and what is open until then. */
const reserveMs = 10 * 60_000;
const clients = { library: 2, keyed: 1, once: 1, lookers: 6 };
const pace = { thinkMs: 70, movesPerKeys: 1_500, keysLength: 8 };

/** A period that is over. */
interface Past {
  readonly kinds: readonly string[];
  readonly worstGapMs: number;
  readonly recoveryMs: number;
}

export async function soak(options: SoakOptions): Promise<SoakReport> {
  const { seed, folder, durationMs, defect } = options;
  const started = performance.now();
  using surroundings = surroundingsIn(folder);
  await using links = await FaultProxy.betweenNodes();
  await using server = options.store === "postgres" ? await startServer() : undefined;
  await using cluster = await startCluster(options, surroundings, links.port, server);
  const { hostname: host, port } = new URL(cluster.url);
  await using front = await FaultProxy.inFrontOf({ from: "clients", to: "system", host, port: Number(port) });
  const url = `http://${host}:${front.port}`;
  const probed = await Promise.all(
    cluster.nodeIds.map((node) => cluster.countersOf(node, probesPerNode, `probe-${node}`)),
  );
  const probes = new Probes(url, probed.flat());
  const workload = new Workload({ url, folder, seed, clients, ...pace });
  const note: Scene["note"] = (f, node, value) => workload.fault(f, node, value);
  const scene: Scene = { cluster, links, front, surroundings, server, note };
  const run = new Run(scene, workload, probes, options);
  await run.until(started + durationMs);
  await probes.stop();
  const verdicts = await run.finish();
  const failures = Object.entries(workload.failures).map(([kind, texts]) => [kind, texts.length] as const);
  return {
    seed,
    seconds: (performance.now() - started) / 1_000,
    defect: defect ?? null,
    operations: workload.operations,
    probes: probes.answered,
    failures: Object.fromEntries(failures),
    leftOut: surroundings.missing,
    verdicts,
    troubles: run.troubles,
    folder,
    held: isHeld(verdicts, run.troubles),
    ...run.figures(),
  };
}

async function startCluster(
  options: SoakOptions,
  surroundings: Surroundings,
  proxyPort: number,
  server: PostgresServer | undefined,
): Promise<Cluster> {
  const { ownNetwork, clocks, smallDisk } = surroundings;
  const folder = smallDisk ?? join(options.folder, "system");
  mkdirSync(folder, { recursive: true });
  const settings = { proxyPort, ownAddresses: ownNetwork, clocks: clocks?.folder, defect: options.defect };
  const env = { ...instrumented(settings), ...(clocks && clockEnvironment(clocks)) };
  const store = server && { store: `${server.url}/postgres` };
  return await Cluster.start({ folder, env, lifeMaxMs: options.durationMs + reserveMs, ...store });
}

class Run {
  readonly troubles: string[] = [];
  readonly #scene: Scene;
  readonly #workload: Workload;
  readonly #probes: Probes;
  readonly #options: SoakOptions;
  readonly #past: Past[] = [];
  /** What is known of the periods that have been judged. */
  #broken: readonly Verdict[] = [];
  #judging: Promise<void> = Promise.resolve();

  constructor(scene: Scene, workload: Workload, probes: Probes, options: SoakOptions) {
    this.#scene = scene;
    this.#workload = workload;
    this.#probes = probes;
    this.#options = options;
  }

  /** Period after period, until then or until something is wrong. */
  async until(end: number): Promise<void> {
    const { seed, kinds, isInterrupted } = this.#options;
    const possible = faultKinds.filter((kind) => kind.isPossible(this.#scene.surroundings, this.#scene.server));
    const names = possible.map(({ name }) => name).filter((name) => kinds === undefined || kinds.includes(name));
    const periods = periodsOf(seed, names, this.#scene.cluster.nodeIds.length);
    while (performance.now() < end && !this.#isWrong && !isInterrupted()) await this.#pass(periods.next().value);
    await this.#judging;
  }

  /** Judges everything; or what was found broken before, when nobody has to look further. */
  async finish(): Promise<readonly Verdict[]> {
    if (this.#isWrong) {
      await this.#workload.stop();
      return this.#broken;
    }
    this.#options.progress(`judging ${this.#workload.operations} operations`);
    return await this.#workload.finish();
  }

  figures(): Pick<SoakReport, "periods" | "faults" | "quietWorstGapMs" | "recoveryWorstMs"> {
    const worst = (periods: readonly Past[]): number | null =>
      periods.length === 0 ? null : Math.max(...periods.map(({ worstGapMs }) => worstGapMs));
    const quiet = this.#past.filter(({ kinds }) => kinds.length === 0);
    const faults = [...new Set(this.#past.flatMap(({ kinds }) => kinds))].sort().map((kind): FaultFigures => {
      const struck = this.#past.filter(({ kinds }) => kinds.includes(kind));
      const alone = struck.filter(({ kinds }) => kinds.length === 1);
      return { kind, struck: struck.length, worstGapAloneMs: worst(alone), worstGapMs: worst(struck) };
    });
    return {
      periods: { all: this.#past.length, quiet: quiet.length },
      faults,
      quietWorstGapMs: worst(quiet),
      recoveryWorstMs: Math.max(0, ...this.#past.map(({ recoveryMs }) => recoveryMs)),
    };
  }

  get #isWrong(): boolean {
    return this.#broken.length > 0 || this.troubles.length > 0;
  }

  async #pass({ faults }: Period): Promise<void> {
    const { nodeIds } = this.#scene.cluster;
    const began = performance.now();
    const kinds = faults.map(({ kind }) => kind);
    const blows = faults.map(async (fault) => {
      await pause(fault.afterMs);
      const kind = faultKinds.find(({ name }) => name === fault.kind)!;
      const blow = { ...fault, node: nodeIds[fault.victim]!, peer: nodeIds[fault.other]! };
      await kind.strike(this.#scene, blow).catch((error: unknown) => this.#trouble(`${fault.kind}: ${error}`));
    });
    await Promise.all(faults.length === 0 ? [pause(quietMs)] : blows);
    const recoveryMs = await this.#recover();
    const worstGapMs = this.#probes.worstSince(began);
    this.#past.push({ kinds, worstGapMs, recoveryMs });
    const what = kinds.length === 0 ? "quiet" : kinds.join(", ");
    const figures = `longest gap ${Math.round(worstGapMs)} ms, whole after ${Math.round(recoveryMs)} ms`;
    this.#options.progress(`period ${this.#past.length}: ${what}: ${figures}; ${this.#workload.operations} operations`);
    this.#judgeLater();
  }

  /** Resolves with how long it took until every node served its part and every key answered, ms. */
  async #recover(): Promise<number> {
    const { cluster } = this.#scene;
    const healed = performance.now();
    try {
      if (await cluster.revive()) this.#trouble("the system had ended by itself");
      await within(cluster.whole(recoveryMaxMs), "not every node serves its part");
      await within(this.#probes.allAnswer(), "not every key answers");
    } catch (error) {
      this.#trouble(`${(error as Error).message} ${recoveryMaxMs / 1_000} s after the last fault`);
    }
    return performance.now() - healed;
  }

  /** One at a time, in the background. */
  #judgeLater(): void {
    const judge = this.#workload.turnOver();
    this.#judging = this.#judging.then(async () => {
      if (this.#isWrong) return;
      try {
        const broken = (await judge()).filter(({ status }) => status !== "holds");
        if (broken.length > 0) this.#broken = [...this.#broken, ...broken];
      } catch (error) {
        this.#trouble(String(error));
      }
    });
  }

  #trouble(text: string): void {
    this.troubles.push(text);
    this.#options.progress(`trouble: ${text}`);
  }
}

async function within(work: Promise<void>, about: string): Promise<void> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error(about)), recoveryMaxMs);
  });
  await Promise.race([work, late]).finally(() => clearTimeout(timer));
}
