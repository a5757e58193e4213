/** `synod up` as people start it: ready, stopped, killed, started twice. */
import assert from "node:assert/strict";
import { once } from "node:events";
import { existsSync, statSync, writeFileSync } from "node:fs";
import type { AddressInfo } from "node:net";
import { connect, createServer } from "node:net";
import { join } from "node:path";
import { test } from "node:test";
import { counterThat, project } from "./project.ts";
import {
  assertFigure,
  bank,
  kill9,
  lives,
  post,
  RunningUp,
  reportOf,
  startUp,
  synod,
  temporaryFolder,
  until,
  untilReady,
} from "./running-system.ts";

test("the ready line has the URLs and the nodes, and a clean stop leaves nothing behind but the state", async () => {
  using folder = temporaryFolder();
  {
    await using first = await startUp(folder.path);
    assert.equal(first.ready.event, "ready");
    assert.match(first.ready.http, /^http:\/\/127\.0\.0\.1:\d+$/);
    assert.match(first.ready.admin, /^http:\/\/127\.0\.0\.1:\d+$/);
    assert.deepEqual(
      first.ready.nodes.map(({ id }) => id),
      ["node-1", "node-2", "node-3"],
    );
    for (const { pid, address } of first.ready.nodes) {
      assert.ok(lives(pid));
      assert.match(address!, /^127\.0\.0\.1:\d+$/);
    }
    assert.equal((await post(first.ready.http, "/account/alice/deposit", { amount: 5 })).status, 200);
    first.signal("SIGINT");
    const { code, stdout } = await first.ended;
    assert.equal(code, 0);
    assert.equal(stdout.trim().split("\n").length, 1, "standard output holds the ready line only");
    assert.ok(!existsSync(join(folder.path, ".synod/bank.admin.json")), "the admin file is removed");
  }
  await using second = await startUp(folder.path);
  assert.deepEqual((await post(second.ready.http, "/account/alice/balance")).body, { balance: 5 });
});

for (const [nodes, figureMs] of [
  [1, 2_000],
  [3, 3_000],
] as const) {
  test(`the ready line comes within ${figureMs / 1_000} s of \`up\` after a clean stop (nodes: ${nodes})`, async () => {
    using folder = temporaryFolder();
    const start = async (): Promise<number> => {
      const started = performance.now();
      await using _up = await startUp(folder.path, [bank, "--nodes", String(nodes)]);
      return performance.now() - started;
    };
    await start();
    await assertFigure("a start after a clean stop", figureMs, start);
  });
}

test("Ctrl-C lets a request in progress finish and stops well within 10 s", async () => {
  using folder = temporaryFolder();
  await using up = await startUp(folder.path);
  const answers = Array.from({ length: 50 }, (_, index) =>
    post(up.ready.http, `/account/key-${index}/deposit`, { amount: 1 }),
  );
  await Promise.race(answers);
  up.signal("SIGINT");
  const started = performance.now();
  const statuses = (await Promise.allSettled(answers)).map((answer) =>
    answer.status === "fulfilled" ? answer.value.status : "refused",
  );
  assert.equal((await up.ended).code, 0);
  assert.ok(performance.now() - started < 10_000);
  // A connection that came after the doors were closed is refused; what was let in is answered.
  assert.ok(statuses.every((status) => status === 200 || status === "refused"));
});

test("a connection made while no node lives waits, and is answered after the restart", async () => {
  using folder = temporaryFolder();
  await using up = await startUp(folder.path);
  await post(up.ready.http, "/account/alice/deposit", { amount: 7 });
  const former = up.ready.nodes.map(({ pid }) => pid);
  for (const pid of former) kill9(pid);
  await until("all nodes are dead", () => !former.some(lives));
  const { hostname, port } = new URL(up.ready.http);
  const client = connect(Number(port), hostname);
  await once(client, "connect");
  client.write("GET /account/alice/balance HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
  let answer = "";
  client.on("data", (chunk) => (answer += chunk));
  await once(client, "close");
  assert.match(answer, /^HTTP\/1\.1 200 /);
  assert.match(answer, /\{"balance":7\}/);
  const nodes = await untilReady(folder.path, 3);
  assert.ok(nodes.every(({ pid, restarts }) => !former.includes(pid!) && restarts === 1));
});

test("the death of a node is told in words, with who took over how many shards and how fast", async () => {
  using folder = temporaryFolder();
  await using up = await startUp(folder.path, [bank, "--log-format", "text"]);
  kill9(up.ready.nodes[1]!.pid);
  await until("the node serves again", () => up.stderr.includes("node-2 serves again"));
  assert.match(up.stderr, /warn {2}supervisor {2}node-2 died \(SIGKILL\): starting it again/);
  assert.match(up.stderr, /supervisor {2}node-1 and node-3 took over the \d+ shards of node-2 in \d+ ms\n/);
  const aboutLinks = up.stderr.split("\n").filter((line) => line.includes("peer=node-2"));
  assert.ok(aboutLinks.length <= 2, `one line of each node that lost its link: ${aboutLinks.join("\n")}`);
});

test("a second `up` on the same store is refused in one sentence", async () => {
  using folder = temporaryFolder();
  await using _first = await startUp(folder.path);
  const second = await synod(folder.path, ["up", bank, "--port", "0", "--admin-port", "0"]);
  assert.equal(second.code, 1);
  assert.match(second.stderr, /^synod: System bank is already running on sqlite:.*bank\.db: /m);
  assert.doesNotMatch(second.stderr, /\n {4}at /, "no stack without --verbose");
});

test("nodes whose supervisor dies drain, then exit, while a new `up` takes over; a call that they have is answered", async () => {
  const gated =
    'while (!(await import("node:fs")).existsSync("go")) await new Promise((done) => setTimeout(done, 20)); ' +
    "return (ctx.state.count += step);";
  using folder = project(counterThat(gated));
  await using first = await startUp(folder.path, ["system.ts"]);
  const nodes = first.ready.nodes.map(({ pid }) => pid);
  const add = (): ReturnType<typeof post> => post(first.ready.http, "/counter/a/add", 7, { "idempotency-key": "once" });
  const accepted = add();
  await until("the call is being handled", async () =>
    (await reportOf(folder.path, "counters")).nodes.some(({ status }) => status?.callsInFlight === 1),
  );
  first.signal("SIGKILL");
  await until("the supervisor is dead", () => !lives(first.pid));
  const { port } = new URL(first.ready.http);
  await using second = new RunningUp(folder.path, ["system.ts", "--port", port]);
  const ready = second.whenReady();
  await until("all nodes drain", () => first.stderr.split("the supervisor is gone: draining").length === 4);
  writeFileSync(join(folder.path, "go"), "");
  assert.deepEqual(await accepted, { status: 200, body: 7 }, "what was accepted is answered");
  assert.equal((await ready).http, first.ready.http);
  await until("the nodes without a supervisor have ended", () => !nodes.some(lives));
  assert.deepEqual(await add(), { status: 200, body: 7 }, "and took effect once");
});

test("after a crash of everything the system is ready within 3 s and the time for leases to run out", async () => {
  using folder = temporaryFolder();
  await assertFigure("a start after a crash of everything", 3_000 + 2_200, () => crashAndStartAgain(folder.path));
});

/** Resolves with the time that the new start took. */
async function crashAndStartAgain(folder: string): Promise<number> {
  await using first = await startUp(folder);
  await post(first.ready.http, "/account/alice/deposit", { amount: 3 });
  const { body: before } = await post(first.ready.http, "/account/alice/balance");
  // Stopped first, the nodes cannot notice that their supervisor is gone and leave in order.
  for (const { pid } of first.ready.nodes) process.kill(pid, "SIGSTOP");
  first.signal("SIGKILL");
  for (const { pid } of first.ready.nodes) kill9(pid);
  await first.ended;
  const started = performance.now();
  const { port } = new URL(first.ready.http);
  await using second = new RunningUp(folder, [bank, "--port", port]);
  const ready = second.whenReady();
  await until("a node waits for the lease of a dead one", () => /for the lease of node-\d/.test(second.stderr));
  const early = post(first.ready.http, "/account/alice/balance");
  assert.equal((await ready).http, first.ready.http);
  const readyMs = performance.now() - started;
  assert.deepEqual((await early).body, before, "who asked before it was ready was let in and answered");
  return readyMs;
}

test("a port in use is refused in one sentence, for HTTP and for the admin API", async () => {
  using folder = temporaryFolder();
  const other = createServer().listen(0, "127.0.0.1");
  await once(other, "listening");
  const port = String((other.address() as AddressInfo).port);
  try {
    const http = await synod(folder.path, ["up", bank, "--port", port, "--admin-port", "0"]);
    assert.equal(http.code, 1);
    assert.match(
      http.stderr,
      new RegExp(`^synod: The address 127\\.0\\.0\\.1:${port} is in use by another program`, "m"),
    );
    const admin = await synod(folder.path, ["up", bank, "--port", "0", "--admin-port", port]);
    assert.equal(admin.code, 1);
    assert.match(admin.stderr, new RegExp(`^synod: The admin port ${port} is in use by another program`, "m"));
  } finally {
    other.close();
  }
});

test("a node that is killed while everything drains does not come back", async () => {
  using folder = temporaryFolder();
  await using up = new RunningUp(folder.path, [bank]);
  await up.whenReady();
  up.signal("SIGTERM");
  process.kill(up.ready!.nodes[0]!.pid, "SIGKILL");
  const { code, stderr } = await up.ended;
  assert.equal(code, 0);
  assert.doesNotMatch(stderr, /serves again/);
});

test("the admin file can be read by its owner only, and the lock is empty", async () => {
  using folder = temporaryFolder();
  await using _up = await startUp(folder.path);
  assert.equal(statSync(join(folder.path, ".synod/bank.admin.json")).mode & 0o777, 0o600);
  assert.equal(statSync(join(folder.path, ".synod/bank.lock")).size, 0);
});

test("a store in memory works, and `up` says that it is lost with the node", async () => {
  using folder = temporaryFolder();
  await using up = await startUp(folder.path, [bank, "--store", "memory:"]);
  assert.match(
    up.stderr,
    /the store is in memory: one node runs, and everything is lost when it ends, crashes included/,
  );
  await post(up.ready.http, "/account/alice/deposit", { amount: 5 });
  process.kill(up.ready.nodes[0]!.pid, "SIGKILL");
  assert.deepEqual((await post(up.ready.http, "/account/alice/balance")).body, { balance: 0 });
});
