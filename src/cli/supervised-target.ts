/** What the admin API tells and does where a supervisor runs the system: `synod up`, and drills that start one. */
import type { AdminTarget } from "../admin/target.ts";
import { ledgerService } from "../drill/ledger.interface.ts";
import { SynodError } from "../errors.ts";
import { AvailabilityMeter } from "../host/availability/meter.ts";
import { drillTargets } from "../host/own-services.ts";
import type { SupervisedPlace, Supervisor } from "../host/supervisor.ts";
import { within } from "../host/within.ts";
import type { Log } from "../ports/log.ts";

/** How much longer than a call its answer may take on its way back from the node. */
const callReserveMs = 2_000;
const callDefaultMs = 10_000;
/** How long the end may wait for what the availability meter has counted to be kept. */
const keepMaxMs = 3_000;
/** How long a node may take for what an operator wants done with pending work: it may have to ask the owner. */
const operateMaxMs = 15_000;

/** The availability meter, once there is one. */
export interface Measured {
  meter: AvailabilityMeter | undefined;
}

/** What it counted is kept by the nodes, so it goes first; for want of nodes it is lost after a moment. */
export async function stopMeasured({ meter }: Measured): Promise<void> {
  if (meter) await within(meter.stop(), keepMaxMs);
}

/** Where the first HTTP adapter answers. */
export function httpUrl({ adapters }: SupervisedPlace["system"], urls: readonly string[]): string | null {
  return urls[adapters.findIndex(({ name }) => name === "http")] ?? null;
}

export interface MeterConduct {
  readonly log: Log;
  /** Whether drills are allowed: then it is measured even if its file promises nothing. */
  readonly drills: boolean;
}

/** Probes the system from here on, if there is a reason to and it can be reached over HTTP. */
export function meterFor(
  supervisor: Supervisor,
  { system }: SupervisedPlace,
  urls: readonly string[],
  { log, drills }: MeterConduct,
): AvailabilityMeter | undefined {
  const http = httpUrl(system, urls);
  const targets = system.availability ?? (drills ? drillTargets : undefined);
  if (targets === undefined || http === null) return undefined;
  return new AvailabilityMeter({
    system: system.name,
    url: new URL(http),
    targets,
    services: [...system.services.map(({ name }) => name), ...(drills ? [ledgerService] : [])],
    log,
    counts: () => supervisor.counts(),
    call: (call) => supervisor.ask("call", call, callDefaultMs),
    surroundings: () => supervisor.serving,
  });
}

export function adminTarget(
  supervisor: Supervisor,
  place: SupervisedPlace,
  urls: readonly string[],
  measured: Measured,
  drills: boolean,
): AdminTarget {
  return {
    availability: async () => {
      if (measured.meter) return measured.meter.report();
      const sentence = `System ${place.system.name} promises no availability: add availability: { objective: "99.9%" } to its defineSystem(), and an HTTP adapter.`;
      throw new SynodError("failed_precondition", sentence);
    },
    report: async () => ({
      system: place.system.name,
      store: place.store,
      http: httpUrl(place.system, urls),
      supervisorPid: process.pid,
      drills,
      services: supervisor.services,
      nodes: await supervisor.report(),
    }),
    meters: () => supervisor.meters(),
    inspect: (service, key) => supervisor.inspect(service, key),
    work: (query) => supervisor.ask("work", query),
    workDetails: (id) => supervisor.ask("workDetails", { id }),
    operate: async (id, action) => void (await supervisor.ask("operate", { id, action }, operateMaxMs)),
    drain: (node) => supervisor.drain(node),
    restart: (node) => supervisor.restart(node),
    strike: (order) => supervisor.strike(order),
    call: (call) => supervisor.ask("call", call, (call.timeoutMs ?? callDefaultMs) + callReserveMs),
  };
}
