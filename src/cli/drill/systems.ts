/** The system that a drill befalls: one that is started for it, on a store of its own, or one that runs and allows it. */
import type { AdminTarget } from "../../admin/target.ts";
import type { DrilledSystem } from "../../drill/drill.ts";
import { defaultFolder } from "../../host/store-location.ts";
import type { Log } from "../../ports/log.ts";
import { NothingRunsError, UsageError } from "../exit.ts";
import { startPassing } from "../passing-system.ts";
import { adminTarget, httpUrl, type Measured, meterFor, stopMeasured } from "../supervised-target.ts";
import { systemAt } from "../systems-at-hand.ts";

export interface OpenedSystem extends AsyncDisposable {
  readonly system: DrilledSystem;
}

const unheard: Log = { debug: () => {}, info: () => {}, warn: () => {}, error: () => {} };

/** Starts the system, with drills allowed. */
export async function startedFor(systemFile: string, nodes: number, store: string | undefined): Promise<OpenedSystem> {
  const { supervisor, place, urls, end } = await startPassing({
    ...{ purpose: "drill", endsAtInterrupt: false },
    ...{ systemFile, store, nodes, drills: true },
  });
  const measured: Measured = { meter: undefined };
  const endAll = async (): Promise<void> => {
    await stopMeasured(measured);
    await end();
  };
  try {
    const { availability } = place.system;
    // Nobody is to be woken by a drill of a system that was started for it.
    const unwatched = {
      ...place.system,
      ...(availability && { availability: { ...availability, webhook: undefined } }),
    };
    measured.meter = meterFor(supervisor, { ...place, system: unwatched }, urls, { log: unheard, drills: true });
    const target = adminTarget(supervisor, place, urls, measured, true);
    const system = drilled(target, place.system.name, httpUrl(place.system, urls));
    return { system, [Symbol.asyncDispose]: endAll };
  } catch (error) {
    await endAll();
    throw error;
  }
}

/** The system of this folder that answers there. */
export async function runningAt(url: URL): Promise<OpenedSystem> {
  const found = await systemAt(url);
  if (found === undefined) {
    const sentence = `No system of this folder answers at ${url.origin} (looked for its admin file in ${defaultFolder}): faults are injected by its supervisor, so give the drill in the folder of its \`synod up --drills\`.`;
    throw new NothingRunsError(sentence);
  }
  const { client, report } = found;
  if (!report.drills) {
    const sentence = `Drills are not allowed on system ${report.system}: start it with \`synod up --drills\`, and only where its callers can bear it.`;
    throw new UsageError(sentence);
  }
  return { system: drilled(client, report.system, url.href), [Symbol.asyncDispose]: async () => {} };
}

function drilled(target: AdminTarget, name: string, http: string | null): DrilledSystem {
  if (http === null) throw new UsageError(`System ${name} has no HTTP adapter to send a load to: add http().`);
  return {
    name,
    url: new URL(http),
    nodes: async () => {
      const { nodes } = await target.report();
      const wanted = nodes.filter(({ state }) => state !== "drained" && state !== "stopped");
      return wanted.map(({ id, state, status }) => ({ id, serves: state === "ready" && status !== undefined }));
    },
    strike: (order) => target.strike(order),
    availability: () => target.availability(),
  };
}
