/** Synod: a node that owns the counters, asked for commands by another node over their link. */
import { setTimeout as sleep } from "node:timers/promises";
import { command, defineInterface, defineSystem, implement } from "synod";
import { callThrough } from "../../src/host/caller.ts";
import type { Run } from "../bench.ts";
import { Counter, counter } from "../counter.ts";
import { hostLinkedNode, PatientCalls } from "../linked-node.ts";
import type { Serve } from "../partner.ts";
import { measureDurable } from "./load.ts";

const Idle = defineInterface("idle", { operations: { nothing: command() } });

const name = "bench";
const owning = defineSystem({ name, services: [counter] });
const asking = defineSystem({ name, services: [implement(Idle, { operations: { nothing: () => {} } })] });

export const serve: Serve = async ({ folder }) => {
  const owner = await hostLinkedNode("owner", owning, folder);
  return { address: folder, close: () => owner.stop(1_000) };
};

export const run: Run = (options) =>
  measureDurable(
    import.meta.url,
    async (folder) => {
      const asker = await hostLinkedNode("asker", asking, folder);
      while (!asker.node.gateway.isHostedElsewhere(Counter.name)) await sleep(5);
      const calls = new PatientCalls();
      const counterOf = (key: string) => callThrough(asker.node.gateway, "bench", Counter, [key]);
      return {
        add: async (key) => (await calls.call(() => counterOf(key).add({ by: 1 }))).count,
        turnedAway: () => calls.turnedAway,
        close: () => asker.stop(1_000),
      };
    },
    options,
  );
