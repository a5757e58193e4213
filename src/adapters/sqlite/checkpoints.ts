/**
 * Keeps the write-ahead log short. SQLite would copy it into the database inside whichever commit makes it
 * long; here that happens between commits, after the answer has left, and often, so that it is never much.
 *
 * The log is used again from its start only when all of it has been copied, and where several processes commit
 * there is always something that came while the rest was copied: then it grows for ever, and each commit waits for
 * the file system to make the file longer (decision 0014). So copying has two steps: most of it beside the commits of others, and
 * the rest, with the sync of the database, under the write lock.
 *
 * A reader of another process that never ends can keep the log from being used again all the same, so past a bound no commit is
 * taken until it could be.
 */
import type { DatabaseSync } from "node:sqlite";
import { SynodError } from "../../errors.ts";
import { setting } from "./connection.ts";

/** From this size of what has not been copied yet, the log is copied into the database. */
const checkpointFromBytes = 2 * 1024 * 1024;
/**
 * The database is synced by a pass in which nobody commits. The first one takes milliseconds; the second has as much to copy as came
 * meanwhile, and is over before the next commit, mostly. So what is left to do under the write lock is little.
 */
const copyPasses = 2;
/** After how many commits it is given up, until there is more to copy, that the write lock is free and nobody reads. */
const finishTriesMax = 8;
/** The log does not grow beyond this. */
export const walBytesMax: number = 512 * 1024 * 1024;
/** What SQLite puts before every page in the log. */
const frameHeaderBytes = 24;

export interface Checkpoints {
  /** To be called between transactions. Answers the bytes of the log that are in use. */
  maintain(): number;
  /** Why no commit can be taken now; undefined when one can. */
  obstacle(): SynodError | undefined;
}

interface LogState {
  readonly busy: number;
  readonly log: number;
  readonly checkpointed: number;
}

export interface CheckpointBounds {
  readonly checkpointFromBytes: number;
  readonly walBytesMax: number;
}

export function checkpointsOf(
  database: DatabaseSync,
  path: string,
  bounds: CheckpointBounds = { checkpointFromBytes, walBytesMax },
): Checkpoints {
  const frameBytes = Number(setting(database, "page_size")) + frameHeaderBytes;
  // Says how long the log is and copies nothing; a SQLite before 3.51 copies what it can, which is right too.
  const look = database.prepare("PRAGMA wal_checkpoint(NOOP)");
  const copy = database.prepare("PRAGMA wal_checkpoint(PASSIVE)");
  // Takes the write lock, if it can be had at once, so that nothing is added meanwhile.
  const finish = database.prepare("PRAGMA wal_checkpoint(RESTART)");
  const ask = (statement: typeof look) => statement.get() as unknown as LogState;

  /** How long the log was, in frames, when copying was last begun. */
  let begunAt = 0;
  let triesLeft = 0;

  const maintain = (): number => {
    const { log, checkpointed } = ask(look);
    if (log < begunAt) [begunAt, triesLeft] = [0, 0];
    // What a reader is in the way of is not tried again with every commit.
    if ((log - Math.max(checkpointed, begunAt)) * frameBytes >= bounds.checkpointFromBytes) {
      [begunAt, triesLeft] = [log, finishTriesMax];
      for (let pass = 0; pass < copyPasses; pass++) ask(copy);
    }
    if (triesLeft > 0) triesLeft = ask(finish).busy === 0 ? 0 : triesLeft - 1;
    return log * frameBytes;
  };

  const obstacle = (): SynodError | undefined => {
    if (ask(look).log * frameBytes < bounds.walBytesMax) return undefined;
    if (ask(finish).busy === 0) return undefined;
    const message = `the write-ahead log of ${path} is full: end the program that has been reading it for so long`;
    return new SynodError("unavailable", message);
  };

  return { maintain, obstacle };
}
