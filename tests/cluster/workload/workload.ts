/**
 * Clients that work on registers, counters, lists and banks, and that send messages, through the client library or over
 * bare HTTP, and write down what they asked and heard, chapter by chapter.
 */
import { Agent } from "node:http";
import type { Verdict } from "../../../src/simulation/checkers/verdict.ts";
import { createPrng, type Prng } from "../../../src/values/prng.ts";
import { byHttpOnce, byHttpUnderKey, byLibrary, type Call } from "./callers.ts";
import { Chapter } from "./chapter.ts";
import { type WorkloadName, workloads } from "./moves.ts";

/** How many clients of a kind each workload has. */
export interface Clients {
  /** Through the client library. */
  readonly library: number;
  /** Over bare HTTP, under idempotency keys and with repeats. */
  readonly keyed: number;
  /** Over bare HTTP without either: what is cut for them stays unknown. */
  readonly once: number;
  /** That look now and then, each over one connection that it keeps and on which it waits for long. */
  readonly lookers: number;
}

export interface WorkloadOptions {
  readonly url: string;
  /** Where the histories go. */
  readonly folder: string;
  readonly seed: number;
  readonly clients: Clients;
  /** How long a client thinks between two operations, on average. */
  readonly thinkMs: number;
  /** Moves of one workload on the same keys, and how many of these there are. */
  readonly movesPerKeys: number;
  readonly keysLength: number;
}

const onceWaitMs = 5_000;
const lookerWaitMs = 15_000;
/** How long a looker thinks, on average: long enough for a stopped node to be asked after another one took over. */
const lookerThinkMs = 3_000;

export class Workload {
  readonly #options: WorkloadOptions;
  readonly #agents: Agent[] = [];
  readonly #clients: Promise<void>[] = [];
  readonly #chapters: Chapter[] = [];
  readonly #call: Call;
  /** What clients were told that was no reply, by the kind of client. */
  readonly failures: Readonly<Record<keyof Clients, string[]>> = { library: [], keyed: [], once: [], lookers: [] };
  #chapter: Chapter;
  #stopped = false;

  constructor(options: WorkloadOptions) {
    this.#options = options;
    this.#call = byLibrary(options.url);
    this.#chapter = this.#begin();
    const agent = this.#agent({});
    this.#start("library", () => byLibrary(options.url));
    this.#start("keyed", (name) => {
      let calls = 0;
      return byHttpUnderKey(options.url, agent, () => `${name}-${++calls}`);
    });
    this.#start("once", () => byHttpOnce(options.url, agent, onceWaitMs));
    this.#start("lookers", () => byHttpOnce(options.url, this.#agent({ maxSockets: 1 }), lookerWaitMs));
  }

  get operations(): number {
    return this.#chapters.reduce((sum, { operations }) => sum + operations, 0);
  }

  /** Where the histories are. */
  get paths(): readonly string[] {
    return this.#chapters.map(({ path }) => path);
  }

  /** Notes a fault in the history. */
  fault(f: string, node?: string, value?: unknown): void {
    this.#chapter.fault(f, value, node);
  }

  /** Lets the clients go on with new keys; answers how what they did so far is judged, once they have. */
  turnOver(): () => Promise<readonly Verdict[]> {
    const ended = this.#chapter;
    this.#chapter = this.#begin();
    return () => ended.judge(this.#call);
  }

  /** Ends the clients, reads every key of every chapter once more, and has all of it judged. */
  async finish(): Promise<readonly Verdict[]> {
    await this.stop();
    const verdicts: Verdict[] = [];
    for (const chapter of this.#chapters) {
      verdicts.push(...(await chapter.judge(this.#call)));
      chapter.close();
    }
    return [...Map.groupBy(verdicts, ({ promise }) => promise)].map(([, ofPromise]) => together(ofPromise));
  }

  async stop(): Promise<void> {
    this.#stopped = true;
    await Promise.all(this.#clients);
    for (const agent of this.#agents) agent.destroy();
  }

  #start(kind: keyof Clients, callOf: (name: string) => Call): void {
    const { seed, clients } = this.#options;
    for (const workload of workloads) {
      for (let number = 0; number < clients[kind]; number++) {
        const prng = createPrng(seed + this.#clients.length);
        this.#clients.push(this.#run(kind, workload, callOf(`${seed}-${this.#clients.length}`), prng));
      }
    }
  }

  #begin(): Chapter {
    const { folder, seed, movesPerKeys, keysLength } = this.#options;
    const number = this.#chapters.length + 1;
    const name = `history-${seed}-${String(number).padStart(3, "0")}`;
    const chapter = new Chapter({ folder, name, prefix: `${number}.`, movesPerKeys, keysLength });
    this.#chapters.push(chapter);
    return chapter;
  }

  #agent(options: { readonly maxSockets?: number }): Agent {
    // The one that waited longest goes next, so that connections are idle for a while, and none for ever.
    const agent = new Agent({ keepAlive: true, scheduling: "fifo", ...options });
    this.#agents.push(agent);
    return agent;
  }

  async #run(kind: keyof Clients, workload: WorkloadName, call: Call, prng: Prng): Promise<void> {
    const isLooker = kind === "lookers";
    const thinkMs = isLooker ? lookerThinkMs : this.#options.thinkMs;
    let chapter = this.#chapter;
    let client = chapter.client();
    while (!this.#stopped) {
      if (chapter !== this.#chapter) {
        chapter = this.#chapter;
        client = chapter.client();
      }
      const { moves } = chapter;
      const move = isLooker ? moves.look(workload, prng) : moves.next(workload, prng);
      const failure = await chapter.perform(client, call, move);
      if (failure !== undefined) this.failures[kind].push(failure);
      await this.#think(prng.number() * 2 * thinkMs);
    }
  }

  async #think(ms: number): Promise<void> {
    const end = performance.now() + ms;
    while (!this.#stopped && performance.now() < end) {
      await new Promise((next) => setTimeout(next, Math.max(0, Math.min(200, end - performance.now()))));
    }
  }
}

/** One verdict of those on the same promise in several histories. */
function together(verdicts: readonly Verdict[]): Verdict {
  const statuses = verdicts.map(({ status }) => status);
  const status = statuses.includes("broken") ? "broken" : statuses.includes("undecided") ? "undecided" : "holds";
  const operations = verdicts.reduce((sum, verdict) => sum + verdict.operations, 0);
  return { promise: verdicts[0]!.promise, status, operations, findings: verdicts.flatMap(({ findings }) => findings) };
}
