/** A store that cannot be written to for another reason than a lock is no reason to kill a node. */
import assert from "node:assert/strict";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { test } from "node:test";
import { openSqliteStore } from "../adapters/sqlite/store.ts";
import { SynodError } from "../errors.ts";
import { isLocked } from "./locked-store.ts";

test("a store is locked while somebody keeps its lock, and not when it cannot be reached or has failed", async (t) => {
  const folder = mkdtempSync(join(tmpdir(), "synod-locked-"));
  t.after(() => rmSync(folder, { recursive: true, force: true }));
  const path = join(folder, "store.db");
  const store = await openSqliteStore({ path, system: "counters" });
  t.after(() => store.close());
  assert.equal(await isLocked(store), false);
  const other = new DatabaseSync(path);
  other.exec("BEGIN IMMEDIATE");
  assert.equal(await isLocked(store), true);
  other.close();
  assert.equal(await isLocked(store), false);
  for (const message of ["the store cannot be reached", "store.db failed while writing: check its disk"]) {
    const fails = { endLease: () => Promise.reject(new SynodError("unavailable", message)) };
    assert.equal(await isLocked(fails), false, message);
  }
});
