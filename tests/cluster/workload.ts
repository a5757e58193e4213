/**
 * Clients that work on registers, counters and lists, and that send messages, through the client library or over bare HTTP, and write down
 * what they asked and heard; and the judgement of the checkers on it.
 */
import { Agent } from "node:http";
import { join } from "node:path";
import { connect } from "../../src/client/index.ts";
import { SynodError } from "../../src/errors.ts";
import { checkAppendList } from "../../src/simulation/checkers/append-list.ts";
import { checkCounterBounds, counterModel } from "../../src/simulation/checkers/counter.ts";
import { checkLinearizability } from "../../src/simulation/checkers/linearizability.ts";
import { registerModel } from "../../src/simulation/checkers/register.ts";
import { checkSends } from "../../src/simulation/checkers/sends.ts";
import type { Verdict } from "../../src/simulation/checkers/verdict.ts";
import { type HistoryClient, HistoryRecorder } from "../../src/simulation/history.ts";
import { HistoryFile, readHistoryFile } from "../../src/simulation/history-file.ts";
import { type Operation, pairOperations, settled } from "../../src/simulation/operations.ts";
import { createPrng, type Prng } from "../../src/values/prng.ts";
import { ask } from "./bare-http.ts";
import { Counter, Inbox, List, Mailer, Register } from "./interfaces.ts";

type Service = "register" | "counter" | "list" | "mailer" | "inbox";

/** One operation as a history names it. */
interface Move {
  readonly service: Service;
  readonly key: string;
  readonly f: string;
  readonly value?: unknown;
}

/** Performs a move; rejects with a `SynodError` that says what is known. */
type Perform = (move: Move) => Promise<unknown>;

export interface WorkloadOptions {
  readonly url: string;
  /** Where the history goes. */
  readonly folder: string;
  readonly seed: number;
  /** Clients of each service through the library, and over bare HTTP. */
  readonly libraryClients: number;
  readonly bareClients: number;
  /** How long a client thinks between two operations, on average. */
  readonly thinkMs: number;
}

/** Operations of one service on one set of keys; short histories are checked fast. */
const generationLength = 400;
const keysPerGeneration = 4;
const services: readonly Service[] = ["register", "counter", "list", "mailer"];
const valuesMax = 5;
/** Receivers of the messages of one generation of senders. */
const receiversLength = 2;
/** After the last fault every message has come within this time. */
const deliveryMs = 30_000;
const lookMs = 100;
const timeoutMs = 20_000;

export class Workload {
  readonly path: string;
  readonly #options: WorkloadOptions;
  readonly #file: HistoryFile;
  readonly #recorder: HistoryRecorder;
  readonly #made = new Map<Service, number>();
  readonly #keys = new Map<string, Service>();
  readonly #agent = new Agent({ keepAlive: true });
  readonly #clients: Promise<void>[] = [];
  /** What clients of the library were told that was no reply: they never should be. */
  readonly libraryFailures: string[] = [];
  operations = 0;
  #elements = 0;
  #messages = 0;
  /** Messages that were acknowledged, by receiver. */
  readonly #acknowledged = new Map<string, number>();
  #stopped = false;

  constructor(options: WorkloadOptions) {
    this.#options = options;
    this.path = join(options.folder, `history-${options.seed}.jsonl`);
    this.#file = new HistoryFile(this.path);
    const started = process.hrtime.bigint();
    this.#recorder = new HistoryRecorder({
      now: () => Number(process.hrtime.bigint() - started),
      emit: (event) => this.#file.append(event),
    });
    let number = 0;
    const start = (service: Service, perform: Perform, failures: string[] | undefined): void => {
      const prng = createPrng(options.seed + ++number);
      this.#clients.push(this.#run(service, perform, failures, prng));
    };
    for (const service of services) {
      for (let client = 0; client < options.libraryClients; client++)
        start(service, this.#byLibrary(), this.libraryFailures);
      for (let client = 0; client < options.bareClients; client++) start(service, this.#byHttp, undefined);
    }
  }

  /** Notes a fault in the history. */
  fault(f: string, node?: string): void {
    this.#recorder.fault(f, undefined, node);
  }

  /** Ends the clients, reads every key once more, and has the history judged. */
  async finish(): Promise<readonly Verdict[]> {
    this.#stopped = true;
    await Promise.all(this.#clients);
    const reader = this.#recorder.client();
    const perform = this.#byLibrary();
    for (const [key, service] of this.#keys) {
      const read: Move = { service, key, f: "read" };
      if (service === "inbox") await this.#readSettled(reader, perform, key);
      else await this.#perform(reader, perform, this.libraryFailures, read);
    }
    this.#agent.destroy();
    this.#file.close();
    return judge(pairOperations(readHistoryFile(this.path)));
  }

  async #run(service: Service, perform: Perform, failures: string[] | undefined, prng: Prng): Promise<void> {
    const client = this.#recorder.client();
    while (!this.#stopped) {
      await this.#perform(client, perform, failures, this.#nextMove(service, prng));
      await new Promise((next) => setTimeout(next, prng.number() * 2 * this.#options.thinkMs));
    }
  }

  async #perform(client: HistoryClient, perform: Perform, failures: string[] | undefined, move: Move): Promise<void> {
    this.operations += 1;
    client.invoke(move.f, move.key, move.value);
    try {
      client.ok(await perform(move));
      if (move.f === "send") this.#noteAcknowledged((move.value as { readonly to: string }).to);
    } catch (thrown) {
      if (!(thrown instanceof SynodError)) throw thrown;
      failures?.push(`${move.f} of ${move.key}: ${thrown.code} (${thrown.outcome}): ${thrown.message}`);
      client.failed(thrown);
    }
  }

  #noteAcknowledged(receiver: string): void {
    this.#acknowledged.set(receiver, (this.#acknowledged.get(receiver) ?? 0) + 1);
  }

  /** What a receiver got, once all that was acknowledged has come; or what there is when that takes too long. */
  async #readSettled(reader: HistoryClient, perform: Perform, key: string): Promise<void> {
    const end = performance.now() + deliveryMs;
    const read: Move = { service: "inbox", key, f: "received" };
    while (performance.now() < end) {
      const messages = (await perform(read)) as readonly unknown[];
      if (messages.length >= (this.#acknowledged.get(key) ?? 0)) break;
      await new Promise((next) => setTimeout(next, lookMs));
    }
    await this.#perform(reader, perform, this.libraryFailures, { ...read, value: settled });
  }

  #nextMove(service: Service, prng: Prng): Move {
    const made = this.#made.get(service) ?? 0;
    this.#made.set(service, made + 1);
    const generation = Math.floor(made / generationLength);
    const key = `${service}-${generation}-${prng.below(keysPerGeneration)}`;
    if (service === "mailer") {
      const to = `inbox-${generation}-${prng.below(receiversLength)}`;
      this.#keys.set(to, "inbox");
      if (prng.below(4) === 0) return { service: "inbox", key: to, f: "received" };
      return { service, key, f: "send", value: { to, id: String(++this.#messages) } };
    }
    this.#keys.set(key, service);
    if (prng.below(3) === 0) return { service, key, f: "read" };
    if (service === "counter") return { service, key, f: "add", value: 1 + prng.below(valuesMax) };
    if (service === "list") return { service, key, f: "append", value: ++this.#elements };
    const value = prng.below(valuesMax);
    if (prng.below(2) === 0) return { service, key, f: "write", value };
    return { service, key, f: "cas", value: [prng.below(valuesMax), value] };
  }

  /** A library client of its own, as a process of somebody's would have. */
  #byLibrary(): Perform {
    const client = connect(this.#options.url, { timeout: timeoutMs });
    return async ({ service, key, f, value }) => {
      const callee = { register: Register, counter: Counter, list: List, mailer: Mailer, inbox: Inbox }[service];
      const operations = client.to(callee, key) as unknown as Record<string, (input?: unknown) => Promise<unknown>>;
      return await operations[f]!(inputOf(f, value));
    };
  }

  /** Without an idempotency key and without repeats: what is cut stays unknown. */
  readonly #byHttp: Perform = async ({ service, key, f, value }) => {
    const path = `/${service}/${key}/${f}`;
    const answer = await ask(this.#options.url, path, inputOf(f, value), { agent: this.#agent, waitMs: 5_000 }).catch(
      (cause: Error) => {
        throw new SynodError("unavailable", cause.message, { outcome: "unknown", cause });
      },
    );
    if (answer.status < 300) return answer.body;
    const problem = answer.body as { code?: string; detail?: string; outcome?: "not-happened" | "unknown" } | undefined;
    const { code = "unknown", detail = "", outcome = "unknown" } = problem ?? {};
    throw new SynodError(code, detail, { outcome });
  };
}

function inputOf(f: string, value: unknown): unknown {
  // What a history says of a read is not asked for.
  if (f === "received") return undefined;
  if (f !== "cas") return value;
  const [expected, next] = value as readonly number[];
  return { expected, next };
}

/** The judgement of every checker on its part of the history. */
function judge(operations: readonly Operation[]): readonly Verdict[] {
  const of = (service: Service): Operation[] => operations.filter(({ key }) => key!.startsWith(`${service}-`));
  return [
    checkLinearizability(of("register"), registerModel()),
    checkLinearizability(of("counter"), counterModel()),
    checkCounterBounds(of("counter")),
    checkAppendList(of("list")),
    checkSends([...of("mailer"), ...of("inbox")]),
  ];
}
