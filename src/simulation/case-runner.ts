/**
 * Runs cases of one scenario on a few workers. A case goes to whichever is free: its result is the same on each. A
 * worker whose heap is full is replaced, because what it loads of the user for each run is never collected.
 */
import type { Worker } from "node:worker_threads";
import { SynodError, toSynodError } from "../errors.ts";
import type { CaseOptions } from "./case.ts";
import type { RunResult } from "./simulate.ts";
import type { WorkerTask } from "./worker.ts";
import { startWorker } from "./worker-thread.ts";

/**
 * The heap of a worker that is not replaced yet, with garbage. A system of few modules fills it in a hundred runs; what
 * replaces it begins with code that is not compiled, and takes twice as long for its first runs.
 */
const heapBytesMax = 256 * 1024 * 1024;

interface Place {
  worker: Worker | undefined;
}

export class CaseRunner implements AsyncDisposable {
  readonly #task: WorkerTask;
  readonly #free: Place[];
  readonly #all: readonly Place[];
  #waiting: ((place: Place) => void)[] = [];

  constructor(task: WorkerTask, workers: number) {
    this.#task = task;
    this.#all = Array.from({ length: workers }, () => ({ worker: undefined }));
    this.#free = [...this.#all];
  }

  /** Rejects when a worker ends by itself. */
  async run(options: CaseOptions): Promise<RunResult> {
    const place = this.#free.pop() ?? (await new Promise<Place>((resolve) => this.#waiting.push(resolve)));
    try {
      return await this.#runAt(place, options);
    } finally {
      const next = this.#waiting.shift();
      if (next === undefined) this.#free.push(place);
      else next(place);
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all(this.#all.map(({ worker }) => worker?.terminate()));
  }

  async #runAt(place: Place, options: CaseOptions): Promise<RunResult> {
    if (place.worker !== undefined && (await isFull(place.worker))) {
      await place.worker.terminate();
      place.worker = undefined;
    }
    if (place.worker === undefined) {
      place.worker = startWorker(this.#task);
      await messageOf(place.worker);
    }
    const result = messageOf(place.worker);
    place.worker.postMessage(options);
    return (await result) as RunResult;
  }
}

async function isFull(worker: Worker): Promise<boolean> {
  return (await worker.getHeapStatistics()).used_heap_size > heapBytesMax;
}

/** The next message of a worker. */
function messageOf(worker: Worker): Promise<unknown> {
  return new Promise((resolve, reject) => {
    const onError = (error: unknown): void => settle(() => reject(toSynodError(error, "not-happened")));
    const onExit = (code: number): void =>
      settle(() => reject(new SynodError("internal", `a worker of the simulator ended with code ${code}`)));
    const onMessage = (message: unknown): void => settle(() => resolve(message));
    const settle = (end: () => void): void => {
      worker.off("error", onError);
      worker.off("exit", onExit);
      worker.off("message", onMessage);
      end();
    };
    worker.on("error", onError);
    worker.on("exit", onExit);
    worker.on("message", onMessage);
  });
}
