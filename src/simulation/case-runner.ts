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

/** A run that takes so long in real time is told of when nobody says it, ms: a crowded machine takes seconds for one. */
const longDefaultMs = 30_000;
/** Real time after which a run is given up when nobody says it, ms. */
const runMaxDefaultMs = 5 * 60_000;

/** What happens to runs that take long: code of the user that never yields would never end. */
export interface RunLimits {
  /** Real time after which a run is told of, ms. */
  readonly longMs?: number | undefined;
  /** Real time after which it is given up, with its worker, ms. */
  readonly runMaxMs?: number | undefined;
  /** Called once for a run that takes long. */
  readonly onLong?: ((seed: number, ms: number) => void) | undefined;
}

interface Place {
  worker: Worker | undefined;
}

export class CaseRunner implements AsyncDisposable {
  readonly #task: WorkerTask;
  readonly #limits: RunLimits;
  readonly #free: Place[];
  readonly #all: readonly Place[];
  #waiting: ((place: Place) => void)[] = [];
  #closed = false;

  constructor(task: WorkerTask, workers: number, limits: RunLimits = {}) {
    this.#task = task;
    this.#limits = limits;
    this.#all = Array.from({ length: workers }, () => ({ worker: undefined }));
    this.#free = [...this.#all];
  }

  /** Rejects when a worker ends by itself, and when the run does not end; the next run has another worker then. */
  async run(options: CaseOptions): Promise<RunResult> {
    const place = this.#free.pop() ?? (await new Promise<Place>((resolve) => this.#waiting.push(resolve)));
    try {
      return await this.#runOn(await this.#workerAt(place), options);
    } finally {
      const next = this.#waiting.shift();
      if (next === undefined) this.#free.push(place);
      else next(place);
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#closed = true;
    await Promise.all(this.#all.map(({ worker }) => worker?.terminate()));
  }

  async #workerAt(place: Place): Promise<Worker> {
    if (place.worker !== undefined && (await isFull(place.worker))) {
      await place.worker.terminate();
      place.worker = undefined;
    }
    if (place.worker !== undefined) return place.worker;
    // After the first of several runs has failed, others may still want to begin.
    if (this.#closed) throw new SynodError("cancelled", "the workers of the simulator have been stopped");
    const worker = startWorker(this.#task);
    place.worker = worker;
    const forget = (): void => {
      if (place.worker === worker) place.worker = undefined;
    };
    // Also between two runs.
    worker.on("error", forget).on("exit", forget);
    await messageOf(worker);
    return worker;
  }

  async #runOn(worker: Worker, options: CaseOptions): Promise<RunResult> {
    const { longMs = longDefaultMs, runMaxMs = runMaxDefaultMs, onLong } = this.#limits;
    let late = false;
    const long = setTimeout(() => onLong?.(options.seed, longMs), longMs);
    const bound = setTimeout(() => {
      late = true;
      void worker.terminate();
    }, runMaxMs);
    try {
      const result = messageOf(worker);
      worker.postMessage(options);
      return (await result) as RunResult;
    } catch (error) {
      if (!late) throw error;
      const sentence = `it did not end in ${runMaxMs / 1_000} s: is there code that never yields, such as an endless loop?`;
      throw new SynodError("deadline_exceeded", sentence, { cause: error });
    } finally {
      clearTimeout(long);
      clearTimeout(bound);
    }
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
