/** The thread that reads, on a connection of its own, so that no read waits for a commit's fsync. */
import type { DatabaseSync } from "node:sqlite";
import { SynodError } from "../../errors.ts";
import { openConnection, orClose } from "./connection.ts";
import { damaged, messageOf, sqliteCode, sqliteCodes } from "./failures.ts";
import type { ReaderOperations } from "./messages.ts";
import { openFailure } from "./opening.ts";
import { packReadResults, unpackReads } from "./packed-reads.ts";
import { readsOf } from "./reads.ts";
import { openLockWaitMaxMs, withLock } from "./transaction.ts";
import { viewOf } from "./view.ts";

export type Reader = Omit<ReaderOperations, "open">;

/** Opens a store that the writer has prepared. */
export function openReader({ path }: Parameters<ReaderOperations["open"]>[0]): Reader {
  try {
    return withLock(() => {
      const database = openConnection(path, "reader");
      return orClose(database, () => readerOf(database, path));
    }, openLockWaitMaxMs);
  } catch (error) {
    throw openFailure(path, error);
  }
}

function readerOf(database: DatabaseSync, path: string): Reader {
  const read = readsOf(database, path);
  const view = viewOf(database);
  const begin = database.prepare("BEGIN");
  const commit = database.prepare("COMMIT");
  const end = (): void => {
    try {
      commit.run();
    } catch (error) {
      // Tells the error of a damaged page again, although the transaction is over.
      if (database.isTransaction) throw error;
    }
  };

  /** Runs `body` on one snapshot, and again when another process was just recovering or closing the log. */
  const snapshot = <Answer>(body: () => Answer): Answer => {
    try {
      return withLock(() => {
        begin.run();
        try {
          return body();
        } finally {
          end();
        }
      });
    } catch (cause) {
      const code = sqliteCode(cause);
      if (code === sqliteCodes.corrupt || code === sqliteCodes.notADatabase) throw damaged(path, cause);
      throw new SynodError("unavailable", `${path} cannot be read now: ${messageOf(cause)}`, { cause });
    }
  };

  return {
    read: (packed) => packReadResults(snapshot(() => unpackReads(packed).map(read))),
    view: () => snapshot(view),
    close: () => database.close(),
  };
}
