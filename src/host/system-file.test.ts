/** A system file that does not come to its end is told of. */
import assert from "node:assert/strict";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { loadSystem } from "./system-file.ts";

test("a file that is still being loaded after some seconds is told of, once", async (t) => {
  const folder = mkdtempSync(join(tmpdir(), "synod-system-"));
  t.after(() => rmSync(folder, { recursive: true, force: true }));
  const file = join(folder, "system.mjs");
  const source = "await new Promise((done) => globalThis.synodTestWaits(done)); export default 1;";
  writeFileSync(file, source);
  t.mock.timers.enable({ apis: ["setTimeout"] });
  const told: string[] = [];
  const waits = new Promise<() => void>((begun) => Object.assign(globalThis, { synodTestWaits: begun }));
  const loading = loadSystem(file, (words) => told.push(words));
  const goOn = await waits;
  t.mock.timers.tick(4_999);
  assert.deepEqual(told, []);
  t.mock.timers.tick(60_000);
  assert.equal(told.length, 1);
  assert.match(told[0]!, /system\.mjs is still being loaded after 5 s: .*top-level await/);
  goOn();
  await assert.rejects(loading, /is not a system/);
});
