/**
 * The thread that writes: one connection, one transaction at a time, in the order in which requests come. The
 * other side sees to that order, so that a heartbeat is never behind more than the batch under way.
 */
import type { DatabaseSync } from "node:sqlite";
import type { SynodError } from "../../errors.ts";
import type { CommitResult, StoreIdentity } from "../../ports/store.ts";
import { commitsOf } from "./changes.ts";
import { checkpointsOf } from "./checkpoints.ts";
import { openConnection, orClose, setting } from "./connection.ts";
import { failureOf, messageOf } from "./failures.ts";
import { preparePlace } from "./file-system.ts";
import { leasesOf } from "./leases.ts";
import { type CommitAnswer, type LogMessage, packError, unpackBatch, type WriterOperations } from "./messages.ts";
import { openFailure } from "./opening.ts";
import { ownershipOf } from "./ownership.ts";
import { prepareStore } from "./schema.ts";
import { openLockWaitMaxMs, transactionsOf, withLock } from "./transaction.ts";
import { trimsOf } from "./trims.ts";

export interface Writer {
  readonly identity: StoreIdentity;
  readonly operations: Omit<WriterOperations, "open">;
  /** What is to be done between requests, after the last answer has left. */
  readonly afterwards: () => LogMessage;
  /** Why the store must not be used again. */
  readonly broken: () => SynodError | undefined;
}

/** Opens the store for writing, and creates it when it is new. */
export function openWriter(creation: Parameters<WriterOperations["open"]>[0]): Writer {
  const { path, bytesMax } = creation;
  try {
    preparePlace(path);
    return withLock(() => {
      const database = openConnection(path, "writer");
      return orClose(database, () => {
        const identity = prepareStore(database, creation);
        if (bytesMax !== undefined) limitSize(database, bytesMax);
        return writerOf(database, path, identity);
      });
    }, openLockWaitMaxMs);
  } catch (error) {
    throw openFailure(path, error);
  }
}

function limitSize(database: DatabaseSync, bytesMax: number): void {
  database.exec(`PRAGMA max_page_count = ${Math.ceil(bytesMax / Number(setting(database, "page_size")))}`);
}

function writerOf(database: DatabaseSync, path: string, identity: StoreIdentity): Writer {
  const transactions = transactionsOf(database);
  const leases = leasesOf(database, identity.shardsPerService);
  const { claim, release } = ownershipOf(database, leases);
  const commitBatch = commitsOf(database, leases);
  const trim = trimsOf(database);
  const checkpoints = checkpointsOf(database, path);
  let broken: SynodError | undefined;

  const failure = (thrown: unknown) => {
    const found = failureOf(thrown, path);
    if (found.status === "broken") broken = found.error;
    return found;
  };

  const transacted =
    <Request, Answer>(body: (request: Request) => Answer) =>
    (request: Request): Answer => {
      if (broken !== undefined) throw broken;
      try {
        return transactions.run(() => body(request));
      } catch (thrown) {
        throw failure(thrown).error;
      }
    };

  const commit: WriterOperations["commit"] = (packed) => {
    if (broken !== undefined) return { status: "broken", error: packError(broken) };
    try {
      const full = checkpoints.obstacle();
      if (full !== undefined) return { status: "failed", error: packError(full) };
      const batch = unpackBatch(packed);
      return commitAnswer(
        transactions.run(
          () => commitBatch(batch),
          ({ status }) => status === "committed",
        ),
      );
    } catch (thrown) {
      return commitAnswer(failure(thrown));
    }
  };

  let walBytes = 0;
  const afterwards = (): LogMessage => {
    try {
      walBytes = checkpoints.maintain();
      return { walBytes, trouble: undefined };
    } catch (thrown) {
      // What was committed rests in the log; nothing is lost by copying it another time.
      return { walBytes, trouble: messageOf(thrown) };
    }
  };

  const operations = {
    join: transacted(leases.join),
    renew: transacted(leases.renew),
    claim: transacted(claim),
    release: transacted(release),
    endLease: transacted(leases.endLease),
    commit,
    trim: transacted(trim),
    close: () => database.close(),
  };
  return { identity, operations, afterwards, broken: () => broken };
}

function commitAnswer(result: CommitResult): CommitAnswer {
  return "error" in result ? { ...result, error: packError(result.error) } : result;
}
