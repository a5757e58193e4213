/** What invariants are told of work that is accepted and not done. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { z } from "zod";
import { command, defineInterface, defineSystem, implement } from "../../src/index.ts";
import { type CommittedState, defineScenario, simulate } from "../../src/simulation/index.ts";

const Purse = defineInterface("purse", {
  key: z.enum(["a", "b"]),
  operations: { give: command({ input: z.int() }), take: command({ input: z.int() }), look: command({}) },
});
const start = 100;
const purse = implement(Purse, {
  sends: [Purse],
  state: { version: 1, initial: () => ({ money: start }) },
  operations: {
    give: (ctx, amount) => {
      ctx.state.money -= amount;
      ctx.send(Purse, ctx.key === "a" ? "b" : "a", { after: 500 }).take(amount);
    },
    take: (ctx, amount) => {
      ctx.state.money += amount;
    },
    look: (ctx) => ctx.timer("again").set({ after: 1 }).look(),
  },
});
const system = defineSystem({ name: "purses", services: [purse] });

function total(state: CommittedState): number {
  const all = state.all<{ money: number }>(Purse);
  return (["a", "b"] as const).reduce((sum, key) => sum + (all.get(key)?.money ?? start), 0);
}

test("a message that leaves later is pending until it has taken effect", async () => {
  let underWay = 0;
  let settled = 0;
  const scenario = defineScenario({
    system,
    nodes: 3,
    clients: 1,
    duration: "3s",
    workload: (prng) => {
      return { service: "purse", key: "ab"[prng.below(2)]!, operation: "give", input: 1 + prng.below(9) };
    },
    invariants: [
      {
        name: "no money is made, and none is lost",
        holds: (state) => {
          const [is, pending] = [total(state), state.pending(Purse)];
          if (pending > 0) underWay += 1;
          else settled += 1;
          return is === 2 * start || pending > 0 || `there are ${is} cents, and nothing is under way`;
        },
      },
    ],
  });
  const { violations } = await simulate({ scenario, seed: 1, plan: [], fairWeather: true });
  assert.deepEqual(violations, []);
  assert.ok(underWay > 0 && settled > 0, `${underWay} times something was under way, and ${settled} times nothing`);
});

test("an entity's timer is no pending work before it is due", async () => {
  const highest: number[] = [];
  const scenario = defineScenario({
    system,
    nodes: 3,
    clients: 1,
    duration: "1s",
    workload: () => ({ service: "purse", key: "a", operation: "look" }),
    invariants: [
      {
        name: "nothing is pending",
        holds: (state) => {
          highest.push(state.pending(Purse));
          return true;
        },
      },
    ],
  });
  await simulate({ scenario, seed: 1, plan: [], fairWeather: true });
  assert.ok(highest.length > 0);
  assert.equal(Math.max(...highest), 0);
});
