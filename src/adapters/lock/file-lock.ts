/**
 * A lock on a file that only one process can hold and that no crash leaves behind: SQLite's own lock on an
 * empty database, which the operating system frees with the process, `kill -9` included. A file that says
 * "locked by process 123" cannot promise that.
 */
import { mkdirSync } from "node:fs";
import { dirname } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { SynodError } from "../../errors.ts";

export interface FileLock {
  release(): void;
}

/** Takes the lock on `path`, or answers `undefined` when another process holds it. Raises when there can be no such file. */
export function lockFile(path: string): FileLock | undefined {
  const database = openFile(path);
  try {
    // Nothing is ever written: without a journal of its own the lock leaves one empty file.
    database.exec("PRAGMA journal_mode = MEMORY; BEGIN EXCLUSIVE");
  } catch (error) {
    database.close();
    if (isBusy(error)) return undefined;
    throw error;
  }
  return { release: () => database.close() };
}

function openFile(path: string): DatabaseSync {
  try {
    mkdirSync(dirname(path), { recursive: true });
    return new DatabaseSync(path, { timeout: 0 });
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message : String(cause);
    const advice = `is ${dirname(path)} a folder that this user may write to? Make it one, or choose another store`;
    throw new SynodError("failed_precondition", `${path} cannot be made (${reason}): ${advice}`, { cause });
  }
}

const sqliteBusy = 5;

function isBusy(error: unknown): boolean {
  return error instanceof Error && (error as { errcode?: number }).errcode === sqliteBusy;
}
