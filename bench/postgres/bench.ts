/**
 * Durable commands on PostgreSQL, called from the process that runs them. Every side has a server of its own on this machine,
 * which syncs each commit to disk and shares the processor with its client.
 */
import type { Bench } from "../bench.ts";
import { commands } from "../commands/bench.ts";

export const postgres: Bench = {
  name: "postgres",
  summary: "durable commands to counters in PostgreSQL on the same machine, called in-process",
  unit: "commands/s",
  variants: commands.variants.filter(({ name }) => ["spread-256", "spread-64", "spread-1"].includes(name)),
  mainVariant: "spread-256",
  sides: {
    synod: new URL("./synod.ts", import.meta.url),
    limit: new URL("./limit.ts", import.meta.url),
    upsert: new URL("./upsert.ts", import.meta.url),
  },
};
