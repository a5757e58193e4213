/**
 * The least program that does the same work: a framed socket, state in a Map, one validated input, and a thread that
 * commits states and deduplication records in one transaction per batch, with an epoch check. One batch is under
 * way at a time, and the next one gathers meanwhile. A connection is a session, and a frame's number that of the
 * command in it. Nothing has a bound, no deadline is kept, records are never taken out and nothing can be read back.
 */
import { once } from "node:events";
import { type AddressInfo, connect, createServer, type Socket } from "node:net";
import { join } from "node:path";
import { Worker } from "node:worker_threads";
import type { Run } from "../bench.ts";
import { Step } from "../counter.ts";
import { FramedSocket } from "../frames.ts";
import type { Serve } from "../partner.ts";
import type { LimitBatch, LimitOpening } from "./limit-writer.ts";
import { measureDurable } from "./load.ts";

/** Of the three ways that the bench rpc compares, the one that was the fastest here. */
const cutBytes = 1024;

class Owner {
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

  add(session: string, number: number, key: string, inputText: string, answer: (reply: string) => void): void {
    const { by } = Step.parse(JSON.parse(inputText));
    const counter = this.#counters.get(key) ?? { count: 0 };
    counter.count += by;
    this.#counters.set(key, counter);
    const text = JSON.stringify(counter);
    this.#states.set(key, text);
    this.#records.push(session, number, inputText, text);
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

export const serve: Serve = async ({ folder }) => {
  const opening: LimitOpening = { path: join(folder, "limit.db"), epoch: 1 };
  const writer = new Worker(new URL("./limit-writer.ts", import.meta.url), { workerData: opening });
  // Whatever goes wrong in the thread ends the process, and so the run.
  writer.on("error", (error) => {
    throw error;
  });
  await once(writer, "message");
  const owner = new Owner(writer);
  const sockets = new Set<Socket>();
  const server = createServer({ noDelay: true }, (socket) => {
    const session = `session-${sockets.size}`;
    sockets.add(socket.on("error", () => {}));
    const frames = new FramedSocket(socket, cutBytes, (number, text) => {
      const keyEnd = text.indexOf("\n");
      const answer = (reply: string): void => frames.send(number, reply);
      owner.add(session, number, text.slice(0, keyEnd), text.slice(keyEnd + 1), answer);
    });
  }).listen({ host: "127.0.0.1", port: 0 });
  await once(server, "listening");
  const close = async (): Promise<void> => {
    for (const socket of sockets) socket.destroy();
    server.close();
    await writer.terminate();
  };
  return { address: String((server.address() as AddressInfo).port), close };
};

export const run: Run = (options) =>
  measureDurable(
    import.meta.url,
    async (address) => {
      const socket = connect({ host: "127.0.0.1", port: Number(address), noDelay: true });
      await once(socket, "connect");
      const waiting = new Map<number, (count: number) => void>();
      const frames = new FramedSocket(socket, cutBytes, (number, text) => {
        const answer = waiting.get(number)!;
        waiting.delete(number);
        answer((JSON.parse(text) as { count: number }).count);
      });
      let commands = 0;
      const add = (key: string): Promise<number> =>
        new Promise((resolve) => {
          const number = commands++;
          waiting.set(number, resolve);
          frames.send(number, `${key}\n${JSON.stringify({ by: 1 })}`);
        });
      return { add, close: async () => void socket.destroy() };
    },
    options,
  );
