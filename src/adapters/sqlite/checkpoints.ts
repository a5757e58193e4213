/**
 * Keeps the write-ahead log short. SQLite would copy it into the database inside whichever commit makes it
 * long; here that happens between commits, after the answer has left. A reader of another process that never
 * ends can keep the log from being reused, so past a bound no commit is taken until it could be.
 */
import type { DatabaseSync } from "node:sqlite";
import { SynodError } from "../../errors.ts";
import { setting } from "./connection.ts";

/** From this size of what has not been copied yet, the log is copied into the database. */
const checkpointFromBytes = 8 * 1024 * 1024;
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
  const reset = database.prepare("PRAGMA wal_checkpoint(RESTART)");
  const ask = (statement: typeof look) => statement.get() as unknown as LogState;

  const maintain = (): number => {
    let state = ask(look);
    if ((state.log - state.checkpointed) * frameBytes >= bounds.checkpointFromBytes) state = ask(copy);
    return state.log * frameBytes;
  };

  const obstacle = (): SynodError | undefined => {
    if (ask(look).log * frameBytes < bounds.walBytesMax) return undefined;
    if (ask(reset).busy === 0) return undefined;
    const message = `the write-ahead log of ${path} is full: end the program that has been reading it for so long`;
    return new SynodError("unavailable", message);
  };

  return { maintain, obstacle };
}
