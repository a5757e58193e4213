/** One side, seen from the harness: a process that is told to do a run and answers what it measured. */
import { type ChildProcess, fork } from "node:child_process";
import { once } from "node:events";
import { fileURLToPath } from "node:url";
import type { Measured, RunOptions } from "./bench.ts";

/** What the process says. */
export type FromSide =
  | { readonly kind: "measured"; readonly measured: Measured }
  | { readonly kind: "failed"; readonly message: string };

export interface SideOptions {
  readonly name: string;
  readonly module: URL;
  /** Where the runs' folders are made. */
  readonly workFolder: string;
  /** Of Node, for the process. */
  readonly nodeFlags?: readonly string[] | undefined;
  /** Where the process leaves a CPU profile when it ends. */
  readonly profileFolder?: string | undefined;
}

export class Side implements AsyncDisposable {
  readonly name: string;
  readonly #process: ChildProcess;

  constructor({ name, module, workFolder, profileFolder, nodeFlags = [] }: SideOptions) {
    this.name = name;
    const profile = profileFolder === undefined ? [] : ["--cpu-prof", `--cpu-prof-dir=${profileFolder}`];
    this.#process = fork(fileURLToPath(new URL("./side-process.ts", import.meta.url)), [module.href, workFolder], {
      execArgv: ["--conditions=synod-source", ...nodeFlags, ...profile],
      serialization: "advanced",
    });
  }

  /** Does one run. Rejects when it fails, or when the process ends. */
  run(options: Omit<RunOptions, "folder">): Promise<Measured> {
    const side = this.#process;
    return new Promise((resolve, reject) => {
      const settle = (): void => {
        side.off("message", answered);
        side.off("exit", ended);
      };
      const answered = (message: FromSide): void => {
        settle();
        if (message.kind === "measured") resolve(message.measured);
        else reject(new Error(`${this.name} failed at ${options.variant}: ${message.message}`));
      };
      const ended = (code: number | null, signal: string | null): void => {
        settle();
        reject(new Error(`the process of ${this.name} ended at ${options.variant} (${signal ?? code})`));
      };
      side.once("exit", ended);
      side.on("message", answered);
      if (side.connected) side.send(options);
      else if (side.exitCode !== null || side.signalCode !== null) ended(side.exitCode, side.signalCode);
    });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#process.exitCode !== null || this.#process.signalCode !== null) return;
    const ended = once(this.#process, "exit");
    if (this.#process.connected) this.#process.disconnect();
    else this.#process.kill();
    await ended;
  }
}
