/** The load of the bench: a number of callers, each of which makes its next command when the last was answered. */
import { randomUUID } from "node:crypto";
import type { Measured, RunOptions } from "../bench.ts";
import { counterKeys } from "../counter.ts";
import { processorDetail, processorMicroseconds } from "../processor-time.ts";
import { Window } from "../window.ts";
import { commandsVariant } from "./bench.ts";

/** What a side offers to the load. */
export interface CounterCommands {
  /** Adds one and answers when that is durable. */
  add(key: string, idempotencyKey: string | undefined): Promise<{ readonly count: number }>;
  /** Commits since the start. */
  readonly commits: number;
}

interface Mark {
  readonly commits: number;
  readonly processor: number;
}

/** Puts a freshly opened side to work, and checks in the end that every command was carried out. */
export async function measureCommands(side: CounterCommands, options: RunOptions): Promise<Measured> {
  const { counters, inFlight, idempotencyKeys } = commandsVariant(options.variant);
  const keys = counterKeys(counters);
  // Every counter is there before the window opens, however few commands the side manages.
  await Promise.all(keys.map((key) => side.add(key, undefined)));
  let commands = keys.length;
  const note = (): Mark => ({ commits: side.commits, processor: processorMicroseconds() });
  const window = new Window(options, note);
  const caller = async (): Promise<void> => {
    do {
      await side.add(keys[commands++ % keys.length]!, idempotencyKeys ? randomUUID() : undefined);
    } while (window.completed());
  };
  await Promise.all(Array.from({ length: inFlight }, caller));
  await checkSum(side, keys, commands);
  const { completed, perSecond, begun, ended } = window.result;
  const perCommit = completed / (ended.commits - begun.commits);
  return {
    value: perSecond,
    details: [
      { name: "commands per commit", unit: "commands", value: perCommit },
      processorDetail("command", begun.processor, ended.processor, completed),
    ],
  };
}

/** A side that loses or doubles commands is not measured. */
async function checkSum(side: CounterCommands, keys: readonly string[], commands: number): Promise<void> {
  const counts = await Promise.all(keys.map((key) => side.add(key, undefined)));
  const sum = counts.reduce((total, { count }) => total + count, 0);
  const expected = commands + keys.length;
  if (sum !== expected) throw new Error(`${expected} commands were answered, and the counters say ${sum}`);
}
