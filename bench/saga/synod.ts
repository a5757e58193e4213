/** Synod: a durable command on an entity of its own for each trip, asked for by another node over a link. */
import { setTimeout as sleep } from "node:timers/promises";
import { command, defineInterface, defineSystem, implement } from "synod";
import { z } from "zod";
import { callThrough } from "../../src/host/caller.ts";
import type { Run } from "../bench.ts";
import { Counter, counter } from "../counter.ts";
import { hostLinkedNode, PatientCalls } from "../linked-node.ts";
import type { Serve } from "../partner.ts";
import { measureSagas } from "./load.ts";

const Booking = z.object({ stops: z.array(z.string()).length(3) });
const Places = z.array(z.int());

const Trip = defineInterface("trip", {
  key: z.string().min(1).max(128),
  operations: { start: command({ durable: true, input: Booking, output: Places }) },
});
const trip = implement(Trip, {
  calls: [Counter],
  state: { version: 1, initial: (): { places: number[] } => ({ places: [] }) },
  operations: {
    start: async (ctx, { stops }) => {
      const places: number[] = [];
      for (const stop of stops) places.push((await ctx.to(Counter, stop).add({ by: 1 })).count);
      ctx.state = { places };
      return places;
    },
  },
});
const Idle = defineInterface("idle", { operations: { nothing: command() } });

const name = "bench";
const owning = defineSystem({ name, services: [counter, trip] });
const asking = defineSystem({ name, services: [implement(Idle, { operations: { nothing: () => {} } })] });

export const serve: Serve = async ({ folder }) => {
  const owner = await hostLinkedNode("owner", owning, folder);
  return { address: folder, close: () => owner.stop(1_000) };
};

export const run: Run = (options) =>
  measureSagas(
    import.meta.url,
    async (folder) => {
      const asker = await hostLinkedNode("asker", asking, folder);
      while (!asker.node.gateway.isHostedElsewhere(Trip.name)) await sleep(5);
      const calls = new PatientCalls();
      const tripOf = (id: string) => callThrough(asker.node.gateway, "bench", Trip, [id]);
      return {
        travel: ({ id, stops }) => calls.call(() => tripOf(id).start({ stops: [...stops] })),
        close: () => asker.stop(1_000),
      };
    },
    options,
  );
