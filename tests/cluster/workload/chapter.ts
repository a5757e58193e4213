/**
 * A part of a workload with keys and a history of its own, so that what has been done can be judged while clients go on
 * with the next one. Its history stays open to the end: what was durable then has to be there at the end of everything.
 */
import { join } from "node:path";
import { SynodError } from "../../../src/errors.ts";
import type { Finding, Verdict } from "../../../src/simulation/checkers/verdict.ts";
import { type HistoryClient, HistoryRecorder } from "../../../src/simulation/history.ts";
import { HistoryFile } from "../../../src/simulation/history-file.ts";
import { initialBalance } from "../interfaces.ts";
import type { Call } from "./callers.ts";
import { judgeApart, judgeQuickly } from "./judgement.ts";
import { accountsPerBank, type Move, Moves, type MovesOptions, perform, readOf } from "./moves.ts";

/** After the last fault every message has come, and every transfer ended, within this time. */
const settleMaxMs = 30_000;
const lookMs = 100;
/** How long what clients still wait for may take; none is more patient. */
const openMaxMs = 45_000;
/** Keys that are read at a time. */
const readersMax = 8;

export interface ChapterOptions extends MovesOptions {
  readonly folder: string;
  /** Of its file. */
  readonly name: string;
}

export class Chapter {
  readonly path: string;
  readonly moves: Moves;
  readonly #file: HistoryFile;
  readonly #recorder: HistoryRecorder;
  /** Messages that were acknowledged, by receiver. */
  readonly #acknowledged = new Map<string, number>();
  #open = 0;
  operations = 0;

  constructor(options: ChapterOptions) {
    this.moves = new Moves(options);
    this.path = join(options.folder, `${options.name}.jsonl`);
    this.#file = new HistoryFile(this.path);
    const started = process.hrtime.bigint();
    this.#recorder = new HistoryRecorder({
      now: () => Number(process.hrtime.bigint() - started),
      emit: (event) => this.#file.append(event),
    });
  }

  client(): HistoryClient {
    return this.#recorder.client();
  }

  fault(f: string, value?: unknown, node?: string): void {
    this.#recorder.fault(f, value, node);
  }

  /** Resolves with what the client was told, if that was no reply. */
  async perform(client: HistoryClient, call: Call, move: Move): Promise<string | undefined> {
    this.operations += 1;
    this.#open += 1;
    client.invoke(move.f, move.key, move.value);
    try {
      client.ok(await perform(call, move));
      if (move.f === "send") this.#noteAcknowledged((move.value as { readonly to: string }).to);
      return undefined;
    } catch (thrown) {
      if (!(thrown instanceof SynodError)) throw thrown;
      client.failed(thrown);
      if (thrown.declared) return undefined;
      return `${move.f} of ${move.key}: ${thrown.code} (${thrown.outcome}): ${thrown.message}`;
    } finally {
      this.#open -= 1;
    }
  }

  /** Reads every key once nobody works on them any more and all has come that was promised, and judges the history so far. */
  async judge(call: Call): Promise<readonly Verdict[]> {
    // What is broken already shows without waiting for what was lost and never comes.
    const early = judgeQuickly(this.path);
    if (early.some(({ status }) => status === "broken")) return early;
    await this.#idle();
    const keys = [...this.moves.keys];
    const end = performance.now() + settleMaxMs;
    await forEach(keys, (key) => this.#settle(call, key, end));
    const findings: Finding[] = [];
    await forEach(keys, async (key) => {
      const failure = await this.perform(this.client(), call, readOf(key, true));
      if (failure !== undefined) findings.push({ key, text: failure });
    });
    const status = findings.length === 0 ? "holds" : "broken";
    const readable: Verdict = { promise: "every key can be read", status, operations: keys.length, findings };
    return [...(await judgeApart(this.path)), readable];
  }

  close(): void {
    this.#file.close();
  }

  #noteAcknowledged(receiver: string): void {
    this.#acknowledged.set(receiver, (this.#acknowledged.get(receiver) ?? 0) + 1);
  }

  async #idle(): Promise<void> {
    const end = performance.now() + openMaxMs;
    while (this.#open > 0) {
      if (performance.now() > end) throw new Error(`${this.#open} operations of ${this.path} have no end`);
      await new Promise((next) => setTimeout(next, lookMs));
    }
  }

  /** Waits until everything has come that was promised to a key, or until that takes too long. */
  async #settle(call: Call, key: string, end: number): Promise<void> {
    for (;;) {
      const value = await perform(call, readOf(key, true)).catch(() => undefined);
      if ((value !== undefined && this.#isSettled(key, value)) || performance.now() > end) return;
      await new Promise((next) => setTimeout(next, lookMs));
    }
  }

  #isSettled(key: string, value: unknown): boolean {
    if (key.startsWith("inbox-")) return (value as unknown[]).length >= (this.#acknowledged.get(key) ?? 0);
    if (!key.startsWith("bank-")) return true;
    const total = Object.values(value as Record<string, number>).reduce((sum, balance) => sum + balance, 0);
    return total === accountsPerBank * initialBalance;
  }
}

async function forEach(keys: readonly string[], body: (key: string) => Promise<void>): Promise<void> {
  const left = [...keys];
  const reader = async (): Promise<void> => {
    for (let key = left.pop(); key !== undefined; key = left.pop()) await body(key);
  };
  await Promise.all(Array.from({ length: readersMax }, reader));
}
