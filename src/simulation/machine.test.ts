import assert from "node:assert/strict";
import { test } from "node:test";
import bank from "../../examples/bank/system.ts";
import type { Connection } from "../ports/network.ts";
import { Cluster } from "./cluster.ts";
import { type Fault, FaultInjector } from "./faults.ts";
import type { Machine } from "./machine.ts";
import { nodePlace } from "./user-code/places.ts";
import { fairWeather } from "./weather.ts";

/** Nodes that serve, with no weather; `upgraded` has each process that runs the newer release. */
async function startCluster(nodes: number) {
  const upgraded = new Set<object>();
  const cluster = new Cluster({
    ...{ seed: 1, system: bank, nodes, weather: fairWeather(), shardsPerService: 4, limits: {}, keepTrace: false },
    code: (process, judge, isUpgraded) => {
      if (isUpgraded) upgraded.add(process);
      return { place: nodePlace(process, judge), system: bank };
    },
  });
  assert.ok(await cluster.start());
  const first = cluster.machine("node-1");
  return { cluster, first, upgraded };
}

const onFirst = { nodes: ["node-1"], amount: 0 } as const;

test("a node that is told to change its release while it starts starts again with the newer one", async () => {
  const { cluster, first, upgraded } = await startCluster(1);
  let running: Machine["running"] | undefined;
  const plan: readonly Fault[] = [
    { kind: "crash", at: 0, lastsMs: 50, ...onFirst, amount: 1 },
    { kind: "upgrade", at: 51, lastsMs: 0, ...onFirst },
  ];
  new FaultInjector(cluster).schedule(plan);
  cluster.world.after(50.5, () => {
    running = first.running;
  });
  await cluster.advance(30_000);
  assert.equal(running, null, "it was about to serve");
  assert.ok(first.running !== null && upgraded.has(first.process!));
  assert.deepEqual(cluster.judge.violations, []);
});

test("a sleep that meets no process leaves the clock of the machine going", async () => {
  const { cluster, first } = await startCluster(1);
  const plan: readonly Fault[] = [
    { kind: "crash", at: 0, lastsMs: 1_000, ...onFirst, amount: 1 },
    { kind: "suspend", at: 500, lastsMs: 15_000, ...onFirst },
  ];
  new FaultInjector(cluster).schedule(plan);
  await cluster.advance(2_000);
  assert.ok(first.process?.alive);
  const before = first.clock.monotonic();
  await cluster.advance(5_000);
  assert.equal(Math.round(first.clock.monotonic() - before), 5_000);
});

test("a node that has stopped and left a connection open is found out, and one that left none is not", async () => {
  for (const leaves of [false, true]) {
    const { cluster, first } = await startCluster(2);
    const { network, judge, machines } = cluster;
    const [here, there] = machines.map(({ process }) => network.portOf(process!));
    const start = (connection: Connection): void =>
      connection.start({ onData: () => {}, onDrain: () => {}, onEnd: () => {}, onClose: () => {} });
    await there!.listen("node-2:9", start);
    if (leaves) await cluster.until(here!.connect("node-2:9", 1_000).then(start), 1_000);
    await cluster.until(first.stop(1_000), 30_000);
    const [found] = judge.violations;
    assert.equal(found?.promise, leaves ? "bounded" : undefined);
    if (leaves) assert.equal(found?.text, "node-1 has stopped and left 1 ends of connections open");
  }
});
