/**
 * Three hosts with a node each, PostgreSQL on three more (a primary and two standbys, of which one confirms each commit), and clients
 * that write down what they asked and heard, while hosts are cut off from each other and from the store:
 *
 *     npm run test:hosts                    each fault once, and one failover of the primary
 *     npm run test:hosts -- --short         one fault of each kind
 *     npm run test:hosts -- --minutes 10    faults in an order that a seed decides, with a failover in the middle
 *
 * Each host is a network namespace of this machine; needs root. Ends with exit code 1 unless every promise holds.
 */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { parseArgs } from "node:util";
import { formatVerdict, type Verdict } from "../../src/simulation/checkers/verdict.ts";
import { createPrng } from "../../src/values/prng.ts";
import { Workload } from "../cluster/workload/workload.ts";
import { temporaryFolder } from "../host/running-system.ts";
import { startReplicas } from "../postgres/replicas.ts";
import { HostCluster } from "./cluster.ts";
import { failOver, faults, fewFaults, type HostFault, type Surroundings } from "./faults.ts";
import { build, Hosts, obstacle } from "./network.ts";

const nodes = ["host-a", "host-b", "host-c"];
const databases = ["db-1", "db-2", "db-3"];
const quietMsMax = 2_000;
/** For what comes before the first fault and after the last. */
const reserveMs = 5 * 60_000;
const roomVariable = "SYNOD_HOSTS_ROOM";

const { values } = parseArgs({
  options: {
    minutes: { type: "string", default: "0" },
    short: { type: "boolean", default: false },
    seed: { type: "string", default: String(Date.now() % 2 ** 31) },
  },
});
const totalMs = Number(values.minutes) * 60_000;
const seed = Number(values.seed);
if (!(totalMs >= 0) || !Number.isSafeInteger(seed)) throw new Error("--minutes and --seed are numbers");

const room = process.env[roomVariable];
process.exitCode = room === undefined ? await outside() : (await inside(room)) ? 0 : 1;

/** Builds the hosts, runs this program again in the room between them, and removes them. */
async function outside(): Promise<number> {
  const reason = obstacle();
  if (reason !== undefined) {
    console.error(`There can be no hosts here: ${reason}.`);
    return 2;
  }
  const prefix = `synod-${process.pid}`;
  const room = build(prefix, [...nodes, ...databases]);
  try {
    const [program, ...words] = [...room.command, process.execPath, ...process.execArgv, ...process.argv.slice(1)];
    const environment = { ...process.env, [roomVariable]: prefix };
    const child = spawn(program!, words, { stdio: "inherit", env: environment });
    // The room has to outlive whoever is in it.
    for (const signal of ["SIGINT", "SIGTERM"] as const) process.on(signal, () => child.kill(signal));
    const [code] = (await once(child, "exit")) as [number | null];
    return code ?? 1;
  } finally {
    room.remove();
  }
}

async function inside(prefix: string): Promise<boolean> {
  using folder = temporaryFolder();
  const hosts = new Hosts(prefix, [...nodes, ...databases]);
  const places = databases.map((name) => hosts.get(name));
  await using replicas = await startReplicas(databases.length - 1, "ANY 1 (*)", places);
  const own = nodes.map((name) => hosts.get(name));
  const lifeMaxMs = totalMs + reserveMs;
  const options = { hosts: own, storeUrl: replicas.url, folder: folder.path, lifeMaxMs };
  await using cluster = await HostCluster.start(options);
  const surroundings = { hosts, cluster, replicas, databases };
  console.log(`seed ${seed}: ${own.length} hosts, ${places.length} database servers`);
  const clients = { library: 2, keyed: 1, once: 1, lookers: 0 };
  const pace = { thinkMs: 40, movesPerKeys: 400, keysLength: 4 };
  const workload = new Workload({ url: cluster.url, folder: folder.path, seed, clients, ...pace });
  if (totalMs === 0) await strikeEach(surroundings, workload);
  else await strikeUntil(surroundings, workload, performance.now() + totalMs);
  return report(workload.operations, await workload.finish());
}

async function strikeEach(surroundings: Surroundings, workload: Workload): Promise<void> {
  for (const [index, fault] of (values.short ? fewFaults : faults).entries()) {
    await strike(surroundings, workload, fault, nodes[index % nodes.length]!);
  }
  if (!values.short) await strikePrimary(surroundings, workload);
}

async function strikeUntil(surroundings: Surroundings, workload: Workload, end: number): Promise<void> {
  const prng = createPrng(seed);
  const middle = (performance.now() + end) / 2;
  let failedOver = false;
  while (performance.now() < end) {
    if (!failedOver && performance.now() > middle) {
      failedOver = true;
      await strikePrimary(surroundings, workload);
    }
    await strike(surroundings, workload, faults[prng.below(faults.length)]!, nodes[prng.below(nodes.length)]!);
    await new Promise((next) => setTimeout(next, prng.number() * quietMsMax));
  }
}

async function strike(on: Surroundings, workload: Workload, fault: HostFault, name: string): Promise<void> {
  workload.fault(fault.name, name);
  const gapMs = await fault.strike(on, name);
  const words = gapMs === undefined ? "" : `: the slowest key answered again after ${Math.round(gapMs)} ms`;
  console.log(`${fault.name} (${name})${words}`);
}

async function strikePrimary(surroundings: Surroundings, workload: Workload): Promise<void> {
  workload.fault("kill -9", "primary");
  const backMs = await failOver(surroundings);
  console.log(`the primary is lost: service was back ${Math.round(backMs)} ms after the promotion`);
}

function report(operations: number, verdicts: readonly Verdict[]): boolean {
  console.log(`${operations} operations by clients`);
  for (const verdict of verdicts) console.log(formatVerdict(verdict));
  return verdicts.every(({ status, operations }) => status === "holds" && operations > 0);
}
