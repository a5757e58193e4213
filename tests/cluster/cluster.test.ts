/** Three real processes under faults: nothing is lost, nothing is doubled, and the loss of a node is a short pause. */
import assert from "node:assert/strict";
import { copyFileSync } from "node:fs";
import { Agent } from "node:http";
import { tmpdir } from "node:os";
import { basename, join } from "node:path";
import { type TestContext, test } from "node:test";
import { formatVerdict } from "../../src/simulation/checkers/verdict.ts";
import { assertFigure, crowding, temporaryFolder, until } from "../host/running-system.ts";
import { ask, isOverload } from "./bare-http.ts";
import { Cluster, wake } from "./cluster.ts";
import { drain, type Fault, kill, pause } from "./faults.ts";
import { Workload } from "./workload/workload.ts";

const leaseTtlMs = 2_000;
/** Processes that want each core beyond which nodes may turn some of these requests away: they cannot have enough of it. */
const crowdedFrom = 3;

/** Every promise that the histories of clients can show, and that clients of the library were told no failure. */
async function assertSafe(workload: Workload): Promise<void> {
  const verdicts = await workload.finish();
  const broken = verdicts.filter(({ status, operations }) => status !== "holds" || operations === 0);
  const kept = tmpdir();
  if (broken.length > 0) for (const path of workload.paths) copyFileSync(path, join(kept, basename(path)));
  const names = workload.paths.map((path) => basename(path)).join(", ");
  assert.equal(broken.map(formatVerdict).join("\n"), "", `the history is in ${kept}: ${names}`);
  assert.deepEqual(workload.failures.library, []);
  assert.deepEqual(workload.failures.keyed, []);
}

/** The wait of the slowest key for each node in turn; the best of them counts. */
async function strikeEach(t: TestContext, cluster: Cluster, workload: Workload, fault: Fault, figureMs: number) {
  const waits: number[] = [];
  for (const node of cluster.nodeIds) {
    workload.fault(fault.name, node);
    waits.push(await fault.strike(cluster, node));
  }
  const words = waits.map((ms) => Math.round(ms)).join(", ");
  t.diagnostic(`${fault.name}: the slowest key answered again after ${words} ms`);
  assert.ok(Math.min(...waits) < figureMs, `${fault.name}: ${words} ms, each more than ${figureMs} ms`);
}

test("histories of clients are linearizable while each node is killed, one is stopped and one drained", async (t) => {
  using folder = temporaryFolder();
  await using cluster = await Cluster.start();
  const seed = Date.now() % 2 ** 31;
  t.diagnostic(`seed ${seed}`);
  const clients = { library: 2, keyed: 1, once: 1, lookers: 0 };
  const pace = { thinkMs: 30, movesPerKeys: 400, keysLength: 4 };
  const workload = new Workload({ url: cluster.url, folder: folder.path, seed, clients, ...pace });
  await strikeEach(t, cluster, workload, kill, 1_000);
  workload.fault(drain.name, "node-2");
  t.diagnostic(`drain: ${Math.round(await drain.strike(cluster, "node-2"))} ms`);
  workload.fault(pause.name, "node-3");
  t.diagnostic(`SIGSTOP: ${Math.round(await pause.strike(cluster, "node-3"))} ms`);
  await assertSafe(workload);
  t.diagnostic(`${workload.operations} operations`);
  assert.ok(workload.operations > 1_000, "there was load");
});

test("a stopped node takes no new connections, and its keys answer within its lease and a second", async (t) => {
  await using cluster = await Cluster.start();
  let next = 0;
  await assertFigure("the slowest key of a stopped node", leaseTtlMs + 1_000, async () => {
    const node = cluster.nodeIds[next++ % cluster.nodeIds.length]!;
    const worst = await pause.strike(cluster, node);
    t.diagnostic(`${node}: ${Math.round(worst)} ms`);
    return worst;
  });
  const pid = await cluster.pidOf("node-1");
  const keys = await cluster.countersOf("node-2", 5, "elsewhere");
  process.kill(pid, "SIGSTOP");
  try {
    // Connections come as long as it stands still, also right away, when everybody believes in it.
    const started = performance.now();
    let answered = 0;
    while (performance.now() - started < leaseTtlMs + 1_500) {
      const answers = await Promise.all(keys.map((key) => ask(cluster.url, `/counter/${key}/add`, 1)));
      const served = answers.filter(({ status }) => status === 200);
      assert.ok(answers.every((answer) => answer.status === 200 || (isOverload(answer) && crowding() > crowdedFrom)));
      answered += served.length;
    }
    t.diagnostic(`${answered} requests on connections of their own while a node stood still`);
    assert.ok(answered > 50);
  } finally {
    wake(pid);
  }
  await cluster.whole();
});

test("a rolling restart under 500 requests/s fails none of them, and none waits for a second", async (t) => {
  await using cluster = await Cluster.start();
  await assertFigure("the longest wait in a rolling restart", 1_000, async () => {
    await using load = openLoop(cluster.url, 500);
    for (const node of cluster.nodeIds) await cluster.restart(node);
    await cluster.whole();
    const { requests, failures, turnedAway, longestMs, perSecond } = await load.stop();
    const rate = `${requests} requests, ${Math.round(perSecond)} in a second`;
    t.diagnostic(`${rate}, ${turnedAway} turned away, the longest took ${Math.round(longestMs)} ms`);
    assert.deepEqual(failures, []);
    // Another attempt may find the machine free enough to serve all.
    return turnedAway === 0 || crowding() > crowdedFrom ? longestMs : Number.POSITIVE_INFINITY;
  });
});

/** Requests that are sent together. */
const burstLength = 25;

/** Requests that are sent when they are due by the clock, however slow the answers are; none is ever repeated. */
function openLoop(url: string, perSecond: number) {
  // As many as it takes: each is idle between bursts, and many are for longer.
  const agent = new Agent({ keepAlive: true, scheduling: "lifo" });
  const failures: string[] = [];
  let turnedAway = 0;
  const answers: Promise<void>[] = [];
  const started = performance.now();
  let longestMs = 0;
  const send = async (number: number): Promise<void> => {
    const sentAt = performance.now();
    const path = `/counter/load-${number % 300}/${number % 2 === 0 ? "add" : "read"}`;
    const input = number % 2 === 0 ? 1 : undefined;
    const answer = await ask(url, path, input, { agent, waitMs: 60_000 }).catch((error: Error) => error);
    longestMs = Math.max(longestMs, performance.now() - sentAt);
    if (answer instanceof Error) failures.push(answer.message);
    else if (isOverload(answer)) turnedAway += 1;
    else if (answer.status !== 200) failures.push(JSON.stringify(answer));
  };
  const timer = setInterval(() => {
    const due = ((performance.now() - started) * perSecond) / 1_000;
    while (answers.length < Math.floor(due / burstLength) * burstLength) answers.push(send(answers.length));
  }, 1);
  const end = (): void => {
    clearInterval(timer);
    agent.destroy();
  };
  return {
    [Symbol.asyncDispose]: async () => end(),
    stop: async () => {
      clearInterval(timer);
      const elapsedMs = performance.now() - started;
      await Promise.all(answers);
      end();
      const perSecond = (answers.length * 1_000) / elapsedMs;
      return { requests: answers.length, failures, turnedAway, longestMs, perSecond };
    },
  };
}

test("three nodes are ready within 3 s after a clean stop", async (t) => {
  await assertFigure("the start of three nodes", 3_000, async () => {
    await using cluster = await Cluster.start();
    const readyMs = await cluster.stopAndStartAgain();
    t.diagnostic(`${Math.round(readyMs)} ms`);
    return readyMs;
  });
});

test("three nodes that commit at full speed keep their leases, and no heartbeat waits for half of one", async (t) => {
  await assertFigure("the longest wait of a heartbeat", leaseTtlMs / 2, async () => {
    await using cluster = await Cluster.start();
    const incarnations = async () => (await cluster.nodes()).map(({ status }) => status?.incarnation);
    const before = await incarnations();
    const commands = await commitForSeconds(cluster, 5);
    const after = await until("every node answers", async () => {
      const nodes = await cluster.nodes();
      return nodes.every(({ status }) => status !== undefined) && nodes;
    });
    assert.deepEqual(await incarnations(), before, "no lease was lost");
    assert.doesNotMatch(cluster.log, /lease was ended/);
    const waits = after.map(({ status }) => Math.round(status!.heartbeatWorstMs));
    t.diagnostic(`${commands} commands in 5 s; the longest waits of heartbeats: ${waits.join(", ")} ms`);
    return Math.max(...waits);
  });
});

/** All nodes commit as much as they can; resolves with how many commands that was. */
async function commitForSeconds(cluster: Cluster, seconds: number): Promise<number> {
  const agent = new Agent({ keepAlive: true });
  const end = performance.now() + seconds * 1_000;
  let commands = 0;
  const client = async (number: number): Promise<void> => {
    for (let call = number; performance.now() < end; call += 48) {
      const answer = await ask(cluster.url, `/counter/speed-${call % 500}/add`, 1, { agent });
      if (answer.status === 200) commands++;
      else assert.ok(isOverload(answer), JSON.stringify(answer));
    }
  };
  await Promise.all(Array.from({ length: 48 }, (_, number) => client(number)));
  agent.destroy();
  return commands;
}
