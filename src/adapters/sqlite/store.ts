/**
 * The store port on a SQLite file, for the nodes of one machine: any number of processes may have it open.
 *
 * SQLite works in threads of the store's own, one that writes and one that reads, so that the node's thread
 * never waits for the disk and no read waits for a commit. This file is what stands on the node's side.
 */
import { randomBytes } from "node:crypto";
import { resolve } from "node:path";
import { SynodError } from "../../errors.ts";
import type { Log } from "../../ports/log.ts";
import type { CommitResult, Store, StoreIdentity } from "../../ports/store.ts";
import { Lane } from "./lane.ts";
import { type LogReport, logReportOf } from "./log-report.ts";
import { type ReaderOperations, unpackCommitAnswer, unpackRenewAnswer, type WriterOperations } from "./messages.ts";
import { packBatch } from "./packed-batches.ts";
import { type ReadQueue, readQueueOf } from "./read-queue.ts";

export interface SqliteStoreOptions {
  /** The file; it and its folder are created when they are new. */
  readonly path: string;
  /** The system that the store belongs to; the store of another one is refused. */
  readonly system: string;
  /** Where trouble that no answer tells of is reported. */
  readonly log?: Log;
  /** The file may not grow beyond this; commits then fail as on a full disk. */
  readonly bytesMax?: number;
  /** Fixed when the store is created. */
  readonly shardsPerService?: number;
}

export interface SqliteStore extends Store {
  /** Bytes of the write-ahead log in use, as of the last write. */
  readonly walBytes: number;
}

type Writing = Lane<WriterOperations>;
type Reading = Lane<ReaderOperations>;

/**
 * Opens a connection. Rejects with one sentence when the file cannot be a store of this system.
 *
 * @example
 * ```ts
 * const store = await openSqliteStore({ path: ".synod/bank.db", system: "bank" });
 * ```
 */
export async function openSqliteStore({
  path,
  system,
  log,
  bytesMax,
  shardsPerService = 64,
}: SqliteStoreOptions): Promise<SqliteStore> {
  const wal = logReportOf(log, path);
  const writer: Writing = new Lane("writer", wal.report);
  const reader: Reading = new Lane("reader");
  const place = resolve(path);
  try {
    const secret = new Uint8Array(randomBytes(32));
    const creation = { path: place, system, shardsPerService, secret, bytesMax };
    const identity = await writer.ask("open", creation, "ownership");
    await reader.ask("open", { path: place }, "ownership");
    return storeOf(identity, writer, reader, wal);
  } catch (error) {
    await Promise.all([writer.end(closed()), reader.end(closed())]);
    throw error;
  }
}

function storeOf(identity: StoreIdentity, writer: Writing, reader: Reading, wal: LogReport): SqliteStore {
  const reads = readQueueOf((packed) => reader.ask("read", packed, "commit"));
  let closing: Promise<void> | undefined;
  /** A store that broke is not read any more either: what it answers may never have become durable. */
  const readable = <Answer>(ask: () => Promise<Answer>): Promise<Answer> => {
    const reason = closing === undefined ? writer.failed : closed();
    return reason === undefined ? ask() : Promise.reject(reason);
  };

  return {
    identity,
    get walBytes() {
      return wal.bytes;
    },
    join: (request) => writer.ask("join", request, "ownership"),
    renew: async (request) => unpackRenewAnswer(await writer.ask("renew", request, "heartbeat")),
    claim: (request) => writer.ask("claim", request, "ownership"),
    release: (request) => writer.ask("release", request, "ownership"),
    endLease: (request) => writer.ask("endLease", request, "ownership"),
    view: () => readable(() => reader.ask("view", undefined, "ownership")),
    read: (asked) => readable(() => reads.read(asked)),
    commit: async (batch) => noteBroken(writer, await writer.ask("commit", packBatch(batch), "commit")),
    trim: (request) => writer.ask("trim", request, "upkeep"),
    close: () => {
      closing ??= close(writer, reader, reads);
      return closing;
    },
  };
}

function noteBroken(writer: Writing, answer: Parameters<typeof unpackCommitAnswer>[0]): CommitResult {
  const result = unpackCommitAnswer(answer);
  if (result.status === "broken") writer.fail(result.error);
  return result;
}

/** Answers what has been asked, then closes: the writer last, which leaves one file where there were three. */
async function close(writer: Writing, reader: Reading, reads: ReadQueue): Promise<void> {
  writer.fail(closed());
  await reads.drained();
  await reader.end(closed());
  await writer.end(closed());
}

function closed(): SynodError {
  return new SynodError("failed_precondition", "the connection to the store is closed");
}
