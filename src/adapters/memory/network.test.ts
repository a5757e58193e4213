import assert from "node:assert/strict";
import { test } from "node:test";
import type { Connection } from "../../ports/network.ts";
import { memoryNetwork } from "./network.ts";

const silent = { onData: () => {}, onDrain: () => {}, onEnd: () => {}, onClose: () => {} };

test("a connection on which nothing happens takes no turn of the event loop", async () => {
  const due: (() => void)[] = [];
  const network = memoryNetwork({ soon: (callback) => void due.push(callback) });
  let accepted: Connection | undefined;
  await network.listen("here:1", (connection) => {
    accepted = connection;
    connection.start(silent);
  });
  const dialled = await network.connect("here:1", 1_000);
  dialled.start(silent);
  dialled.send(new Uint8Array([1, 2, 3]));
  let turns = 0;
  for (let next = due.shift(); next !== undefined && turns < 100; next = due.shift(), turns++) next();
  assert.ok(accepted !== undefined && turns < 10, `${turns} turns for one message`);
});
