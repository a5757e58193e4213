/**
 * Durable commands, called from the process that runs them: what one node can do without a network. Whoever has
 * the answer may count on it after a crash of the machine, so every side waits for the disk.
 */
import type { Bench, Variant } from "../bench.ts";

interface CommandsVariant extends Variant {
  readonly counters: number;
  readonly inFlight: number;
  /** Whether every command has an idempotency key, under which it takes effect once. */
  readonly idempotencyKeys: boolean;
}

const spread = { counters: 1_000, idempotencyKeys: false };

const commandsVariants: readonly CommandsVariant[] = [
  { name: "spread-256", title: "1,000 counters, 256 in flight", inFlight: 256, ...spread },
  { name: "spread-64", title: "1,000 counters, 64 in flight", inFlight: 64, ...spread },
  { name: "spread-1", title: "1,000 counters, 1 in flight", inFlight: 1, ...spread },
  { name: "hot-256", title: "one counter, 256 in flight", inFlight: 256, counters: 1, idempotencyKeys: false },
  {
    name: "keys-256",
    title: "1,000 counters, 256 in flight, idempotency keys",
    inFlight: 256,
    counters: 1_000,
    idempotencyKeys: true,
  },
];

export function commandsVariant(name: string): CommandsVariant {
  const found = commandsVariants.find((variant) => variant.name === name);
  if (found === undefined) throw new Error(`the bench commands has no variant ${name}`);
  return found;
}

export const commands: Bench = {
  name: "commands",
  summary: "durable commands to counters in SQLite with full sync, called in-process",
  unit: "commands/s",
  variants: commandsVariants,
  mainVariant: "spread-256",
  sides: {
    synod: new URL("./synod.ts", import.meta.url),
    limit: new URL("./limit.ts", import.meta.url),
    upsert: new URL("./upsert.ts", import.meta.url),
  },
};
