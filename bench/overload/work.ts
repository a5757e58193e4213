/** The work of the bench, the same for every side. */
import { join } from "node:path";
import type { DatabaseSync } from "node:sqlite";
import { openDurable } from "../commands/durable-file.ts";

/** Of the clock and not of the processor: what else runs on the machine makes nobody's work longer. */
const computeMs = 2;

/** Keeps the processor busy. */
export function compute(): null {
  const until = performance.now() + computeMs;
  while (performance.now() < until);
  return null;
}

/** Accounts between which money is moved. */
const accounts = 1_000;

/** From where a transfer goes and where to: spread evenly, and the same whenever it is asked. */
export function partiesOf(transfer: string): { readonly from: string; readonly to: string } {
  let hash = 0;
  for (const character of transfer) hash = (Math.imul(hash, 31) + character.charCodeAt(0)) >>> 0;
  return { from: `account-${hash % accounts}`, to: `account-${(hash + 1) % accounts}` };
}

/** What a service written by hand does for a transfer: one transaction, on the disk when it is answered. */
export function durableTransfers(folder: string): { transfer(id: string): "done"; readonly database: DatabaseSync } {
  const database = openDurable(join(folder, "bank.db"));
  database.exec("CREATE TABLE accounts (key TEXT PRIMARY KEY, balance INTEGER NOT NULL) STRICT, WITHOUT ROWID");
  database.exec("CREATE TABLE transfers (id TEXT PRIMARY KEY) STRICT, WITHOUT ROWID");
  const begin = database.prepare("INSERT INTO transfers VALUES (?)");
  const move = database.prepare(
    "INSERT INTO accounts VALUES (?1, ?2) ON CONFLICT (key) DO UPDATE SET balance = balance + ?2",
  );
  const transfer = (id: string): "done" => {
    const { from, to } = partiesOf(id);
    database.exec("BEGIN IMMEDIATE");
    begin.run(id);
    move.run(from, -1);
    move.run(to, 1);
    database.exec("COMMIT");
    return "done";
  };
  return { transfer, database };
}

/** Holds the write lock of a SQLite file, as a stalled disk or a stuck process would. */
export async function holdWriteLock(path: string, ms: number): Promise<void> {
  const database = openDurable(path);
  try {
    database.exec("PRAGMA busy_timeout = 5000");
    database.exec("BEGIN IMMEDIATE");
    await new Promise((resolve) => setTimeout(resolve, ms));
    database.exec("COMMIT");
  } finally {
    database.close();
  }
}
