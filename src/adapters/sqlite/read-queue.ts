/**
 * Gathers reads: all that are asked for in one turn of the event loop, and while the last batch is under way,
 * go to the reading thread as one batch. A crossing between threads costs more than a read.
 */
import { SynodError } from "../../errors.ts";
import type { ReadResult, Store } from "../../ports/store.ts";
import { type PackedReadResults, type PackedReads, packReads, unpackReadResults } from "./packed-reads.ts";

/** Reads in one batch. */
const batchReadsMax = 1_000;
/** Requests that may wait for a batch. */
const requestsWaitingMax = 100_000;

interface Waiting {
  readonly packed: ReturnType<typeof packReads>;
  readonly length: number;
  readonly resolve: (results: ReadResult[]) => void;
  readonly reject: (error: unknown) => void;
}

export interface ReadQueue {
  readonly read: Store["read"];
  /** Resolves when all that was asked for has been answered. */
  drained(): Promise<void>;
}

/** Hands one batch to the reading thread. */
type AskReader = (packed: PackedReads) => Promise<PackedReadResults>;

export function readQueueOf(ask: AskReader): ReadQueue {
  let waiting: Waiting[] = [];
  let flushing: Promise<void> | undefined;

  const flush = async (): Promise<void> => {
    await endOfTurn();
    while (waiting.length > 0) {
      const batch = takeBatch(waiting);
      waiting = waiting.slice(batch.length);
      await answer(ask, batch);
    }
    flushing = undefined;
  };

  const read: Store["read"] = (reads) => {
    if (waiting.length >= requestsWaitingMax) {
      return Promise.reject(new SynodError("resource_exhausted", "too many reads wait for the store"));
    }
    return new Promise((resolve, reject) => {
      waiting.push({ packed: packReads(reads), length: reads.length, resolve, reject });
      flushing ??= flush();
    });
  };

  return { read, drained: async () => await flushing };
}

function endOfTurn(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}

/** As many requests as fit into one batch, and at least one. */
function takeBatch(waiting: readonly Waiting[]): readonly Waiting[] {
  let reads = 0;
  const fitting = waiting.findIndex(({ length }, index) => {
    reads += length;
    return index > 0 && reads > batchReadsMax;
  });
  return fitting < 0 ? waiting : waiting.slice(0, fitting);
}

async function answer(ask: AskReader, batch: readonly Waiting[]): Promise<void> {
  try {
    const next = unpackReadResults(await ask(batch.flatMap((request) => request.packed)));
    for (const { length, resolve } of batch) resolve(Array.from({ length }, next));
  } catch (error) {
    for (const { reject } of batch) reject(error);
  }
}
