import assert from "node:assert/strict";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import test from "node:test";
import { losesWrites, openConnection, setting, useWriteAheadLog } from "./connection.ts";

test("every connection is set as rule S6 wants it, and SQLite says so when it is asked", (t) => {
  const folder = mkdtempSync(join(tmpdir(), "synod-connection-"));
  t.after(() => rmSync(folder, { recursive: true }));
  const path = join(folder, "store.db");
  for (const role of ["writer", "reader"] as const) {
    const database = openConnection(path, role);
    if (role === "writer") useWriteAheadLog(database);
    assert.equal(setting(database, "synchronous"), 2);
    assert.equal(setting(database, "journal_mode"), "wal");
    assert.equal(setting(database, "busy_timeout"), 0);
    assert.equal(setting(database, "wal_autocheckpoint"), 0);
    assert.equal(setting(database, "fullfsync"), process.platform === "darwin" ? 1 : 0);
    assert.equal(setting(database, "checkpoint_fullfsync"), process.platform === "darwin" ? 1 : 0);
    assert.equal(setting(database, "query_only"), role === "reader" ? 1 : 0);
    database.close();
  }
});

test("a database that cannot have a write-ahead log is refused", () => {
  const database = new DatabaseSync(":memory:");
  assert.throws(() => useWriteAheadLog(database), {
    code: "failed_precondition",
    message: "SQLite answers memory for journal_mode and not wal: not safe to use",
  });
  database.close();
});

test("exactly the versions of SQLite that lose writes of several connections are refused", () => {
  for (const version of ["3.7.0", "3.39.4", "3.44.5", "3.44.7", "3.50.6", "3.50.8", "3.51.0", "3.51.2"]) {
    assert.equal(losesWrites(version), true, version);
  }
  for (const version of ["3.44.6", "3.50.7", "3.51.3", "3.52.0", "3.53.4", "4.0.0"]) {
    assert.equal(losesWrites(version), false, version);
  }
});
