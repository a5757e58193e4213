import assert from "node:assert/strict";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { DatabaseSync } from "node:sqlite";
import test, { type TestContext } from "node:test";
import { openConnection, useWriteAheadLog } from "./connection.ts";
import { failureOf, TransactionError } from "./failures.ts";
import { lockWaitMaxMs, transactionsOf } from "./transaction.ts";

function open(t: TestContext): { first: DatabaseSync; second: DatabaseSync; things: () => unknown } {
  const folder = mkdtempSync(join(tmpdir(), "synod-transaction-"));
  const path = join(folder, "store.db");
  const [first, second] = [openConnection(path, "writer"), openConnection(path, "writer")];
  useWriteAheadLog(first);
  first.exec("CREATE TABLE things (thing INTEGER UNIQUE) STRICT");
  t.after(() => {
    first.close();
    second.close();
    rmSync(folder, { recursive: true });
  });
  return {
    first,
    second,
    things: () =>
      first
        .prepare("SELECT thing FROM things")
        .all()
        .map((row) => row.thing),
  };
}

test("a transaction is kept when its answer is to be kept, and rolled back when not", (t) => {
  const { first, things } = open(t);
  const { run } = transactionsOf(first);
  const add = (thing: number) => () => first.prepare("INSERT INTO things VALUES (?)").run(thing) && thing;
  assert.equal(run(add(1)), 1);
  assert.equal(
    run(add(2), () => false),
    2,
  );
  assert.deepEqual(things(), [1]);
});

test("an error rolls back everything, and says so", (t) => {
  const { first, things } = open(t);
  const { run } = transactionsOf(first);
  const thrown = (body: () => unknown): unknown => {
    try {
      return run(body);
    } catch (error) {
      return error;
    }
  };
  const twice = thrown(() => first.exec("INSERT INTO things VALUES (1), (2); INSERT INTO things VALUES (2)"));
  assert.ok(twice instanceof TransactionError && twice.rolledBack && !twice.committing);
  assert.equal(failureOf(twice, "x").status, "refused");
  const bug = thrown(() => {
    first.exec("INSERT INTO things VALUES (3)");
    throw new TypeError("a defect");
  });
  assert.equal(failureOf(bug, "x").status, "refused");
  assert.equal(failureOf(bug, "x").error.code, "internal");
  assert.deepEqual(things(), []);
  assert.equal(first.isTransaction, false);
});

test("a lock that is held is waited for, up to the bound and not much longer", (t) => {
  const { first, second, things } = open(t);
  second.exec("BEGIN IMMEDIATE");
  const start = performance.now();
  assert.throws(
    () => transactionsOf(first).run(() => first.exec("INSERT INTO things VALUES (1)")),
    (error) => failureOf(error, "x").status === "failed" && failureOf(error, "x").error.outcome === "not-happened",
  );
  const waited = performance.now() - start;
  assert.ok(waited >= lockWaitMaxMs && waited < 2 * lockWaitMaxMs, `waited ${waited} ms`);
  second.exec("COMMIT");
  transactionsOf(first).run(() => first.exec("INSERT INTO things VALUES (1)"));
  assert.deepEqual(things(), [1]);
});
