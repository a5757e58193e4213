/** `synod init`: what it makes works as it is, and it writes over nothing. */
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { mkdirSync, readdirSync, readFileSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { finished, root, synod, temporaryFolder } from "./running-system.ts";

test("a new project's own test passes, and its simulation finds nothing", async () => {
  using folder = temporaryFolder();
  const { code, stdout } = await synod(folder.path, ["init", "shop", "--json"]);
  assert.equal(code, 0);
  const { name, files, next } = JSON.parse(stdout) as { name: string; files: string[]; next: string[] };
  const shop = join(folder.path, "shop");
  assert.deepEqual([name, files.toSorted()], ["shop", readdirSync(shop).toSorted()]);
  assert.equal(next[0], "cd shop");
  for (const file of files) assert.ok(!readFileSync(join(shop, file), "utf8").includes("new-system"), file);

  mkdirSync(join(shop, "node_modules"));
  symlinkSync(root, join(shop, "node_modules/synod"));
  symlinkSync(join(root, "node_modules/zod"), join(shop, "node_modules/zod"));
  // Without what says to Node that it runs inside of a test: it would start none.
  const { NODE_TEST_CONTEXT: _, ...env } = process.env;
  const words = ["--conditions=synod-source", "--test", "--test-reporter=tap", "**/*.test.ts"];
  const tests = await finished(spawn(process.execPath, words, { cwd: shop, env, stdio: ["ignore", "pipe", "pipe"] }));
  assert.match(tests.stdout, /^# pass 2$/m, tests.stdout + tests.stderr);
  const simulated = await synod(shop, ["sim", "counter.scenario.ts", "--seeds", "2"]);
  assert.match(simulated.stdout, /nothing found in 2 runs/, simulated.stderr);
});

test("nothing is written into a folder that is used, and a name that no system can have is told", async () => {
  using folder = temporaryFolder();
  mkdirSync(join(folder.path, "used"));
  writeFileSync(join(folder.path, "used/notes.txt"), "mine");
  const used = await synod(folder.path, ["init", "used"]);
  assert.deepEqual([used.code, readdirSync(join(folder.path, "used"))], [2, ["notes.txt"]]);
  assert.match(used.stderr, /^synod: used is not empty \(notes\.txt\): nothing was written/);
  const badName = await synod(folder.path, ["init", "17 shops"]);
  assert.equal(badName.code, 2);
  assert.match(badName.stderr, /"17 shops" should have letters, digits and hyphens/);
});

test("a new project brings its Node as the clone does, and an old one finds no tests rather than to pass none", async () => {
  using folder = temporaryFolder();
  assert.equal((await synod(folder.path, ["init", "shop"])).code, 0);
  const made = JSON.parse(readFileSync(join(folder.path, "shop/package.json"), "utf8")) as {
    scripts: { test: string };
    devDependencies: Record<string, string>;
  };
  assert.match(made.devDependencies.node!, /^\^24\./);
  assert.equal(made.scripts.test, 'node --test "**/*.test.ts"');
});
