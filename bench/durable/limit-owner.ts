/**
 * The owner in the least programs: state in a Map, one validated input, and a thread that commits states and
 * deduplication records in one transaction per batch, with an epoch check. One batch is under way at a time, and the
 * next one gathers meanwhile. Nothing has a bound, no deadline is kept, records are never taken out and nothing can be
 * read back.
 */
import { once } from "node:events";
import { type AddressInfo, connect, createServer, type Socket } from "node:net";
import { join } from "node:path";
import { Worker } from "node:worker_threads";
import { Step } from "../counter.ts";
import { FramedSocket } from "../frames.ts";
import type { Served } from "../partner.ts";
import type { LimitBatch, LimitOpening } from "./limit-writer.ts";

/** Of the three ways to gather writes that the bench rpc compares, the one that was the fastest here. */
const cutBytes = 1024;

export interface CommandId {
  readonly session: string;
  readonly number: number;
}

export class Owner {
  readonly #writer: Worker;
  readonly #counters = new Map<string, { count: number }>();
  #states = new Map<string, string>();
  #records: LimitBatch["records"][number][] = [];
  #answers: (() => void)[] = [];
  #underWay: readonly (() => void)[] | undefined;
  #waking = false;

  constructor(writer: Worker) {
    this.#writer = writer;
    writer.on("message", () => this.#committed());
  }

  /** `id`: under which a repeat would be told. */
  add(id: CommandId, key: string, inputText: string, answer: (reply: string) => void): void {
    const { by } = Step.parse(JSON.parse(inputText));
    const counter = this.#counters.get(key) ?? { count: 0 };
    counter.count += by;
    this.#counters.set(key, counter);
    const text = JSON.stringify(counter);
    this.#states.set(key, text);
    this.#records.push(id.session, id.number, inputText, text);
    this.#answers.push(() => answer(text));
    this.#wake();
  }

  /** What arrives in one turn of the event loop travels together. */
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
  const opening: LimitOpening = { path: join(folder, "limit.db"), epoch: 1 };
  const writer = new Worker(new URL("./limit-writer.ts", import.meta.url), { workerData: opening });
  // Whatever goes wrong in the thread ends the process, and so the run.
  writer.on("error", (error) => {
    throw error;
  });
  await once(writer, "message");
  return { owner: new Owner(writer), close: () => writer.terminate() };
}

/** One request of a session: its number there, and its text. */
export type Answerer = (session: string, number: number, text: string, answer: (reply: string) => void) => void;

/** A server on a framed socket; a connection is a session. */
export async function serveFrames(answerer: Answerer): Promise<Served> {
  const sockets = new Set<Socket>();
  const server = createServer({ noDelay: true }, (socket) => {
    const session = `session-${sockets.size}`;
    sockets.add(socket.on("error", () => {}));
    const frames = new FramedSocket(socket, cutBytes, (number, text) => {
      answerer(session, number, text, (reply) => frames.send(number, reply));
    });
  }).listen({ host: "127.0.0.1", port: 0 });
  await once(server, "listening");
  const close = async (): Promise<void> => {
    for (const socket of sockets) socket.destroy();
    server.close();
  };
  return { address: String((server.address() as AddressInfo).port), close };
}

/** Asks it; answers are paired with their requests by number. */
export async function connectFrames(
  address: string,
): Promise<{ ask(text: string): Promise<string>; close(): Promise<void> }> {
  const socket = connect({ host: "127.0.0.1", port: Number(address), noDelay: true });
  await once(socket, "connect");
  const waiting = new Map<number, (reply: string) => void>();
  const frames = new FramedSocket(socket, cutBytes, (number, text) => {
    const answer = waiting.get(number)!;
    waiting.delete(number);
    answer(text);
  });
  let asked = 0;
  const ask = (text: string): Promise<string> =>
    new Promise((resolve) => {
      const number = asked++;
      waiting.set(number, resolve);
      frames.send(number, text);
    });
  return { ask, close: async () => void socket.destroy() };
}
