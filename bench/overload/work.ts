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

/** What a service written by hand does for a durable command: one transaction, on the disk when it is answered. */
export function durableCounters(folder: string): { write(key: string): number; readonly database: DatabaseSync } {
  const database = openDurable(join(folder, "counters.db"));
  database.exec("CREATE TABLE counters (key TEXT PRIMARY KEY, count INTEGER NOT NULL) STRICT, WITHOUT ROWID");
  const upsert = database.prepare(
    "INSERT INTO counters VALUES (?, 1) ON CONFLICT (key) DO UPDATE SET count = count + 1 RETURNING count",
  );
  return { write: (key) => Number(upsert.get(key)?.count), database };
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
