/**
 * Transactions that write. Each takes the write lock when it begins, so that what it reads stays true until it
 * commits, and waits for that lock by itself: SQLite's own busy handler sleeps for ever longer and lets others
 * pass, which made heartbeats of three busy processes wait for 2 s; asking every millisecond made it 0.2 s.
 */
import type { DatabaseSync } from "node:sqlite";
import { sqliteCode, sqliteCodes, TransactionError } from "./failures.ts";

/** How long a transaction waits for another connection's write lock. */
export const lockWaitMaxMs = 1_000;
/** How long opening waits for other processes: they may be creating the store, or recovering it. */
export const openLockWaitMaxMs = 3_000;
const lockRetryMs = 1;

export interface Transactions {
  /** Runs `body` and commits when `keep` holds for its answer, else rolls back. Raises {@link TransactionError}. */
  run<Answer>(body: () => Answer, keep?: (answer: Answer) => boolean): Answer;
}

export function transactionsOf(database: DatabaseSync): Transactions {
  const begin = database.prepare("BEGIN IMMEDIATE");
  const commit = database.prepare("COMMIT");
  const rollback = database.prepare("ROLLBACK");

  const rolledBack = (): boolean => {
    try {
      // SQLite rolls back by itself after some errors.
      if (database.isTransaction) rollback.run();
    } catch {
      // An error here may be the one that was seen already, told again; what counts is whether it is over.
    }
    return !database.isTransaction;
  };

  const run = <Answer>(body: () => Answer, keep: (answer: Answer) => boolean = () => true): Answer => {
    let committing = false;
    try {
      withLock(() => begin.run());
      const answer = body();
      committing = keep(answer);
      if (committing) commit.run();
      else rollback.run();
      return answer;
    } catch (cause) {
      throw new TransactionError(cause, { rolledBack: rolledBack(), committing });
    }
  };
  return { run };
}

/** Repeats what fails because another connection holds a lock, up to `waitMaxMs`. */
export function withLock<Answer>(attempt: () => Answer, waitMaxMs: number = lockWaitMaxMs): Answer {
  const giveUpAt = performance.now() + waitMaxMs;
  for (;;) {
    try {
      return attempt();
    } catch (error) {
      const cause = error instanceof TransactionError && error.rolledBack ? error.cause : error;
      if (sqliteCode(cause) !== sqliteCodes.busy || performance.now() >= giveUpAt) throw error;
      pause(lockRetryMs);
    }
  }
}

const sleeper = new Int32Array(new SharedArrayBuffer(4));

function pause(durationMs: number): void {
  Atomics.wait(sleeper, 0, 0, durationMs);
}
