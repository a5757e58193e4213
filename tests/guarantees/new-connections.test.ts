/** Callers who open a connection for each call: they are all let in before handlers go on, so that they can be counted. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { counterSystem } from "./counter-system.ts";
import { type TestNode, World } from "./world.ts";

const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

/** How many turns of the event loop a call waits while each of the next turns brings a connection. */
async function turnsWaited(node: TestNode, connections: number): Promise<number> {
  let answered = false;
  node.running.gateway.connected();
  void node.ask("value", { key: "a" }).then(() => {
    answered = true;
  });
  for (let turns = 1; ; turns++) {
    await turn();
    if (answered) return turns;
    if (turns < connections) node.running.gateway.connected();
  }
}

test("handlers stand back while one connection after the other comes in, and not for longer than a moment", async () => {
  await using world = World.create();
  const node = await world.start({ system: counterSystem() });
  await node.answer("value", { key: "a" });
  const alone = await turnsWaited(node, 1);
  assert.ok(alone <= 4, `${alone} turns for one connection`);
  const some = await turnsWaited(node, 20);
  assert.ok(some >= 20 && some <= 24, `${some} turns for twenty connections`);
  const many = await turnsWaited(node, 1_000);
  assert.ok(many <= 40, `${many} turns for a thousand connections`);
});
