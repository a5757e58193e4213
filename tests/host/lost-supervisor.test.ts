/** The supervisor dies while it waits for an answer: what its nodes say to nobody must not end them. */
import assert from "node:assert/strict";
import { existsSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { counterThat, project } from "./project.ts";
import { lives, post, reportOf, startUp, until } from "./running-system.ts";

/** Its handler keeps the event loop until it may go on. */
const blocking = `import { existsSync, writeFileSync } from "node:fs";
${counterThat('writeFileSync("blocked", ""); while (!existsSync("go")); return (ctx.state.count += step);')}`;

test("a node that was asked something by a supervisor that is gone meanwhile drains, and answers what it has", async () => {
  using folder = project(blocking);
  await using up = await startUp(folder.path, ["system.ts", "--nodes", "1"]);
  const answer = post(up.ready.http, "/counter/a/add", 7);
  await until("the node is blocked", () => existsSync(join(folder.path, "blocked")));
  // It was asked how it is, and has not said.
  assert.equal((await reportOf(folder.path, "counters")).nodes[0]!.status, undefined);
  up.signal("SIGKILL");
  await until("the supervisor is dead", () => !lives(up.pid));
  writeFileSync(join(folder.path, "go"), "");
  assert.deepEqual(await answer, { status: 200, body: 7 });
  await until("the node drains", () => up.stderr.includes("the supervisor is gone: draining"));
  await until("the node has ended", () => !lives(up.ready.nodes[0]!.pid));
});

const failing = counterThat(`const { existsSync } = await import("node:fs");
  while (!existsSync("go")) await new Promise((done) => setTimeout(done, 20));
  setImmediate(() => { throw new Error("nobody hears this"); });
  await new Promise(() => {});`);

test("a node that fails without a supervisor says why in the log", async () => {
  using folder = project(failing);
  await using up = await startUp(folder.path, ["system.ts", "--nodes", "1"]);
  const answer = post(up.ready.http, "/counter/a/add", 7).catch(() => "cut");
  await until("the call is being handled", async () =>
    (await reportOf(folder.path, "counters")).nodes.some(({ status }) => status?.callsInFlight === 1),
  );
  up.signal("SIGKILL");
  await until("the node drains", () => up.stderr.includes("the supervisor is gone: draining"));
  writeFileSync(join(folder.path, "go"), "");
  await until("it says why", () => up.stderr.includes("nobody hears this"));
  assert.equal(await answer, "cut");
  await until("the node has ended", () => !lives(up.ready.nodes[0]!.pid));
});
