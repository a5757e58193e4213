/** A message that its receiver's nodes die of: that is counted, though nobody lived to answer. */
import assert from "node:assert/strict";
import { test } from "node:test";
import type { TestNode } from "../guarantees/world.ts";
import { startNodes, wideWorld } from "../routing/nodes.ts";
import { mailSystem } from "./mail-system.ts";

test("a message whose receiver's node dies of it costs an attempt, and is parked when it has no more", async () => {
  await using world = wideWorld();
  const nodes: TestNode[] = [];
  const deaths: string[] = [];
  const deadlyOn = (name: string) => (): Promise<void> => {
    deaths.push(name);
    nodes.find((node) => node.name === name)!.kill();
    return new Promise(() => {});
  };
  for (const name of ["node-1", "node-2", "node-3"]) {
    const options = { system: mailSystem({ put: deadlyOn(name) }), limits: { deliveryAttemptsMax: 1, cutsMax: 1 } };
    nodes.push(...(await startNodes(world, [name], options)));
  }
  const [first] = nodes;
  const keyOn = async (service: string, isWanted: (owner: string | null) => boolean): Promise<string> => {
    for (let number = 0; number < 1_000; number++) {
      const { owner } = await first!.running.inspect(service, `k${number}`);
      if (isWanted(owner)) return `k${number}`;
    }
    throw new Error("no such key");
  };
  const sender = await keyOn("post", (owner) => owner === "node-1");
  const receiver = await keyOn("box", (owner) => owner === "node-2");
  await first!.answer("send", { service: "post", key: sender, input: { to: receiver, texts: ["poison"] } });
  await world.advance(60_000);
  assert.deepEqual(deaths, ["node-2"]);
  const { work } = await world.until(first!.running.work({ boxes: ["outbox"], parked: true }));
  assert.deepEqual(
    work.map(({ attempts, parked }) => [attempts, parked!.code]),
    [[1, "unavailable"]],
  );
});
