/**
 * One of a store's threads, seen from the node's: a queue of requests of which one is under way at a time. What
 * waits here can still be overtaken, which is how a heartbeat gets before a batch; what has been handed to the
 * thread could not.
 */
import { Worker } from "node:worker_threads";
import { SynodError } from "../../errors.ts";
import { type AnswerMessage, type LogMessage, unpackError } from "./messages.ts";

/** Requests that may wait for one thread. */
const requestsWaitingMax = 10_000;

/**
 * What a thread's heap grows to before it is collected. Requests and answers pass through and leave nothing behind: more
 * (Node takes 48) would only be garbage that waits, twice for every node.
 */
const youngHeapMib = 12;

/** In the order of urgency. */
export type Urgency = "heartbeat" | "ownership" | "commit" | "upkeep";

interface Waiting {
  readonly operation: string;
  readonly request: unknown;
  readonly resolve: (answer: never) => void;
  readonly reject: (error: SynodError) => void;
}

type Operation = (request: never) => unknown;

export class Lane<Operations extends { readonly [Name in keyof Operations]: Operation }> {
  readonly #worker: Worker;
  readonly #queues: Readonly<Record<Urgency, Waiting[]>> = { heartbeat: [], ownership: [], commit: [], upkeep: [] };
  readonly #onLog: ((message: LogMessage) => void) | undefined;
  #underWay: Waiting | undefined;
  #waiting = 0;
  #failed: SynodError | undefined;
  #gone = false;

  constructor(role: "writer" | "reader", onLog?: (message: LogMessage) => void) {
    this.#onLog = onLog;
    // tsc rewrites the endings of imports, but not of URLs.
    const entry = import.meta.url.endsWith(".ts") ? "./worker.ts" : "./worker.js";
    this.#worker = new Worker(new URL(entry, import.meta.url), {
      name: `synod sqlite ${role}`,
      workerData: role,
      execArgv: [],
      resourceLimits: { maxYoungGenerationSizeMb: youngHeapMib },
    });
    // An idle store does not keep the process alive.
    this.#worker.unref();
    this.#worker.on("message", (message: AnswerMessage | LogMessage) => this.#receive(message));
    this.#worker.on("error", (cause) => this.#lost(`failed: ${cause instanceof Error ? cause.message : cause}`, cause));
    this.#worker.on("exit", () => this.#lost("has ended"));
  }

  /** Why nothing can be asked any more. */
  get failed(): SynodError | undefined {
    return this.#failed;
  }

  /** Ends the lane for everything that is asked from now on; what waits already is still answered. */
  fail({ code, message }: SynodError): void {
    this.#failed ??= new SynodError(code, message, { outcome: "not-happened" });
  }

  ask<Name extends keyof Operations & string>(
    operation: Name,
    request: Parameters<Operations[Name]>[0],
    urgency: Urgency,
  ): Promise<ReturnType<Operations[Name]>> {
    if (this.#failed !== undefined) return Promise.reject(this.#failed);
    if (this.#waiting >= requestsWaitingMax) {
      return Promise.reject(new SynodError("resource_exhausted", "too many requests wait for the store"));
    }
    return this.#ask(operation, request, urgency);
  }

  #ask<Answer>(operation: string, request: unknown, urgency: Urgency): Promise<Answer> {
    return new Promise((resolve, reject) => {
      this.#queues[urgency].push({ operation, request, resolve, reject });
      this.#waiting++;
      this.#next();
    });
  }

  /** Has everything answered that was asked before, closes the connection and ends the thread. */
  async end(reason: SynodError): Promise<void> {
    // A thread that never opened its file, or that has gone, has nothing to close.
    const done = this.#gone ? undefined : this.#ask("close", undefined, "upkeep").catch(() => undefined);
    this.fail(reason);
    await done;
    await this.#worker.terminate();
  }

  #next(): void {
    if (this.#underWay !== undefined) return;
    const { heartbeat, ownership, commit, upkeep } = this.#queues;
    this.#underWay = heartbeat.shift() ?? ownership.shift() ?? commit.shift() ?? upkeep.shift();
    if (this.#underWay === undefined) {
      this.#worker.unref();
      return;
    }
    this.#waiting--;
    this.#worker.ref();
    const { operation, request } = this.#underWay;
    this.#worker.postMessage({ operation, request });
  }

  #receive(message: AnswerMessage | LogMessage): void {
    if (!("ok" in message)) {
      this.#onLog?.(message);
      return;
    }
    const answered = this.#underWay;
    this.#underWay = undefined;
    if (message.ok) answered?.resolve(message.answer as never);
    else {
      const error = unpackError(message.error);
      if (message.broken) this.fail(error);
      answered?.reject(error);
    }
    this.#next();
  }

  /** The thread is gone: what it had in hand may have been done, what waits has not. */
  #lost(how: string, cause?: unknown): void {
    this.#gone = true;
    const error = (outcome: "unknown" | "not-happened") =>
      new SynodError("unavailable", `the store's thread ${how}`, { outcome, cause });
    this.fail(error("not-happened"));
    this.#underWay?.reject(error("unknown"));
    this.#underWay = undefined;
    for (const queue of Object.values(this.#queues)) {
      for (const { reject } of queue.splice(0)) reject(error("not-happened"));
    }
    this.#waiting = 0;
  }
}
