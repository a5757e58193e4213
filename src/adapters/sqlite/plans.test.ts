import assert from "node:assert/strict";
import { DatabaseSync } from "node:sqlite";
import test from "node:test";
import { commitsOf } from "./changes.ts";
import { leasesOf } from "./leases.ts";
import { ownershipOf } from "./ownership.ts";
import { readsOf } from "./reads.ts";
import { createTables } from "./schema.ts";
import { trimsOf } from "./trims.ts";

/** What a store prepares while its operations are made, and how SQLite would run each. */
function plansOf(prepareAll: (database: DatabaseSync) => void): Map<string, string[]> {
  const database = new DatabaseSync(":memory:");
  createTables(database, { path: "", system: "plans", shardsPerService: 4, secret: new Uint8Array(32) });
  const statements: string[] = [];
  const recording = new Proxy(database, {
    get: (target, name) => {
      if (name !== "prepare") return Reflect.get(target, name);
      return (sql: string) => {
        statements.push(sql);
        return target.prepare(sql);
      };
    },
  });
  prepareAll(recording);
  const planOf = (sql: string): string[] =>
    database
      .prepare(`EXPLAIN QUERY PLAN ${sql}`)
      .all()
      .map((row) => String(row.detail));
  const plans = new Map(statements.map((sql) => [sql, planOf(sql)]));
  database.close();
  return plans;
}

test("no statement reads more of entities, records and pending work than it was asked for, or sorts them", () => {
  const plans = plansOf((database) => {
    const leases = leasesOf(database, 4);
    ownershipOf(database, leases);
    commitsOf(database, leases);
    readsOf(database, "");
    trimsOf(database);
  });
  const large = [...plans].filter(([sql]) => /\b(entities|records|inbox|journal|outbox|timers)\b/.test(sql));
  assert.ok(large.length >= 30, "the statements on the large tables were seen");
  for (const [sql, plan] of large) {
    assert.ok(isLookedUp(sql, plan), `not all of it is looked up: ${sql}\n${plan.join("\n")}`);
    for (const step of plan) {
      // The open numbers of a floor are a short list that comes along with the statement.
      if (step.startsWith("SCAN json_each ")) continue;
      // So is the journal of one item, which is wanted in the order in which it was written.
      if (isOfOneJournal(sql) && step === "USE TEMP B-TREE FOR ORDER BY") continue;
      assert.doesNotMatch(step, /^SCAN|TEMP B-TREE/, `${sql}\n${plan.join("\n")}`);
    }
  }
});

function isOfOneJournal(sql: string): boolean {
  return /FROM journal\s+WHERE service = \? AND shard = \? AND item = \? ORDER BY rowid/.test(sql);
}

const primaryKeys: Readonly<Record<string, string>> = {
  entities: "service=? AND shard=? AND key=?",
  records: "service=? AND shard=? AND id=?",
  inbox: "service=? AND shard=? AND number=?",
  journal: "service=? AND shard=? AND item=? AND id=?",
  outbox: "service=? AND shard=? AND number=?",
  timers: "service=? AND shard=? AND key=? AND name=?",
};

/** Whether an index finds exactly the rows that are meant: one by its primary key, or by all that the statement compares. */
function isLookedUp(sql: string, plan: readonly string[]): boolean {
  const searched = plan.filter((step) => step.startsWith("SEARCH ") && !step.includes(" USING INTEGER PRIMARY KEY "));
  const compared = [...sql.matchAll(/(\w+|\([\w, ]+\)) ([=<>])=? (\?|\([?, ]+\)|-?\d+)/g)];
  const wanted = compared
    .filter(([, name]) => !isSet(sql, name!))
    .map(([, name, sign]) => `${name}${sign}`.replaceAll(" ", ""));
  return searched.every((step) => {
    const table = step.split(" ")[1]!;
    const found = step.replaceAll(" ", "");
    return step.includes(primaryKeys[table] ?? "?!") || wanted.every((comparison) => found.includes(comparison));
  });
}

/** Whether the column is written to and not compared. */
function isSet(sql: string, name: string): boolean {
  return /\bSET\b(.*?)\bWHERE\b/s.exec(sql)?.[1]?.includes(`${name} = ?`) ?? false;
}
