/** Synod: named timers of a hundred bells on one node with a SQLite file, each of which runs a command of its bell. */
import { join } from "node:path";
import { command, defineInterface, defineSystem, implement, startSystem } from "synod";
import { z } from "zod";
import type { Run } from "../bench.ts";
import { PatientCalls } from "../linked-node.ts";
import { measureTimers, Rings } from "./measure.ts";

/** A command may set so many. */
const perCommand = 1_000;
const commandsUnderWay = 8;

const rings = new Rings();
const Setting = z.object({ from: z.int(), count: z.int(), firstAt: z.number(), stepMs: z.number() });
const Bell = defineInterface("bell", {
  key: z.string(),
  operations: { set: command({ input: Setting }), ring: command({ input: z.number() }) },
});
const bell = implement(Bell, {
  sends: [Bell],
  state: { version: 1, initial: () => null },
  operations: {
    set: (ctx, { from, count, firstAt, stepMs }) => {
      for (let index = from; index < from + count; index++) {
        const at = Math.ceil(firstAt + index * stepMs);
        ctx.timer(`t${index}`).set({ at }).ring(at);
      }
    },
    ring: (_, at) => rings.ring(at),
  },
});
const system = defineSystem({ name: "bench", services: [bell] });

export const run: Run = async (options) => {
  await using node = await startSystem(system, { store: `sqlite:${join(options.folder, "bench.db")}` });
  const calls = new PatientCalls();
  const set = async (name: string, count: number, firstAt: number, stepMs: number): Promise<void> => {
    let made = 0;
    const setter = async (): Promise<void> => {
      for (let from = made; from < count; from = made) {
        made += perCommand;
        const input = { from, count: Math.min(perCommand, count - from), firstAt, stepMs };
        await calls.call(() => node.to(Bell, `${name}-${from}`).set(input));
      }
    };
    await Promise.all(Array.from({ length: commandsUnderWay }, setter));
  };
  return await measureTimers({ set }, rings, options);
};
