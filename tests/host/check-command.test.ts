/** `synod check` as a user runs it: keep a lock, change the code, see what the release would break. */
import assert from "node:assert/strict";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { counter, project } from "./project.ts";
import { synod } from "./running-system.ts";

test("a breaking change is refused with its line, unless it is meant, and what is fine is written", async () => {
  using folder = project(counter);
  const check = (...words: string[]) => synod(folder.path, ["check", "system.ts", ...words]);
  assert.match((await check("--against")).stderr, /no lock synod\.lock\.json: write it/);
  assert.equal((await check("--write")).stdout, "Wrote synod.lock.json: keep it with the code.\n");
  assert.equal((await check("--against")).stdout, "Nothing has changed against synod.lock.json.\n");

  const lock = readFileSync(join(folder.path, "synod.lock.json"), "utf8");
  writeFileSync(join(folder.path, "system.ts"), counter.replaceAll(/\badd\b/g, "plus"));
  const refused = await check("--against", "--write");
  assert.equal(refused.code, 1);
  const line = 1 + lock.split("\n").findIndex((text) => text.includes('"add"'));
  assert.match(
    refused.stdout,
    new RegExp(`^breaking +synod\\.lock\\.json:${line} +counter\\.add: the operation is gone$`, "m"),
  );
  assert.match(refused.stdout, /^fine +.* counter\.plus: the operation is new$/m);
  assert.equal(
    readFileSync(join(folder.path, "synod.lock.json"), "utf8"),
    lock,
    "a refused release keeps the old lock",
  );

  const { ok, changes } = JSON.parse((await check("--against", "--json")).stdout);
  assert.equal(ok, false);
  assert.equal(changes[0].name, "counter.add");
  assert.match((await check("--against", "--allow", "counter.value")).stderr, /nothing of that name breaks/);
  assert.equal((await check("--against", "--write", "--allow", "counter.add")).code, 0);
  assert.equal((await check("--against")).stdout, "Nothing has changed against synod.lock.json.\n");
});

test("without a word of what to do it says so", async () => {
  using folder = project(counter);
  const { code, stderr } = await synod(folder.path, ["check", "system.ts"]);
  assert.equal(code, 2);
  assert.match(stderr, /--write.*--against/);
});
