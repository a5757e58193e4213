/**
 * A process that uses a number of entities once each and says, on standard output, what one of them takes: by what is held
 * after a collection of garbage, and by what the node counts for it. Run with `--expose-gc`.
 */
import { join } from "node:path";
import { command, defineInterface, defineSystem, implement, query } from "synod";
import { z } from "zod";
import { PatientCalls } from "../../bench/linked-node.ts";
import { createLog } from "../../src/adapters/log/pino.ts";
import { callThrough } from "../../src/host/caller.ts";
import { hostNode } from "../../src/host/hosted-node.ts";

/** What is read from the output. */
export interface EntityBytes {
  readonly held: number;
  readonly counted: number;
}

const State = z.object({ count: z.int(), name: z.string() });
/** Its entities are changed, then read; or they finish a durable command. */
const Thing = defineInterface("thing", {
  key: z.string(),
  operations: { add: command({ output: State }), look: query({ output: State }), finish: command({ durable: true }) },
});
const thing = implement(Thing, {
  state: { version: 1, initial: (): z.infer<typeof State> => ({ count: 0, name: "thing" }) },
  operations: {
    add: (ctx) => {
      ctx.state.count += 1;
      return ctx.state;
    },
    look: (ctx) => ctx.state,
    finish: (ctx) => {
      ctx.state.count += 1;
    },
  },
});

const inFlight = 64;
const calls = new PatientCalls();
const [folder = "", use = "add"] = process.argv.slice(2);
const system = defineSystem({ name: "things", services: [thing] });
const hosted = await hostNode({
  node: "node-1",
  system,
  store: { kind: "sqlite", path: join(folder, "things.db") },
  log: createLog({ format: "text", level: "error", name: "things" }),
  adapters: [],
  // Recorded replies that are kept for repeats have a bound of their own.
  limits: { recordCacheLengthMax: 1 },
});

async function touch(key: string): Promise<void> {
  const to = callThrough(hosted.node.gateway, "local", Thing, [key]);
  if (use === "finish") return calls.call(() => to.finish());
  await calls.call(() => to.add());
  if (use === "look") await calls.call(() => to.look());
}

async function touchEach(prefix: string, count: number): Promise<void> {
  let next = 0;
  const caller = async (): Promise<void> => {
    while (next < count) await touch(`${prefix}-${next++}`);
  };
  await Promise.all(Array.from({ length: inFlight }, caller));
}

function holds(): { readonly held: number; readonly counted: number } {
  globalThis.gc!();
  const { heapUsed, external } = process.memoryUsage();
  return { held: heapUsed + external, counted: hosted.node.status().memoryBytes };
}

const entities = 4_000;
// What a node makes once is made before, and code is compiled.
await touchEach("before", entities / 2);
const before = holds();
await touchEach("thing", entities);
const after = holds();
const per = (part: keyof EntityBytes): number => Math.round((after[part] - before[part]) / entities);
process.stdout.write(JSON.stringify({ held: per("held"), counted: per("counted") } satisfies EntityBytes));
await hosted.stop(1_000);
