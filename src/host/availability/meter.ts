/**
 * The availability meter of a running system: puts together what the probers see, what the nodes' meters count and what
 * keys experience; keeps it in the system's own store; and raises the alarm when an error budget burns too fast.
 *
 * It runs in the supervisor, outside the nodes, with a second prober in a process of its own. When the supervisor is gone,
 * nobody observes, and the time is unknown.
 */
import { type ChildProcess, fork } from "node:child_process";
import { fileURLToPath } from "node:url";
import { type AlertChange, Alerts } from "../../availability/alerts.ts";
import { ProbeConnection } from "../../availability/probe-connection.ts";
import { Prober } from "../../availability/prober.ts";
import type { ProberSettings } from "../../availability/prober-process.ts";
import { type AvailabilityReport, keys, probes, reportOf } from "../../availability/report.ts";
import { RollUps } from "../../availability/rollups.ts";
import { type SliceSeen, Slices, type Surroundings } from "../../availability/slices.ts";
import type { GatewayCall, GatewayReply } from "../../ports/gateway.ts";
import type { Log } from "../../ports/log.ts";
import type { AvailabilityTargets } from "../../service/availability.ts";
import { KeptFigures } from "./kept-figures.ts";
import { type NodeCounts, RequestCounts } from "./requests.ts";

export interface MeterOptions {
  readonly system: string;
  /** Where the HTTP adapter answers. */
  readonly url: URL;
  readonly targets: AvailabilityTargets;
  /** The user's services. */
  readonly services: readonly string[];
  readonly log: Log;
  /** Of all nodes that answer. */
  readonly counts: () => Promise<readonly NodeCounts[]>;
  readonly call: (call: GatewayCall) => Promise<GatewayReply>;
  readonly surroundings: () => Surroundings;
}

/** Before the name of the service. */
const requestsOf = "requests/";
const lookMs = 2_000;
/** How often figures are written to the store, in looks. */
const looksPerKeep = 15;
const webhookMaxMs = 5_000;
const restartProberMs = 1_000;

const fromSource = import.meta.url.endsWith(".ts");

export class AvailabilityMeter {
  readonly #options: MeterOptions;
  readonly #rollUps = new RollUps();
  readonly #slices = new Slices();
  readonly #alerts = new Alerts();
  readonly #requests = new RequestCounts();
  readonly #kept: KeptFigures;
  readonly #prober: Prober;
  #second: ChildProcess | undefined;
  #timer: NodeJS.Timeout | undefined;
  #looks = 0;
  #stopped = false;

  constructor(options: MeterOptions) {
    this.#options = options;
    const { url, targets, call, log, services } = options;
    this.#kept = new KeptFigures({ call, log, services, rollUps: this.#rollUps, slices: this.#slices });
    const tell = (seen: SliceSeen): void => this.#slices.seen(seen, options.surroundings());
    this.#prober = new Prober({ connection: new ProbeConnection(url, targets.headers), number: 0, tell });
    this.#startSecond();
    this.#schedule();
  }

  report(): AvailabilityReport {
    this.#settle();
    return reportOf({
      system: this.#options.system,
      now: Date.now(),
      rollUps: this.#rollUps,
      outages: this.#slices.outages,
      firing: this.#alerts.firing,
      objectiveOf: (series) => objectiveOf(this.#options.targets, series),
    });
  }

  /** Keeps what was counted, while there are still nodes to keep it. */
  async stop(): Promise<void> {
    if (this.#stopped) return;
    this.#stopped = true;
    clearTimeout(this.#timer);
    this.#prober.stop();
    this.#second?.kill();
    this.#settle();
    await this.#kept.keep();
  }

  #schedule(): void {
    this.#timer = setTimeout(() => {
      this.#look()
        .catch((error: unknown) =>
          this.#options.log.warn("the availability could not be read", { error: String(error) }),
        )
        .finally(() => {
          if (!this.#stopped) this.#schedule();
        });
    }, lookMs);
  }

  #startSecond(): void {
    const program = new URL(`../../availability/prober-process.${fromSource ? "ts" : "js"}`, import.meta.url);
    const settings: ProberSettings = { url: this.#options.url.href, headers: this.#options.targets.headers, number: 1 };
    const child = fork(fileURLToPath(program), [JSON.stringify(settings)], {
      execArgv: fromSource ? ["--conditions=synod-source"] : [],
    });
    this.#second = child;
    child.on("message", (seen: SliceSeen) => this.#slices.seen(seen, this.#options.surroundings()));
    child.on("error", () => {});
    child.on("exit", () => {
      if (!this.#stopped) setTimeout(() => this.#stopped || this.#startSecond(), restartProberMs);
    });
  }

  async #look(): Promise<void> {
    await this.#kept.restore();
    this.#settle();
    const now = Date.now();
    const { services, keyTimes } = this.#requests.since(await this.#options.counts(), this.#options.services);
    for (const [service, counts] of services) this.#rollUps.add(`${requestsOf}${service}`, now, counts);
    if (keyTimes.good + keyTimes.bad > 0) this.#rollUps.add(keys, now, keyTimes);
    for (const name of this.#rollUps.names) this.#alarm(name, now);
    if (++this.#looks % looksPerKeep === 0) await this.#kept.keep();
  }

  #settle(): void {
    for (const { slice, up } of this.#slices.settled(Date.now())) {
      this.#rollUps.add(probes, slice * 1_000, up ? { good: 1, bad: 0 } : { good: 0, bad: 1 });
    }
  }

  #alarm(series: string, now: number): void {
    const objective = objectiveOf(this.#options.targets, series);
    if (objective === undefined) return;
    for (const change of this.#alerts.look(
      series,
      (windowMs) => this.#rollUps.window(series, now, windowMs),
      objective,
    )) {
      const fields = { series, burnRate: Number(change.burnRate.toFixed(1)) };
      const { words } = change.rule;
      if (change.kind === "firing") this.#options.log.error(`the error budget burns too fast (${words})`, fields);
      else this.#options.log.info(`the error budget does not burn too fast any more (${words})`, fields);
      void this.#tellWebhook(change);
    }
  }

  async #tellWebhook({ series, kind, rule, burnRate }: AlertChange): Promise<void> {
    const { system, targets, log } = this.#options;
    if (targets.webhook === undefined) return;
    const body = JSON.stringify({ system, series, kind, rule: rule.words, burnRate, at: new Date().toISOString() });
    const headers = { "content-type": "application/json" };
    const signal = AbortSignal.timeout(webhookMaxMs);
    try {
      const { ok, status } = await fetch(targets.webhook, { method: "POST", headers, body, signal });
      if (!ok) log.warn(`the webhook answered an alert with ${status}`);
    } catch (error) {
      log.warn("the webhook did not take an alert", { error: String(error) });
    }
  }
}

/** What is promised of a series, if anything is. */
export function objectiveOf(
  { objective, services }: Pick<AvailabilityTargets, "objective" | "services">,
  series: string,
): number | undefined {
  if (series === probes) return objective;
  return series.startsWith(requestsOf) ? services[series.slice(requestsOf.length)] : undefined;
}
