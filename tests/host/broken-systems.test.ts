/** `synod up` of what cannot work: one clear sentence, an exit code that is not 0, a stack only on demand. */
import assert from "node:assert/strict";
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { serverUrl } from "../postgres/databases.ts";
import { counter, counterThat, project } from "./project.ts";
import { type Finished, post, reportOf, startUp, synod, temporaryFolder, until, untilReady } from "./running-system.ts";

const up = (folder: string, ...words: string[]): Promise<Finished> =>
  synod(folder, ["up", "system.ts", "--port", "0", "--admin-port", "0", ...words]);

const refusals: [about: string, source: string, sentence: RegExp][] = [
  ["an enum", "enum A { X }\nexport default A;", /^synod: system\.ts:1 uses an enum, but Node runs TypeScript/],
  [
    "a missing package",
    'import "@nobody/nothing";',
    /^synod: system\.ts imports the package "@nobody\/nothing", which/,
  ],
  ["a throw", 'throw new Error("boom");', /^synod: system\.ts:1 threw while it was loaded: boom$/],
  ["another default export", "export default 1;", /^synod: The default export of system\.ts is not a system/],
  [
    "a wrong definition",
    'import { defineSystem } from "synod";\nexport default defineSystem({ name: "x", services: [] });',
    /^synod: system\.ts:2 .*system x has no services/,
  ],
  [
    "no adapter but a port for one",
    counter.replace("http()", ""),
    /^synod: System counters has no adapter that could take the port\.$/,
  ],
  [
    "an adapter beyond loopback without TLS",
    counter.replace("http()", 'http({ host: "0.0.0.0" })'),
    /^synod: HTTP would listen on 0\.0\.0\.0, beyond this machine, without TLS/,
  ],
];

for (const [about, source, sentence] of refusals) {
  test(`up of a system with ${about} ends with one sentence, and a stack only with --verbose`, async () => {
    using folder = project(source);
    const quiet = await up(folder.path);
    assert.equal(quiet.code, 1);
    assert.equal(quiet.stdout, "");
    const lines = quiet.stderr.trimEnd().split("\n");
    assert.equal(lines.length, 1, quiet.stderr);
    assert.match(lines[0]!, sentence);
    assert.match((await up(folder.path, "--verbose")).stderr, /\n {4}at /);
  });
}

test("a system file that is not there is told in one sentence", async () => {
  using folder = temporaryFolder();
  const { code, stderr } = await synod(folder.path, ["up", "nothing.ts"]);
  assert.equal(code, 1);
  assert.equal(stderr, "synod: There is no file nothing.ts: give the path of the file that declares the system.\n");
});

test("a store that cannot be opened is told in one sentence", async () => {
  using folder = project(counter);
  writeFileSync(
    join(folder.path, "text.db"),
    "this is no database, but it is long enough to be looked at\n".repeat(99),
  );
  mkdirSync(join(folder.path, "folder.db"));
  for (const [store, sentence] of [
    ["sqlite:text.db", /^synod: \S+text\.db is not a SQLite file/],
    ["sqlite:folder.db", /^synod: \S+folder\.db /],
    [
      `${await serverUrl()}/nowhere`,
      /^synod: postgres:\/\/\S+\/nowhere cannot be reached: database "nowhere" does not exist/,
    ],
    ["nonsense", /^synod: "nonsense" is no store URL/],
  ] as const) {
    const { code, stderr } = await up(folder.path, "--store", store);
    assert.equal(code, 1);
    // What the supervisor logs while it still tries comes before.
    const said = stderr.split("\n").filter((line) => line.startsWith("synod: "));
    assert.match(said.join("\n"), sentence);
    assert.equal(said.length, 1, stderr);
    assert.doesNotMatch(stderr, /\n {4}at /);
  }
});

test("a system that dies each time before it serves is given up", async () => {
  using folder = project(`${counter}\nprocess.exit(7);`);
  const { code, stderr } = await up(folder.path, "--nodes", "1");
  assert.equal(code, 1);
  assert.equal(stderr.match(/node-1 died \(exit code 7\): starting it again/g)?.length, 5);
  assert.match(stderr, /^synod: node-1 died 6 times in a row before it served \(exit code 7\)$/m);
});

test("a system that is broken while it runs and crashes then is given up in the end, and says why", async () => {
  using folder = project(counter);
  await using running = await startUp(folder.path, ["system.ts", "--nodes", "1"]);
  writeFileSync(folder.file, "enum A { X }");
  process.kill(running.ready.nodes[0]!.pid, "SIGKILL");
  const { code, stderr } = await running.ended;
  assert.equal(code, 1);
  assert.match(stderr, /^synod: system\.ts:1 uses an enum/m);
});

test("a rolling restart to a broken system ends at its first node, the others go on, and mending is enough", async () => {
  using folder = project(counter);
  await using running = await startUp(folder.path, ["system.ts"]);
  const add = (): ReturnType<typeof post> => post(running.ready.http, "/counter/a/add", 1);
  assert.equal((await add()).body, 1);
  writeFileSync(folder.file, "enum A { X }");
  const { code, stdout, stderr } = await synod(folder.path, ["restart", "--rolling"]);
  assert.deepEqual([code, stdout], [1, ""]);
  assert.match(
    stderr,
    /^synod: node-1 was not restarted: system\.ts:1 uses an enum.* Not restarted: node-2, node-3\.\n$/,
  );
  assert.match(running.stderr, /node-1 is given up, the others go on: system\.ts:1 uses an enum/);
  const states = (await reportOf(folder.path, "counters")).nodes.map(({ state }) => state);
  assert.deepEqual(states, ["failed", "ready", "ready"]);
  assert.equal((await add()).body, 2);
  writeFileSync(folder.file, counter);
  assert.equal((await synod(folder.path, ["restart", "node-1"])).code, 0);
  await untilReady(folder.path, 3, "counters");
  assert.equal((await add()).body, 3);
});

test("what user code leaves to crash a node is told, and the node starts again", async () => {
  using folder = project(counterThat('if (step === 13) setTimeout(() => { throw new Error("late"); }); return step;'));
  await using running = await startUp(folder.path, ["system.ts"]);
  await post(running.ready.http, "/counter/a/add", 13).catch(() => undefined);
  await until("the crash is told", () => /node-\d died \(exit code 1: late\)/.test(running.stderr));
  await until("the node serves again", () => /node-\d serves again/.test(running.stderr));
});
