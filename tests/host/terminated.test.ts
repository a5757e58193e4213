/** SIGTERM that is not for the supervisor alone: to all processes at once, as systemd sends it, and to one node. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { Supervisor } from "../../src/host/supervisor.ts";
import { deposit } from "./load.ts";
import { counter, project } from "./project.ts";
import {
  kill9,
  lives,
  post,
  RunningUp,
  reportOf,
  startUp,
  temporaryFolder,
  until,
  untilReady,
} from "./running-system.ts";

/** Counting takes a while, on two nodes, and the availability is kept at the end. */
const slow = `import { setTimeout as pause } from "node:timers/promises";
${counter
  .replace(
    "export default",
    `const Slow = defineInterface("slow", {
  key: z.string(),
  operations: { add: command({ durable: true, output: z.number() }) },
});
const slow = implement(Slow, {
  calls: [Counter],
  state: { version: 1, initial: () => ({}) },
  operations: {
    add: async (ctx) => {
      await ctx.step("before", () => pause(500));
      const count = await ctx.to(Counter, ctx.key).add(1);
      await ctx.step("after", () => pause(500));
      return count;
    },
  },
});
export default`,
  )
  .replace("services: [counter]", 'services: [counter, slow], availability: { objective: "99.9%" }')}`;

test("SIGTERM to the whole process group is a stop in order: what was let in is answered, and no node comes back", async () => {
  using folder = project(slow);
  await using up = new RunningUp(folder.path, ["system.ts"], undefined, {}, true);
  const { http, nodes } = await up.whenReady();
  const calls = Array.from({ length: 40 }, (_, index) => post(http, `/slow/${index}/add`));
  await until("all are being handled", async () => {
    const report = await reportOf(folder.path, "counters");
    return report.nodes.reduce((sum, { status }) => sum + (status?.callsInFlight ?? 0), 0) >= 40;
  });
  process.kill(-up.pid, "SIGTERM");
  assert.deepEqual(new Set((await Promise.all(calls)).map(({ status }) => status)), new Set([200]));
  const { code, stderr } = await up.ended;
  assert.equal(code, 0);
  assert.doesNotMatch(stderr, /starting it again|serves again/);
  assert.ok(!nodes.some(({ pid }) => lives(pid)));
});

test("SIGTERM to one node is a restart of it: its keys are handed over, no call fails, and it comes back", async () => {
  using folder = temporaryFolder();
  await using up = await startUp(folder.path);
  const [, second] = up.ready.nodes;
  let stop = false;
  const attempts: number[] = [];
  const clients = Array.from({ length: 8 }, async (_, client) => {
    for (let call = 0; !stop; call++) {
      attempts.push((await deposit(up.ready.http, `account-${client}-${call % 20}`, 1)).attempts);
    }
  });
  await until("there is load", () => attempts.length > 100);
  process.kill(second!.pid, "SIGTERM");
  await until("the node has ended", () => !lives(second!.pid));
  const nodes = await untilReady(folder.path, 3);
  stop = true;
  await Promise.all(clients);
  assert.ok(
    nodes.every(({ restarts }) => restarts === 0),
    "it did not die",
  );
  assert.match(up.stderr, /node-2 was restarted/);
  assert.equal(Math.max(...attempts), 1, "nobody had to repeat his call");
});

test("a node that dies when a stop is announced stays down", async () => {
  using folder = project(counter);
  const lines: string[] = [];
  const write = (message: string): void => void lines.push(message);
  const supervisor = new Supervisor({
    systemFile: folder.file,
    store: `sqlite:${folder.path}/counters.db`,
    ...{ port: 0, drainMs: 1_000, nodes: 2, quietStdout: true },
    log: { debug: () => {}, info: write, warn: write, error: write },
    nodeLog: { format: "text", level: "error" },
  });
  try {
    await supervisor.prepare();
    await supervisor.start();
    supervisor.announceStop();
    kill9(supervisor.nodes[0]!.pid!);
    await until("it is buried", async () => (await supervisor.report())[0]!.state === "stopped");
  } finally {
    await supervisor.stop(1_000);
  }
  assert.doesNotMatch(lines.join("\n"), /starting it again|serves again/);
});
