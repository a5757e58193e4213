/** A new SQLite file as the sides beside Synod want it: as durable as Synod's, and checkpointed as rarely. */
import { DatabaseSync } from "node:sqlite";

/** In pages of 4 KiB: 8 MiB, from which Synod copies its log too. */
const checkpointFromPages = 2_000;
const cacheKib = 32 * 1024;

export function openDurable(path: string): DatabaseSync {
  const database = new DatabaseSync(path);
  database.exec("PRAGMA journal_mode = WAL");
  database.exec("PRAGMA synchronous = FULL");
  if (process.platform === "darwin") database.exec("PRAGMA fullfsync = 1");
  database.exec(`PRAGMA wal_autocheckpoint = ${checkpointFromPages}`);
  database.exec(`PRAGMA cache_size = -${cacheKib}`);
  return database;
}
