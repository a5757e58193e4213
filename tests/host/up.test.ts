/** `synod up` as people start it: ready, stopped, killed, started twice. */
import assert from "node:assert/strict";
import { once } from "node:events";
import { existsSync, statSync } from "node:fs";
import type { AddressInfo } from "node:net";
import { connect, createServer } from "node:net";
import { join } from "node:path";
import { test } from "node:test";
import {
  assertFigure,
  bank,
  lives,
  nodePid,
  post,
  RunningUp,
  startUp,
  synod,
  temporaryFolder,
  until,
} from "./running-system.ts";

test("the ready line has the URLs and the nodes, and a clean stop leaves nothing behind but the state", async () => {
  using folder = temporaryFolder();
  {
    await using first = await startUp(folder.path);
    assert.equal(first.ready.event, "ready");
    assert.match(first.ready.http, /^http:\/\/127\.0\.0\.1:\d+$/);
    assert.match(first.ready.admin, /^http:\/\/127\.0\.0\.1:\d+$/);
    assert.deepEqual(Object.keys(first.ready.nodes[0]!).sort(), ["address", "id", "pid"]);
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

test("the ready line comes within 2 s of `up` after a clean stop", async () => {
  using folder = temporaryFolder();
  const start = async (): Promise<number> => {
    const started = performance.now();
    await using _up = await startUp(folder.path);
    return performance.now() - started;
  };
  await start();
  await assertFigure("a start after a clean stop", 2_000, start);
});

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
  const [node] = up.ready.nodes;
  await post(up.ready.http, "/account/alice/deposit", { amount: 7 });
  process.kill(node!.pid, "SIGKILL");
  await until("the node is dead", () => !lives(node!.pid));
  const { hostname, port } = new URL(up.ready.http);
  const client = connect(Number(port), hostname);
  await once(client, "connect");
  client.write("GET /account/alice/balance HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
  let answer = "";
  client.on("data", (chunk) => (answer += chunk));
  await once(client, "close");
  assert.match(answer, /^HTTP\/1\.1 200 /);
  assert.match(answer, /\{"balance":7\}/);
  const next = await until("the next node is ready", () => nodePid(folder.path));
  assert.notEqual(next, node!.pid);
});

test("a second `up` on the same store is refused in one sentence, also right after the first one was killed", async () => {
  using folder = temporaryFolder();
  await using first = await startUp(folder.path);
  const second = await synod(folder.path, ["up", bank, "--port", "0", "--admin-port", "0"]);
  assert.equal(second.code, 1);
  assert.match(second.stderr, /^synod: System bank is already running on sqlite:.*bank\.db: /m);
  assert.doesNotMatch(second.stderr, /\n {4}at /, "no stack without --verbose");
  const [node] = first.ready.nodes;
  first.signal("SIGKILL");
  await first.ended;
  await until("the node without a supervisor has drained", () => !lives(node!.pid));
  await using third = await startUp(folder.path);
  assert.equal((await post(third.ready.http, "/account/alice/balance")).status, 200);
});

test("after a crash of everything the system is ready within 2 s and the time for the lease to run out", async () => {
  using folder = temporaryFolder();
  await assertFigure("a start after a crash of everything", 2_000 + 2_200, () => crashAndStartAgain(folder.path));
});

/** Resolves with the time that the new start took. */
async function crashAndStartAgain(folder: string): Promise<number> {
  await using first = await startUp(folder);
  await post(first.ready.http, "/account/alice/deposit", { amount: 3 });
  const { body: before } = await post(first.ready.http, "/account/alice/balance");
  // Stopped first, the node cannot notice that its supervisor is gone and leave in order.
  process.kill(first.ready.nodes[0]!.pid, "SIGSTOP");
  first.signal("SIGKILL");
  process.kill(first.ready.nodes[0]!.pid, "SIGKILL");
  await first.ended;
  const started = performance.now();
  const { port } = new URL(first.ready.http);
  await using second = new RunningUp(folder, [bank, "--port", port]);
  const ready = second.whenReady();
  await until("the node waits for the lease of its dead predecessor", () =>
    /for the lease of node-1/.test(second.stderr),
  );
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

test("a node that is killed on purpose while it drains does not come back", async () => {
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
  assert.match(up.stderr, /the store is in memory: everything is lost when the node ends/);
  await post(up.ready.http, "/account/alice/deposit", { amount: 5 });
  process.kill(up.ready.nodes[0]!.pid, "SIGKILL");
  assert.deepEqual((await post(up.ready.http, "/account/alice/balance")).body, { balance: 0 });
});
