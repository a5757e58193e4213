/** Ctrl-C at awkward moments: while the system loads, while handlers hang, twice. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { counter, counterThat, project } from "./project.ts";
import { lives, post, RunningUp, reportOf, startUp, until } from "./running-system.ts";

async function callsInFlight(folder: string): Promise<boolean> {
  const { nodes } = await reportOf(folder, "counters");
  return nodes.some(({ status }) => (status?.callsInFlight ?? 0) > 0);
}

const neverEnds = counterThat("await new Promise(() => {}); return step;");

test("Ctrl-C while the system is still loading ends it at once", async () => {
  using folder = project('console.log("loading");\nawait new Promise(() => {});');
  await using up = new RunningUp(folder.path, ["system.ts"]);
  await until("the system is being loaded", () => up.stderr.includes("loading"));
  up.signal("SIGINT");
  const { code, stdout } = await up.ended;
  assert.deepEqual([code, stdout], [0, ""]);
});

test("a handler that never ends is abandoned within the time for the drain, and its caller told", async () => {
  using folder = project(neverEnds);
  await using up = await startUp(folder.path, ["system.ts", "--drain-seconds", "2"]);
  const answer = post(up.ready.http, "/counter/a/add", 1);
  await until("the call is being handled", () => callsInFlight(folder.path));
  const started = performance.now();
  up.signal("SIGINT");
  const { status, body } = await answer;
  assert.equal(status, 503);
  assert.equal(body?.code, "unavailable");
  assert.equal((await up.ended).code, 0);
  assert.ok(performance.now() - started < 3_000);
});

test("a node that does not listen any more is killed when the time for the drain is over", async () => {
  using folder = project(counterThat("for (;;);"));
  await using up = await startUp(folder.path, ["system.ts", "--drain-seconds", "1"]);
  const answer = post(up.ready.http, "/counter/a/add", 1).then(
    ({ status, body }) => ({ status, outcome: body?.outcome }),
    () => "cut",
  );
  const blocked = await until("a node is blocked", async () =>
    (await reportOf(folder.path, "counters")).nodes.find(({ status }) => status === undefined),
  );
  const started = performance.now();
  up.signal("SIGINT");
  // Either its own door was killed with it, or another node's door saw it leave the membership first.
  if ((await answer) !== "cut") assert.deepEqual(await answer, { status: 503, outcome: "unknown" });
  assert.equal((await up.ended).code, 0);
  assert.ok(performance.now() - started < 2_500);
  assert.ok(!lives(blocked.pid!));
});

test("a second Ctrl-C ends everything at once, but not the copy of the first that npm passes on", async () => {
  using folder = project(neverEnds);
  await using up = await startUp(folder.path, ["system.ts", "--drain-seconds", "60"]);
  const answer = post(up.ready.http, "/counter/a/add", 1).catch(() => "cut");
  await until("the call is being handled", () => callsInFlight(folder.path));
  const started = performance.now();
  up.signal("SIGINT");
  up.signal("SIGINT");
  await until("half a second later", () => performance.now() - started > 600);
  assert.ok(
    up.ready.nodes.some(({ pid }) => lives(pid)),
    "the first two were one",
  );
  up.signal("SIGINT");
  assert.equal(await answer, "cut");
  assert.equal((await up.ended).code, 0);
  assert.ok(performance.now() - started < 5_000);
});

test("what the user's code prints does not get between the JSON on standard output", async () => {
  using folder = project(`${counter}\nconsole.log("hello from the system");`);
  await using up = await startUp(folder.path, ["system.ts"]);
  up.signal("SIGTERM");
  const { stdout, stderr } = await up.ended;
  assert.equal(stdout.trim().split("\n").length, 1);
  assert.match(stderr, /hello from the system/);
});
