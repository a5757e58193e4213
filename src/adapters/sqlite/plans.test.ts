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

test("no statement reads more of entities and records than it was asked for, or sorts them", () => {
  const plans = plansOf((database) => {
    const leases = leasesOf(database, 4);
    ownershipOf(database, leases);
    commitsOf(database, leases);
    readsOf(database, "");
    trimsOf(database);
  });
  const large = [...plans].filter(([sql]) => /\b(entities|records)\b/.test(sql));
  assert.ok(large.length >= 8, "the statements on the large tables were seen");
  for (const [sql, plan] of large) {
    for (const step of plan) {
      // The open numbers of a floor are a short list that comes along with the statement.
      if (step.startsWith("SCAN json_each ")) continue;
      assert.doesNotMatch(step, /^SCAN|TEMP B-TREE/, `${sql}\n${plan.join("\n")}`);
    }
  }
});
