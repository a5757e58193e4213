/** `synod drain` and `synod restart`: nodes go and come back, and no request fails. */
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { writeFileSync } from "node:fs";
import { Agent, type IncomingMessage, request } from "node:http";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { counterThat, project } from "./project.ts";
import {
  bank,
  bin,
  finished,
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

/** Handlers that go on when the test says so, by a file, so that a drain takes as long as it should. */
const gated = counterThat(
  'while (!(await import("node:fs")).existsSync("go")) await new Promise((done) => setTimeout(done, 20)); return step;',
);
const patient = ["system.ts", "--drain-seconds", "60"];

/** Calls that wait for the file, and a node that has accepted some of them. */
async function waitingCalls(folder: string, url: string) {
  const answers = Array.from({ length: 9 }, (_, index) =>
    post(url, `/counter/key-${index}/add`, index, { "request-timeout": "60" }).then(
      ({ body }) => body,
      () => undefined,
    ),
  );
  const busy = await until("a node has calls in flight", async () =>
    (await reportOf(folder, "counters")).nodes.find(({ status }) => (status?.callsInFlight ?? 0) > 0),
  );
  return { answers: Promise.all(answers), busy: { id: busy.id, pid: busy.pid! } };
}

async function untilDraining(folder: string, node: string): Promise<void> {
  await until("the drain has begun", async () =>
    (await reportOf(folder, "counters")).nodes.some(({ id, state }) => id === node && state === "draining"),
  );
}

/** Clients that deposit without pause and never repeat a request, until they are stopped. */
class Load implements AsyncDisposable {
  readonly failures: string[] = [];
  requests = 0;
  longestMs = 0;
  #stopped = false;
  readonly #clients: readonly Promise<void>[];

  constructor(url: string, clients: number) {
    this.#clients = Array.from({ length: clients }, (_, number) => this.#run(url, number));
  }

  async stop(t: TestContext): Promise<void> {
    await this[Symbol.asyncDispose]();
    t.diagnostic(`${this.requests} requests, the longest took ${Math.round(this.longestMs)} ms`);
    assert.deepEqual(this.failures, []);
    assert.ok(this.requests > 100, "there was load");
  }

  async #run(url: string, number: number): Promise<void> {
    for (let turn = 0; !this.#stopped; turn++) {
      const started = performance.now();
      const answer = await post(url, `/account/load-${number}-${turn % 8}/deposit`, { amount: 1 }).catch(
        (error: Error) => ({ status: 0, body: `${error.message}: ${String(error.cause)}` }),
      );
      this.requests++;
      this.longestMs = Math.max(this.longestMs, performance.now() - started);
      if (answer.status !== 200) this.failures.push(JSON.stringify(answer));
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#stopped = true;
    await Promise.all(this.#clients);
  }
}

test("a drain hands everything over, a restart brings the node back, and under load no request fails", async (t) => {
  using folder = temporaryFolder();
  await using up = await startUp(folder.path);
  await using load = new Load(up.ready.http, 8);
  const former = up.ready.nodes[1]!.pid;
  const drained = await synod(folder.path, ["drain", "node-2"]);
  assert.deepEqual([drained.code, drained.stderr], [0, ""]);
  assert.match(drained.stdout, /^node-2 drained in \d+\.\d s\n$/);
  assert.ok(!lives(former));
  const { nodes } = await reportOf(folder.path);
  assert.deepEqual(
    nodes.map(({ state }) => state),
    ["ready", "drained", "ready"],
  );
  assert.deepEqual(nodes[0]!.status!.members.map(({ node }) => node).sort(), ["node-1", "node-3"]);
  const again = await synod(folder.path, ["drain", "node-2", "--json"]);
  assert.equal(again.code, 0, "a drained node is what was asked for");
  assert.match((await synod(folder.path, ["restart", "node-2"])).stdout, /^node-2 restarted in \d+\.\d s\n$/);
  await untilReady(folder.path, 3);
  await load.stop(t);
  assert.doesNotMatch(up.stderr, /"level":"(warn|error)"/, "planned work is no trouble");
});

test("a rolling restart replaces every process under load without a failed request, and tells it as JSON", async (t) => {
  using folder = temporaryFolder();
  await using up = await startUp(folder.path);
  await using load = new Load(up.ready.http, 8);
  const { code, stdout, stderr } = await synod(folder.path, ["restart", "--rolling", "--json"], 60_000);
  assert.deepEqual([code, stderr], [0, ""]);
  const events = stdout
    .trim()
    .split("\n")
    .map((line) => JSON.parse(line) as { event: string; node: string; seconds: number });
  assert.deepEqual(
    events.map(({ event, node }) => `${node} ${event}`),
    ["node-1 restarted", "node-2 restarted", "node-3 restarted"],
  );
  assert.ok(events.every(({ seconds }) => seconds > 0));
  const former = up.ready.nodes.map(({ pid }) => pid);
  const nodes = await untilReady(folder.path, 3);
  assert.ok(nodes.every(({ pid, restarts }) => !former.includes(pid!) && restarts === 0));
  await load.stop(t);
});

/** One request on a connection of the agent's: which connection that was, and whether it stays. */
async function onKept(agent: Agent, url: string) {
  const call = request(new URL("/account/kept/deposit", url), {
    method: "POST",
    agent,
    headers: { "content-type": "application/json" },
  });
  const { promise, resolve, reject } = Promise.withResolvers<IncomingMessage>();
  call.on("response", resolve).on("error", reject).end('{"amount":1}');
  const response = await promise;
  const { localPort } = response.socket;
  for await (const _ of response);
  return { status: response.statusCode, connection: response.headers.connection, localPort };
}

for (const nodes of [3, 1]) {
  test(`an idle connection outlives the node that answers on it, for good (${nodes} nodes)`, async () => {
    using folder = temporaryFolder();
    await using up = await startUp(folder.path, [bank, "--nodes", String(nodes)]);
    const agents = Array.from({ length: 12 }, () => new Agent({ keepAlive: true, maxSockets: 1 }));
    const ask = () => Promise.all(agents.map((agent) => onKept(agent, up.ready.http)));
    const before = await ask();
    const { code, stderr } = await synod(folder.path, ["restart", "--rolling"], 60_000);
    assert.deepEqual([code, stderr], [0, ""]);
    assert.deepEqual(await ask(), before);
    assert.ok(before.every(({ status, connection }) => status === 200 && connection === "keep-alive"));
    // The end of everything is not held up by connections.
    const started = performance.now();
    up.signal("SIGTERM");
    assert.equal((await up.ended).code, 0);
    assert.ok(performance.now() - started < 5_000);
    for (const agent of agents) agent.destroy();
  });
}

test("a drained node stays down in a rolling restart, and the last node is not drained", async () => {
  using folder = temporaryFolder();
  await using _up = await startUp(folder.path, [bank, "--nodes", "2"]);
  assert.equal((await synod(folder.path, ["drain", "node-1"])).code, 0);
  const rolling = await synod(folder.path, ["restart", "--rolling"]);
  assert.match(rolling.stdout, /^node-1 is drained: it is left as it is\nnode-2 restarted in \d+\.\d s\n$/);
  const last = await synod(folder.path, ["drain", "node-2"]);
  assert.equal(last.code, 1);
  assert.equal(
    last.stderr,
    "synod: No other node serves that could take over from node-2: it cannot be drained. Ctrl-C stops the system.\n",
  );
  const unknown = await synod(folder.path, ["drain", "node-9"]);
  assert.deepEqual(
    [unknown.code, unknown.stderr],
    [1, "synod: There is no node node-9: this system has node-1, node-2.\n"],
  );
});

test("planned work is for one node at a time; who asks for the same waits for the same", async () => {
  using folder = project(gated);
  await using up = await startUp(folder.path, patient);
  const { answers, busy } = await waitingCalls(folder.path, up.ready.http);
  const other = up.ready.nodes.find(({ id }) => id !== busy.id)!;
  const first = synod(folder.path, ["drain", busy.id]);
  await untilDraining(folder.path, busy.id);
  const joined = synod(folder.path, ["drain", busy.id]);
  for (const words of [
    ["drain", other.id],
    ["restart", busy.id],
  ]) {
    const { code, stderr } = await synod(folder.path, words);
    assert.equal(code, 1);
    assert.equal(stderr, `synod: ${busy.id} is being drained: planned work is for one node at a time\n`);
  }
  writeFileSync(join(folder.path, "go"), "");
  assert.deepEqual([(await first).code, (await joined).code], [0, 0]);
  assert.deepEqual(await answers, [0, 1, 2, 3, 4, 5, 6, 7, 8]);
});

test("a node that dies while it drains is drained all the same, and one that is starting is started again", async () => {
  using folder = project(gated);
  await using up = await startUp(folder.path, patient);
  const { answers, busy } = await waitingCalls(folder.path, up.ready.http);
  const drain = synod(folder.path, ["drain", busy.id]);
  await untilDraining(folder.path, busy.id);
  kill9(busy.pid);
  assert.equal((await drain).code, 0);
  writeFileSync(join(folder.path, "go"), "");
  await answers;
  const state = async (node: string): Promise<string | undefined> =>
    (await reportOf(folder.path, "counters")).nodes.find(({ id }) => id === node)?.state;
  assert.equal(await state(busy.id), "drained");
  // Killed as soon as there is a process: it is dead, loading or starting when the restart is asked for.
  const other = up.ready.nodes.find(({ id }) => id !== busy.id)!;
  kill9(other.pid);
  assert.equal((await synod(folder.path, ["restart", other.id])).code, 0);
  assert.equal(await state(other.id), "ready");
});

test("Ctrl-C during a rolling restart ends the round: what has begun is finished, the rest is left", async () => {
  using folder = temporaryFolder();
  await using up = await startUp(folder.path);
  const rolling = spawn(process.execPath, [bin, "restart", "--rolling"], {
    cwd: folder.path,
    stdio: ["ignore", "pipe", "pipe"],
  });
  const end = finished(rolling);
  await until(
    "the first node is being restarted",
    async () => (await reportOf(folder.path)).nodes[0]?.state !== "ready",
  );
  rolling.kill("SIGINT");
  const { code, stderr } = await end;
  assert.equal(code, 1);
  assert.equal(stderr, "synod: Interrupted: node-1 is still being restarted. Not restarted: node-2, node-3.\n");
  const nodes = await untilReady(folder.path, 3);
  assert.notEqual(nodes[0]!.pid, up.ready.nodes[0]!.pid);
  assert.equal(nodes[1]!.pid, up.ready.nodes[1]!.pid);
});

test("Ctrl-C of the system during a rolling restart stops both", async () => {
  using folder = temporaryFolder();
  await using up = new RunningUp(folder.path, [bank]);
  await up.whenReady();
  const rolling = synod(folder.path, ["restart", "--rolling"]);
  await until(
    "the first node is being restarted",
    async () => (await reportOf(folder.path)).nodes[0]?.state !== "ready",
  );
  up.signal("SIGINT");
  const [system, command] = await Promise.all([up.ended, rolling]);
  assert.equal(system.code, 0, system.stderr);
  assert.equal(command.code, 1);
  assert.match(command.stderr, /^synod: node-1 was not restarted: .+ Not restarted: node-2, node-3\.\n$/);
});
