/**
 * The cluster test for as long as one likes: `npm run test:cluster -- --minutes 10`. The same clients and faults as
 * in cluster.test.ts, in an order that a seed decides, then full speed without faults; ends with a report, and with
 * exit code 1 unless every promise holds.
 */
import { mkdtempSync } from "node:fs";
import { Agent } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { formatVerdict, type Verdict } from "../../src/simulation/checkers/verdict.ts";
import { createPrng } from "../../src/values/prng.ts";
import { ask } from "./bare-http.ts";
import { Cluster } from "./cluster.ts";
import { drain, type Fault, kill, pause, rolling } from "./faults.ts";
import { Workload } from "./workload.ts";

const faults: readonly Fault[] = [kill, pause, drain, rolling, kill, kill];
const quietMsMax = 3_000;
/** Of the whole time, the part without faults and at full speed; a minute at the most. */
const fullSpeedPart = 0.2;
const fullSpeedMsMax = 60_000;
const fullSpeedClients = 48;
const leaseTtlMs = 2_000;
/** For what comes after the last fault: the checkers, a restart, full speed. */
const reserveMs = 10 * 60_000;

/** What one kind of fault did. */
interface Struck {
  readonly gapsMs: number[];
}

const { values } = parseArgs({
  options: {
    minutes: { type: "string", default: "10" },
    seed: { type: "string", default: String(Date.now() % 2 ** 31) },
  },
});
const totalMs = Number(values.minutes) * 60_000;
const seed = Number(values.seed);
if (!(totalMs > 0) || !Number.isSafeInteger(seed)) throw new Error("--minutes and --seed are numbers");
process.exitCode = (await soak()) ? 0 : 1;

async function soak(): Promise<boolean> {
  const folder = mkdtempSync(join(tmpdir(), "synod-soak-"));
  console.log(`seed ${seed}, ${values.minutes} minutes, histories in ${folder}`);
  await using cluster = await Cluster.start(totalMs + reserveMs);
  const clients = { libraryClients: 3, bareClients: 2, thinkMs: 20 };
  const workload = new Workload({ url: cluster.url, folder, seed, ...clients });
  const fullSpeedMs = Math.min(fullSpeedMsMax, totalMs * fullSpeedPart);
  const struck = await strikeUntil(cluster, workload, performance.now() + totalMs - fullSpeedMs);
  console.log(`judging ${workload.operations} operations`);
  const verdicts = await workload.finish();
  // New processes: what their heartbeats waited for while they were stopped is not what is asked here.
  await rolling.strike(cluster, cluster.nodeIds[0]!);
  const speed = await fullSpeed(cluster, fullSpeedMs);
  return report(workload, struck, verdicts, speed);
}

async function strikeUntil(cluster: Cluster, workload: Workload, end: number): Promise<ReadonlyMap<string, Struck>> {
  const prng = createPrng(seed);
  const struck = new Map<string, Struck>();
  while (performance.now() < end) {
    const fault = faults[prng.below(faults.length)]!;
    const node = cluster.nodeIds[prng.below(cluster.nodeIds.length)]!;
    workload.fault(fault.name, node);
    const gapMs = await fault.strike(cluster, node);
    console.log(`${fault.name} of ${node}: the slowest key answered again after ${Math.round(gapMs)} ms`);
    const { gapsMs } = struck.get(fault.name) ?? { gapsMs: [] };
    struck.set(fault.name, { gapsMs: [...gapsMs, gapMs] });
    await new Promise((next) => setTimeout(next, prng.number() * quietMsMax));
  }
  return struck;
}

interface Speed {
  readonly commands: number;
  readonly seconds: number;
  readonly heartbeatWorstMs: number;
  readonly leasesLost: boolean;
}

/** All nodes commit as much as they can: what that does to their heartbeats. */
async function fullSpeed(cluster: Cluster, ms: number): Promise<Speed> {
  const incarnations = async () => (await cluster.nodes()).map(({ status }) => status?.incarnation).join();
  const before = await incarnations();
  const agent = new Agent({ keepAlive: true });
  const started = performance.now();
  let commands = 0;
  const client = async (number: number): Promise<void> => {
    for (let call = number; performance.now() - started < ms; call += fullSpeedClients, commands++) {
      await ask(cluster.url, `/counter/speed-${call % 500}/add`, 1, { agent });
    }
  };
  await Promise.all(Array.from({ length: fullSpeedClients }, (_, number) => client(number)));
  agent.destroy();
  const waits = (await cluster.nodes()).map(({ status }) => status?.heartbeatWorstMs ?? Number.POSITIVE_INFINITY);
  const seconds = (performance.now() - started) / 1_000;
  return { commands, seconds, heartbeatWorstMs: Math.max(...waits), leasesLost: before !== (await incarnations()) };
}

function report(
  workload: Workload,
  struck: ReadonlyMap<string, Struck>,
  verdicts: readonly Verdict[],
  { commands, seconds, heartbeatWorstMs, leasesLost }: Speed,
): boolean {
  const { operations, libraryFailures } = workload;
  console.log(`\n${operations} operations by clients, ${libraryFailures.length} of the library's failed`);
  for (const failure of libraryFailures.slice(0, 20)) console.log(`  ${failure}`);
  for (const [name, { gapsMs }] of struck) {
    const sorted = gapsMs.toSorted((a, b) => a - b).map(Math.round);
    const [median, worst] = [sorted[Math.floor(sorted.length / 2)], sorted.at(-1)];
    console.log(`${name}: ${sorted.length} times; slowest key: median ${median} ms, worst ${worst} ms`);
  }
  const rate = Math.round(commands / seconds);
  console.log(
    `full speed: ${rate} commands/s for ${Math.round(seconds)} s; leases lost: ${leasesLost ? "yes" : "none"}`,
  );
  console.log(`the longest wait of a heartbeat: ${Math.round(heartbeatWorstMs)} ms of a lease of ${leaseTtlMs} ms`);
  for (const verdict of verdicts) console.log(formatVerdict(verdict));
  const holds =
    verdicts.every(({ status, operations: checked }) => status === "holds" && checked > 0) &&
    libraryFailures.length === 0 &&
    !leasesLost &&
    heartbeatWorstMs < leaseTtlMs / 2;
  console.log(holds ? "every promise held" : `NOT every promise held: see ${workload.path}`);
  return holds;
}
