/**
 * The least program that does the same work. State is in a Map; a command's input is validated, its change is
 * gathered, and it is answered when a thread has committed it. One commit is under way at a time, the next one
 * gathers meanwhile, and an epoch is checked in each. There is no mailbox, no deadline, no lease and no bound,
 * a handler could not wait for anything, and nothing could be read back.
 *
 * With idempotency keys a command also leaves its reply in the commit. A copy of an open command joins it; for
 * an older one the insert fails, which would be the moment to look its reply up. Nothing here repeats a command,
 * so the run fails instead.
 */
import { once } from "node:events";
import { join } from "node:path";
import { Worker } from "node:worker_threads";
import type { Run } from "../bench.ts";
import { Step } from "../counter.ts";
import type { LimitBatch, LimitOpening } from "./limit-writer.ts";
import { type CounterCommands, measureCommands } from "./load.ts";

interface Reply {
  readonly count: number;
}

class LimitProgram implements CounterCommands {
  commits = 0;
  readonly #writer: Worker;
  readonly #counters = new Map<string, { count: number }>();
  readonly #open = new Map<string, Promise<Reply>>();
  #states = new Map<string, string>();
  #records: string[] = [];
  #answers: (() => void)[] = [];
  #underWay: readonly (() => void)[] | undefined;
  #waking = false;

  constructor(writer: Worker) {
    this.#writer = writer;
    writer.on("message", () => this.#committed());
  }

  create(keys: readonly string[]): Promise<unknown> {
    return Promise.all(keys.map((key) => this.add(key, undefined)));
  }

  add(key: string, id: string | undefined): Promise<Reply> {
    return this.#add(key, { by: 1 }, id);
  }

  #add(key: string, input: unknown, id: string | undefined): Promise<Reply> {
    const copied = id === undefined ? undefined : this.#open.get(id);
    if (copied !== undefined) return copied;
    const { by } = Step.parse(input);
    const counter = this.#counters.get(key) ?? { count: 0 };
    counter.count += by;
    this.#counters.set(key, counter);
    const text = JSON.stringify(counter);
    this.#states.set(key, text);
    if (id !== undefined) this.#records.push(id, JSON.stringify(input), text);
    const reply = new Promise<Reply>((resolve) => {
      this.#answers.push(() => {
        if (id !== undefined) this.#open.delete(id);
        resolve(JSON.parse(text) as Reply);
      });
    });
    if (id !== undefined) this.#open.set(id, reply);
    this.#wake();
    return reply;
  }

  /** What is asked for in one turn of the event loop travels together. */
  #wake(): void {
    if (this.#waking || this.#underWay !== undefined) return;
    this.#waking = true;
    setImmediate(() => {
      this.#waking = false;
      this.#commit();
    });
  }

  #commit(): void {
    const batch: LimitBatch = { epoch: 1, states: [...this.#states].flat(), records: this.#records };
    this.#underWay = this.#answers;
    this.#states = new Map();
    this.#records = [];
    this.#answers = [];
    this.commits += 1;
    this.#writer.postMessage(batch);
  }

  #committed(): void {
    const answers = this.#underWay ?? [];
    this.#underWay = undefined;
    for (const answer of answers) answer();
    if (this.#answers.length > 0) this.#wake();
  }
}

export const run: Run = async (options) => {
  const opening: LimitOpening = { path: join(options.folder, "limit.db"), epoch: 1 };
  const writer = new Worker(new URL("./limit-writer.ts", import.meta.url), { workerData: opening });
  // Whatever goes wrong in the thread ends the process, and so the run.
  writer.on("error", (error) => {
    throw error;
  });
  await once(writer, "message");
  try {
    return await measureCommands(new LimitProgram(writer), options);
  } finally {
    await writer.terminate();
  }
};
