import assert from "node:assert/strict";
import { test } from "node:test";
import { command, defineInterface, defineSystem, implement } from "../index.ts";
import { Heights } from "./heights.ts";

test("who is called may use more than whoever calls him, by the longest way down", () => {
  const names = ["till", "stock", "order", "tour"];
  const [Till, Stock, Order, Tour] = names.map((name) => defineInterface(name, { operations: { go: command() } }));
  const go = { operations: { go: () => {} } };
  const services = [
    implement(Tour!, { calls: [Till!, Order!], ...go }),
    implement(Order!, { calls: [Stock!], ...go }),
    implement(Stock!, { calls: [Till!], ...go }),
    implement(Till!, go),
  ];
  const heights = new Heights(defineSystem({ name: "shop", services }).services);
  assert.deepEqual(
    services.map((service) => heights.part(service)),
    [0.25, 0.5, 0.75, 1],
  );
});
