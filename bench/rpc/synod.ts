/** Synod: two nodes of one system, of which one hosts the echo and the other one is asked for it. */
import { setTimeout as sleep } from "node:timers/promises";
import { command, defineInterface, defineSystem, implement } from "synod";
import { callThrough } from "../../src/host/caller.ts";
import type { Run } from "../bench.ts";
import { hostLinkedNode, PatientCalls } from "../linked-node.ts";
import type { Serve } from "../partner.ts";
import { measureRpc } from "./load.ts";
import { Parcel } from "./parcel.ts";

const Echo = defineInterface("echo", { operations: { echo: command({ input: Parcel, output: Parcel }) } });
const Idle = defineInterface("idle", { operations: { nothing: command() } });

const name = "bench";
const hosting = defineSystem({ name, services: [implement(Echo, { operations: { echo: (_, parcel) => parcel } })] });
const asking = defineSystem({ name, services: [implement(Idle, { operations: { nothing: () => {} } })] });

export const serve: Serve = async ({ folder }) => {
  const host = await hostLinkedNode("host", hosting, folder);
  return { address: folder, close: () => host.stop(1_000) };
};

export const run: Run = (options) =>
  measureRpc(
    import.meta.url,
    async (folder) => {
      const asker = await hostLinkedNode("asker", asking, folder);
      while (!asker.node.gateway.isHostedElsewhere(Echo.name)) await sleep(5);
      const { echo } = callThrough(asker.node.gateway, "bench", Echo, [{ timeout: "10s" }]);
      const calls = new PatientCalls();
      return {
        echo: (parcel) => calls.call(() => echo(parcel)),
        turnedAway: () => calls.turnedAway,
        close: () => asker.stop(1_000),
      };
    },
    options,
  );
