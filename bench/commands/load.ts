/** The load of the bench: a number of callers, each of which makes its next command when the last was answered. */
import { randomUUID } from "node:crypto";
import type { Measured, RunOptions } from "../bench.ts";
import { counterKeys } from "../counter.ts";
import { processorDetail, processorMicroseconds } from "../processor-time.ts";
import { Window } from "../window.ts";
import { commandsVariant } from "./bench.ts";

/** What a side offers to the load. */
export interface CounterCommands {
  /** Makes these counters, at one each: all are there before the window opens, however slow a side is. */
  create(keys: readonly string[]): Promise<unknown>;
  /** Adds one and answers when that is durable. */
  add(key: string, idempotencyKey: string | undefined): Promise<{ readonly count: number }>;
  /** Commits since the start. */
  readonly commits: number;
}

/** Puts a freshly opened side to work, and checks in the end that every command was carried out once. */
export async function measureCommands(side: CounterCommands, options: RunOptions): Promise<Measured> {
  const { counters, inFlight, idempotencyKeys } = commandsVariant(options.variant);
  const keys = counterKeys(counters);
  await side.create(keys);
  const counts = new Map(keys.map((key) => [key, 1]));
  let commands = keys.length;
  const add = async (id: string | undefined): Promise<void> => {
    const key = keys[commands++ % keys.length]!;
    const { count } = await side.add(key, id);
    counts.set(key, Math.max(count, counts.get(key) ?? 0));
  };
  const window = new Window(options, () => ({ commits: side.commits, processor: processorMicroseconds() }));
  const caller = async (): Promise<void> => {
    do await add(idempotencyKeys ? randomUUID() : undefined);
    while (window.completed());
  };
  await Promise.all(Array.from({ length: inFlight }, caller));
  const sum = [...counts.values()].reduce((total, count) => total + count, 0);
  if (sum !== commands) throw new Error(`${commands} commands were answered, and the counters say ${sum}`);
  const { completed, perSecond, begun, ended } = window.result;
  return {
    value: perSecond,
    details: [
      { name: "commands per commit", unit: "commands", value: completed / (ended.commits - begun.commits) },
      processorDetail("command", begun.processor, ended.processor, completed),
    ],
  };
}
