/** A node process as its supervisor sees it: messages there and back, questions with answers, and its end. */
import { type ChildProcess, fork } from "node:child_process";
import { getCompileCacheDir } from "node:module";
import type { Server } from "node:net";
import { fileURLToPath } from "node:url";
import { SynodError } from "../errors.ts";
import type { ConnectionHandle } from "../ports/gateway.ts";
import { fromErrorFacts } from "./error-facts.ts";
import type { FromNode, Question, Questions, ToNode } from "./messages.ts";
import { heapFlags } from "./node-heap.ts";
import type { NodeProcessArguments } from "./node-process.ts";

export interface NodeChildOptions {
  readonly settings: NodeProcessArguments;
  /** Sends what the user's code prints to standard error, so that standard output stays readable to machines. */
  readonly quietStdout: boolean;
  readonly onMessage: (message: FromNode) => void;
  /** The node passes an idle connection of that adapter on. */
  readonly onConnection: (adapter: number, connection: ConnectionHandle) => void;
  /** Called once, when the process is dead and everything that it said has been heard. */
  readonly onEnd: (end: string) => void;
}

/** How long an answer of a node is waited for; a call may take longer, by its own timeout. */
const answerMaxMs = 2_000;

const fromSource = import.meta.url.endsWith(".ts");

export class NodeChild {
  readonly #process: ChildProcess;
  readonly #pending = new Map<number, PromiseWithResolvers<unknown>>();
  #asked = 0;

  constructor({ settings, quietStdout, onMessage, onConnection, onEnd }: NodeChildOptions) {
    const cache = getCompileCacheDir();
    const program = new URL(fromSource ? "./node-process.ts" : "./node-process.js", import.meta.url);
    this.#process = fork(fileURLToPath(program), [JSON.stringify(settings)], {
      execArgv: [
        ...heapFlags(process.env.NODE_OPTIONS, process.execArgv),
        ...(fromSource ? ["--conditions=synod-source"] : []),
      ],
      env: { ...process.env, ...(cache !== undefined && { NODE_COMPILE_CACHE: cache }) },
      stdio: ["ignore", quietStdout ? 2 : "inherit", "inherit", "ipc"],
    });
    this.#process.on("message", (message: FromNode, handle) => {
      if (message.type === "connection") onConnection(message.adapter, handle as unknown as ConnectionHandle);
      else this.#receive(message, onMessage);
    });
    // Neither a message to a process that has just died nor a failed fork is news: both end in `close`.
    this.#process.on("error", () => {});
    this.#process.on("close", (code, signal) => {
      for (const { reject } of this.#pending.values()) reject(unavailable("the node died before it answered"));
      this.#pending.clear();
      onEnd(signal ?? `exit code ${code}`);
    });
  }

  get pid(): number | undefined {
    return this.#process.pid;
  }

  tell(message: ToNode, handle?: Server): void {
    if (this.#process.connected) this.#process.send(message, handle, { keepOpen: true }, () => {});
  }

  /** Gives the node an open connection to go on with. */
  takeOver(adapter: number, connection: ConnectionHandle): void {
    // A copy has gone when the message has.
    const close = (): void => connection.close();
    if (!this.#process.connected) return close();
    this.#process.send({ type: "connection", adapter } satisfies ToNode, connection as unknown as Server, {}, close);
  }

  /** Rejects when the node refuses, dies, or takes longer than `waitMs`. */
  async ask<Q extends Question>(
    question: Q,
    ask: Questions[Q]["ask"],
    waitMs: number = answerMaxMs,
  ): Promise<Questions[Q]["answer"]> {
    const id = ++this.#asked;
    const pending = Promise.withResolvers<unknown>();
    this.#pending.set(id, pending);
    const timer = setTimeout(() => pending.reject(unavailable(`the node did not answer within ${waitMs} ms`)), waitMs);
    try {
      this.tell({ type: "ask", id, question, ask });
      return (await pending.promise) as Questions[Q]["answer"];
    } finally {
      clearTimeout(timer);
      this.#pending.delete(id);
    }
  }

  kill(): void {
    this.#process.kill("SIGKILL");
  }

  /** Until it is woken; it does not notice. */
  standStill(): void {
    this.#process.kill("SIGSTOP");
  }

  wake(): void {
    this.#process.kill("SIGCONT");
  }

  #receive(message: FromNode, onMessage: (message: FromNode) => void): void {
    if (message.type === "answer") this.#pending.get(message.id)?.resolve(message.answer);
    else if (message.type === "refusal") this.#pending.get(message.id)?.reject(fromErrorFacts(message.error));
    else onMessage(message);
  }
}

/** The node may have done what it was asked to do. */
function unavailable(sentence: string): SynodError {
  return new SynodError("unavailable", sentence, { outcome: "unknown" });
}
