/** `synod node` as a process of its own, for tests: on free ports, watched, and ended with its scope. */
import { type ChildProcess, spawn } from "node:child_process";
import { bin, type Finished, finished, until } from "./running-system.ts";

const lifeDefaultMaxMs = 2 * 60_000;
const endMaxMs = 10_000;

export interface RunningNodeOptions {
  readonly folder: string;
  /** Of the whole command. */
  readonly words: readonly string[];
  readonly environment?: Readonly<Record<string, string>>;
  /** What is put before the program, to run it elsewhere. */
  readonly command?: readonly string[];
  /** It is killed after this. Default 2 minutes. */
  readonly lifeMaxMs?: number;
}

/** The words of a node that takes free ports on this machine. */
export function nodeWords(system: string, id: string, store: string): string[] {
  return ["node", system, "--store", store, "--listen", "127.0.0.1:0", "--port", "0", "--json", "--id", id];
}

export class RunningNode implements AsyncDisposable {
  readonly #child: ChildProcess;
  readonly ended: Promise<Finished>;
  #stdout = "";

  constructor(options: RunningNodeOptions) {
    const { folder, words, environment = {}, command = [], lifeMaxMs = lifeDefaultMaxMs } = options;
    const [program, ...rest] = [...command, process.execPath, bin, ...words];
    this.#child = spawn(program!, rest, {
      cwd: folder,
      env: { ...process.env, ...environment },
      stdio: ["ignore", "pipe", "pipe"],
    });
    this.#child.stdout!.on("data", (chunk) => (this.#stdout += chunk));
    this.ended = finished(this.#child, lifeMaxMs);
  }

  get pid(): number {
    return this.#child.pid!;
  }

  /** What it has printed. */
  get said(): string {
    return this.#stdout;
  }

  /** The URL at which it answers, when it serves. */
  async url(): Promise<string> {
    const ended = this.ended.then(({ stderr }) => Promise.reject(new Error(`the node ended: ${stderr}`)));
    await Promise.race([until("the ready line", () => this.#stdout.includes("\n"), 20_000), ended]);
    return (JSON.parse(this.#stdout) as { http: string }).http;
  }

  signal(signal: NodeJS.Signals): void {
    this.#child.kill(signal);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#child.kill("SIGTERM");
    const kill = setTimeout(() => this.#child.kill("SIGKILL"), endMaxMs);
    await this.ended;
    clearTimeout(kill);
  }
}
