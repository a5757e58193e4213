/**
 * The thread that writes: one connection, one transaction at a time, in the order in which requests come. The
 * other side sees to that order, so that a heartbeat is never behind more than the batch under way.
 */
import type { DatabaseSync } from "node:sqlite";
import type { SynodError } from "../../errors.ts";
import type { CommitResult, JoinRequest, StoreIdentity } from "../../ports/store.ts";
import { commitsOf } from "./changes.ts";
import { type Checkpoints, checkpointsOf } from "./checkpoints.ts";
import { openConnection, orClose, setting } from "./connection.ts";
import { type Failure, failureOf, messageOf } from "./failures.ts";
import { preparePlace } from "./file-system.ts";
import { leasesOf } from "./leases.ts";
import { type CommitAnswer, type LogMessage, packError, type WriterOperations } from "./messages.ts";
import { openFailure } from "./opening.ts";
import { ownershipOf } from "./ownership.ts";
import { type PackedBatch, unpackBatch } from "./packed-batches.ts";
import { prepareStore, refuseReplaced } from "./schema.ts";
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
export function openWriter(
  creation: Parameters<WriterOperations["open"]>[0],
  checkpointsOn: typeof checkpointsOf = checkpointsOf,
): Writer {
  const { path, bytesMax } = creation;
  try {
    preparePlace(path);
    return withLock(() => {
      const database = openConnection(path, "writer");
      return orClose(database, () => {
        const identity = prepareStore(database, creation);
        if (bytesMax !== undefined) limitSize(database, bytesMax);
        return writerOf(database, path, identity, checkpointsOn(database, path));
      });
    }, openLockWaitMaxMs);
  } catch (error) {
    throw openFailure(path, error);
  }
}

function limitSize(database: DatabaseSync, bytesMax: number): void {
  database.exec(`PRAGMA max_page_count = ${Math.ceil(bytesMax / Number(setting(database, "page_size")))}`);
}

function writerOf(database: DatabaseSync, path: string, identity: StoreIdentity, checkpoints: Checkpoints): Writer {
  const guarded = guardedBy(database, path);
  const leases = leasesOf(database, identity.shardsPerService);
  const { claim, release } = ownershipOf(database, leases);
  const commitBatch = commitsOf(database, leases);

  const operations = {
    join: guarded.transaction((request: JoinRequest) => {
      refuseReplaced(database, path, identity);
      return leases.join(request);
    }),
    renew: guarded.transaction(leases.renew),
    claim: guarded.transaction(claim),
    release: guarded.transaction(release),
    endLease: guarded.transaction(leases.endLease),
    commit: guarded.commit((packed) => commitBatch(unpackBatch(packed)), checkpoints.obstacle),
    trim: guarded.transaction(trimsOf(database)),
    close: () => database.close(),
  };
  return { identity, operations, afterwards: () => guarded.upkeep(checkpoints.maintain), broken: guarded.broken };
}

interface Guarded {
  /** Runs a body in a transaction; what fails is raised in words. */
  transaction<Request, Answer>(body: (request: Request) => Answer): (request: Request) => Answer;
  /** The same for commits, which answer what failed, are kept only when they say so, and meet obstacles. */
  commit(
    body: (packed: PackedBatch) => CommitResult,
    obstacle: () => SynodError | undefined,
  ): WriterOperations["commit"];
  /** Has the log copied; a store that broke is left as it is. */
  upkeep(maintain: Checkpoints["maintain"]): LogMessage;
  readonly broken: Writer["broken"];
}

/** Sees to it that nothing is asked of a store that broke. */
function guardedBy(database: DatabaseSync, path: string): Guarded {
  const transactions = transactionsOf(database);
  let broken: SynodError | undefined;

  const failure = (thrown: unknown): Failure => {
    const found = failureOf(thrown, path);
    if (found.status === "broken") broken = found.error;
    return found;
  };

  return {
    broken: () => broken,
    transaction: (body) => (request) => {
      if (broken !== undefined) throw broken;
      try {
        return transactions.run(() => body(request));
      } catch (thrown) {
        throw failure(thrown).error;
      }
    },
    commit: (body, obstacle) => (packed) => {
      if (broken !== undefined) return commitAnswer({ status: "broken", error: broken });
      const isKept = ({ status }: CommitResult): boolean => status === "committed";
      try {
        const error = obstacle();
        if (error !== undefined) return commitAnswer({ status: "failed", error });
        return commitAnswer(transactions.run(() => body(packed), isKept));
      } catch (thrown) {
        return commitAnswer(failure(thrown));
      }
    },
    upkeep: (maintain) => {
      if (broken !== undefined) return { walBytes: undefined, trouble: broken.message };
      try {
        return { walBytes: maintain(), trouble: undefined };
      } catch (thrown) {
        const found = failureOf(thrown, path, "checkpoint");
        // Copying may be tried another time where nothing was lost: the lock was not free, the disk is full. But what could not be
        // synced never will be: an earlier pass has counted it as copied, and the system says only once that it did not reach the disk.
        // The next pass would go on behind it, and then the log, the only place where it is safe, would be used again.
        if (found.status !== "broken") return { walBytes: undefined, trouble: messageOf(thrown) };
        broken = found.error;
        return { walBytes: undefined, trouble: broken.message };
      }
    },
  };
}

function commitAnswer(result: CommitResult): CommitAnswer {
  return "error" in result ? { ...result, error: packError(result.error) } : result;
}
