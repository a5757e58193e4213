/**
 * The owner in the least programs: state in a Map, one validated input, and a thread that commits states and
 * deduplication records in one transaction per batch, with an epoch check. One batch is under way at a time, and the
 * next one gathers meanwhile. Nothing has a bound, no deadline is kept, records are never taken out and nothing can be
 * read back. A repeat that comes later than the command's own commit fails at its record, which would be the moment to
 * look its reply up; nothing here repeats a command, so the run fails instead.
 */
import { once } from "node:events";
import { join } from "node:path";
import { Worker } from "node:worker_threads";
import { Step } from "../counter.ts";
import type { Batch, Opening } from "./writer.ts";

export interface Addition {
  readonly key: string;
  readonly input: unknown;
  /** The same as JSON text. */
  readonly inputText: string;
  /** Under which a repeat would be told; undefined for a command without a record. */
  readonly id: string | undefined;
}

export class Owner {
  commits = 0;
  readonly #writer: Worker;
  readonly #counters = new Map<string, { count: number }>();
  #states = new Map<string, string>();
  #records: string[] = [];
  #answers: (() => void)[] = [];
  #underWay: readonly (() => void)[] | undefined;
  #waking = false;

  constructor(writer: Worker) {
    this.#writer = writer;
    writer.on("message", () => this.#committed());
  }

  /** `answer` gets the counter, as JSON text, when it is durable. */
  add({ key, input, inputText, id }: Addition, answer: (reply: string) => void): void {
    const { by } = Step.parse(input);
    const counter = this.#counters.get(key) ?? { count: 0 };
    counter.count += by;
    this.#counters.set(key, counter);
    const text = JSON.stringify(counter);
    this.#states.set(key, text);
    if (id !== undefined) this.#records.push(id, inputText, text);
    this.#answers.push(() => answer(text));
    this.#wake();
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
    const batch: Batch = { epoch: 1, states: [...this.#states].flat(), records: this.#records };
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
    if (this.#answers.length > 0) this.#wake();
    for (const answer of answers) answer();
  }
}

export async function openOwner(folder: string): Promise<{ readonly owner: Owner; close(): Promise<unknown> }> {
  const opening: Opening = { path: join(folder, "limit.db"), epoch: 1 };
  const writer = new Worker(new URL("./writer.ts", import.meta.url), { workerData: opening });
  // Whatever goes wrong in the thread ends the process, and so the run.
  writer.on("error", (error) => {
    throw error;
  });
  await once(writer, "message");
  return { owner: new Owner(writer), close: () => writer.terminate() };
}
