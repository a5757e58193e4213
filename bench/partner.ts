/**
 * The second process of a side: the one that is called, where the side's own process calls. It runs the same
 * module, which exports `serve` beside `run`, and lives as long as the side, so that its code is as warm. It
 * opens everything anew for each run.
 */
import { type ChildProcess, fork } from "node:child_process";
import { fileURLToPath } from "node:url";
import type { RunOptions } from "./bench.ts";

/** What is open in the partner during one run. */
export interface Served {
  /** Where it answers, in the side's own notation. */
  readonly address: string;
  /** Whether another process, which this one only started, does the work. */
  readonly elsewhere?: boolean;
  close(): Promise<unknown> | undefined;
}

export interface ServeOptions extends Pick<RunOptions, "folder" | "variant"> {
  /** Which one it is, for a side with several; 0 if absent. */
  readonly index?: number;
}

/** What a side with a partner exports beside `run`. */
export type Serve = (options: ServeOptions) => Promise<Served>;

/** What the partner is told, and what it says. One order is under way at a time. */
export type Order =
  | { readonly kind: "open"; readonly options: ServeOptions }
  | { readonly kind: "processor time" }
  | { readonly kind: "close" };
export type Answer =
  | { readonly kind: "done"; readonly address?: string; readonly microseconds?: number }
  | { readonly kind: "failed"; readonly message: string };

export interface OpenPartner extends AsyncDisposable {
  readonly address: string;
  readonly processId: number;
  /** Processor time since the process started, all threads together; undefined where another process does the work. */
  processorMicroseconds(): Promise<number | undefined>;
}

const partners = new Map<string, Partner>();

/** Opens the partner of a side; `module` is the side's own `import.meta.url`. */
export async function openPartner(module: string, options: ServeOptions): Promise<OpenPartner> {
  const { folder, variant, index = 0 } = options;
  const name = `${module} ${index}`;
  const partner = partners.get(name) ?? new Partner(module);
  partners.set(name, partner);
  const { address } = await partner.order({ kind: "open", options: { folder, variant, index } });
  if (address === undefined) throw new Error("the partner said no address");
  return {
    address,
    processId: partner.processId,
    processorMicroseconds: async () => (await partner.order({ kind: "processor time" })).microseconds,
    [Symbol.asyncDispose]: async () => void (await partner.order({ kind: "close" })),
  };
}

class Partner {
  readonly #process: ChildProcess;
  #last: Promise<unknown> = Promise.resolve();

  constructor(module: string) {
    // It ends with the side, whose end it sees as the end of the channel between them.
    this.#process = fork(fileURLToPath(new URL("./partner-process.ts", import.meta.url)), [module]);
    // The side may end while the partner lives: it has nothing to wait for between runs.
    this.#process.unref();
    this.#process.channel?.unref();
  }

  get processId(): number {
    return this.#process.pid!;
  }

  order(order: Order): Promise<Extract<Answer, { kind: "done" }>> {
    const answered = this.#last.then(() => this.#answer(order));
    this.#last = answered.catch(() => {});
    return answered;
  }

  #answer(order: Order): Promise<Extract<Answer, { kind: "done" }>> {
    return new Promise((resolve, reject) => {
      const settle = (): void => {
        this.#process.off("message", heard).off("exit", ended);
        this.#process.channel?.unref();
      };
      const heard = (answer: Answer): void => {
        settle();
        if (answer.kind === "done") resolve(answer);
        else reject(new Error(`the partner failed to ${order.kind}: ${answer.message}`));
      };
      const ended = (code: number | null, signal: string | null): void => {
        settle();
        reject(new Error(`the process of the partner ended (${signal ?? code})`));
      };
      this.#process.on("message", heard).once("exit", ended);
      this.#process.channel?.ref();
      if (this.#process.connected) this.#process.send(order);
      else ended(this.#process.exitCode, this.#process.signalCode);
    });
  }
}
