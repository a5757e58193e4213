/** Two nodes with a link, of which one hosts an echo and the other is asked for it. */
import { command, defineInterface, defineSystem, implement } from "synod";
import { z } from "zod";
import { createLog } from "../../src/adapters/log/pino.ts";
import { createMemoryDatabase, openMemoryStore } from "../../src/adapters/memory/store.ts";
import { systemClock } from "../../src/adapters/system/clock.ts";
import { systemRandom } from "../../src/adapters/system/random.ts";
import { tcpNetwork } from "../../src/adapters/tcp/network.ts";
import type { Meters } from "../../src/ports/meters.ts";
import { type RunningNode, startNode } from "../../src/runtime/node.ts";
import type { AnySystem } from "../../src/service/model.ts";
import type { Measured, RunOptions } from "../bench.ts";
import { processorMicroseconds } from "../processor-time.ts";
import { Window } from "../window.ts";
import { costVariant } from "./bench.ts";

const Echo = defineInterface("echo", {
  operations: { say: command({ input: z.object({ text: z.string() }), output: z.object({ text: z.string() }) }) },
});
const Other = defineInterface("other", { operations: { nothing: command() } });

const name = "bench";
const hosting = defineSystem({ name, services: [implement(Echo, { operations: { say: (_, input) => input } })] });
const asking = defineSystem({ name, services: [implement(Other, { operations: { nothing: () => {} } })] });
const input = JSON.stringify({ text: "x".repeat(88) });

/** `metersOf`: where a node says what it did. */
export async function measureCost(metersOf: () => Meters, options: RunOptions): Promise<Measured> {
  const database = createMemoryDatabase({ system: name });
  const log = createLog({ format: "text", level: "error", name });
  const start = (node: string, system: AnySystem): Promise<RunningNode> =>
    startNode({
      ...{ node, system, log, store: openMemoryStore(database), clock: systemClock, random: systemRandom },
      ...{ meters: metersOf(), network: { network: tcpNetwork(), listen: "127.0.0.1:0" }, expectedMembers: 1 },
    });
  const host = await start("host", hosting);
  const asker = await start("asker", asking);
  try {
    while (!asker.gateway.isHostedElsewhere("echo")) await new Promise((resolve) => setTimeout(resolve, 10));
    return await measure(asker, options);
  } finally {
    await asker.stop(1_000);
    await host.stop(1_000);
  }
}

async function measure({ gateway }: RunningNode, options: RunOptions): Promise<Measured> {
  const { inFlight } = costVariant(options.variant);
  const window = new Window(options, () => processorMicroseconds());
  const caller = async (): Promise<void> => {
    do {
      const reply = await gateway.call({ service: "echo", operation: "say", input, principal: "bench" });
      if (!reply.ok) throw new Error(`${reply.error.code}: ${reply.error.message}`);
    } while (window.completed());
  };
  await Promise.all(Array.from({ length: inFlight }, caller));
  const { completed, perSecond, begun, ended } = window.result;
  return {
    value: (completed * 1e6) / (ended - begun),
    details: [
      { name: "rate", unit: "calls/s", value: perSecond },
      { name: "processor per call", unit: "µs", value: (ended - begun) / completed },
    ],
  };
}
