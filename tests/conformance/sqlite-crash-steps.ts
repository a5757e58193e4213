/**
 * A program that creates a store, migrates an old one or commits to one, and is killed by itself right before its n-th call of SQLite.
 * It uses the adapter's parts in its own thread, so that the steps can be counted. Without a step to die at it says
 * how many there are.
 */
import { DatabaseSync, StatementSync } from "node:sqlite";
import { commitsOf } from "../../src/adapters/sqlite/changes.ts";
import { openConnection } from "../../src/adapters/sqlite/connection.ts";
import { leasesOf } from "../../src/adapters/sqlite/leases.ts";
import { ownershipOf } from "../../src/adapters/sqlite/ownership.ts";
import { prepareStore } from "../../src/adapters/sqlite/schema.ts";
import { transactionsOf } from "../../src/adapters/sqlite/transaction.ts";
import { crashBatch, crashService } from "./sqlite-crash-batch.ts";
import { system } from "./sqlite-database.ts";

const [path, role, dieBefore] = process.argv.slice(2);
let steps = 0;
let counting = false;

function countCalls(prototype: object, names: readonly string[]): void {
  for (const name of names) {
    const original = Reflect.get(prototype, name) as (...rest: unknown[]) => unknown;
    Reflect.set(prototype, name, function counted(this: unknown, ...rest: unknown[]) {
      // Before its transaction a migration only looks, as creation does, whose every step is died at.
      if (role === "migrate" && this instanceof StatementSync && this.sourceSQL === "BEGIN IMMEDIATE") counting = true;
      if (counting && ++steps === Number(dieBefore)) process.kill(process.pid, "SIGKILL");
      return original.apply(this, rest);
    });
  }
}
countCalls(DatabaseSync.prototype, ["exec"]);
countCalls(StatementSync.prototype, ["run", "get", "all"]);

const database = openConnection(path!, "writer");
counting = role === "create";
prepareStore(database, { path: path!, system, shardsPerService: 4, secret: new Uint8Array(32) });
counting = false;
if (role === "commit") {
  const transactions = transactionsOf(database);
  const leases = leasesOf(database, 4);
  const { claim } = ownershipOf(database, leases);
  const commit = commitsOf(database, leases);
  const shards = [0, 1].map((number) => ({ service: crashService, number }));
  transactions.run(() => {
    const hosts = [{ service: crashService, stateVersion: 2 }];
    const { incarnation } = leases.join({ node: "node", address: null, hosts });
    claim({ incarnation, shards, expired: [] });
  });
  transactions.run(() => commit(crashBatch(1)));
  counting = true;
  transactions.run(() => commit(crashBatch(2)));
  counting = false;
}
console.log(steps);
// Not closed, so that the log is found as a crash leaves it.
process.kill(process.pid, "SIGKILL");
