/**
 * One connection to a store's file, set as rule S6 wants it. Drivers and builds of SQLite differ in what they
 * set by default and ignore what they do not know, so every setting is read back before the connection is used.
 */
import { DatabaseSync } from "node:sqlite";
import { SynodError } from "../../errors.ts";

/** Pages of the write-ahead log that stay on disk once it has been checkpointed. */
const journalBytesKept = 16 * 1024 * 1024;
const cacheKib = 32 * 1024;

type Role = "writer" | "reader";

/** Settings and what SQLite must answer when asked for them. */
function settingsOf(role: Role): readonly (readonly [name: string, value: string | number, answer?: number])[] {
  const settings: (readonly [string, string | number, number?])[] = [
    ["synchronous", "FULL", 2],
    ["busy_timeout", 0],
    ["wal_autocheckpoint", 0],
    ["journal_size_limit", journalBytesKept],
    ["cache_size", -cacheKib],
    ["trusted_schema", "OFF", 0],
  ];
  if (process.platform === "darwin") settings.push(["fullfsync", 1], ["checkpoint_fullfsync", 1]);
  if (role === "reader") settings.push(["query_only", "ON", 1]);
  return settings;
}

/** Opens the file and sets everything but the journal mode, which changes the file itself. */
export function openConnection(path: string, role: Role): DatabaseSync {
  const database = new DatabaseSync(path, { timeout: 0 });
  return orClose(database, () => {
    const { version } = database.prepare("SELECT sqlite_version() AS version").get() as { version: string };
    if (losesWrites(version)) {
      throw new SynodError(
        "failed_precondition",
        `this Node brings SQLite ${version}, which can lose writes of several connections: use a newer Node`,
      );
    }
    for (const [name, value, answer = value] of settingsOf(role)) set(database, name, value, answer);
    return database;
  });
}

/** Answers what `use` answers; closes the connection when it throws. */
export function orClose<Answer>(database: DatabaseSync, use: () => Answer): Answer {
  try {
    return use();
  } catch (error) {
    database.close();
    throw error;
  }
}

/** Lets readers go on while one connection writes. The mode rests in the file. */
export function useWriteAheadLog(database: DatabaseSync): void {
  set(database, "journal_mode", "WAL", "wal");
}

function set(database: DatabaseSync, name: string, value: string | number, answer: string | number): void {
  database.exec(`PRAGMA ${name} = ${value}`);
  const got = setting(database, name);
  if (got !== answer) {
    throw new SynodError("failed_precondition", `SQLite answers ${got} for ${name} and not ${answer}: not safe to use`);
  }
}

/** What SQLite answers when asked for a setting. */
export function setting(database: DatabaseSync, name: string): string | number | null {
  return Object.values(database.prepare(`PRAGMA ${name}`).get() ?? {})[0] as string | number | null;
}

/**
 * Whether a version of SQLite has the defect by which a write-ahead log that is reset while another connection
 * checkpoints loses committed pages: 3.7.0 to 3.51.2, but for the two releases that it was mended in
 * (https://sqlite.org/wal.html).
 */
export function losesWrites(version: string): boolean {
  const [major = 0, minor = 0, patch = 0] = version.split(".").map(Number);
  if (version === "3.44.6" || version === "3.50.7") return false;
  return major < 3 || (major === 3 && (minor < 51 || (minor === 51 && patch < 3)));
}
