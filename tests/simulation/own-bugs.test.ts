/** Business logic with bugs of its own: what the simulator says of them. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { z } from "zod";
import { command, defineInterface, defineSystem, implement, query } from "../../src/index.ts";
import { defineScenario, loadScenario, type RunResult, type Scenario, simulate } from "../../src/simulation/index.ts";

async function firstFailure(scenario: Scenario, seeds: number): Promise<RunResult | undefined> {
  for (let seed = 1; seed <= seeds; seed++) {
    const result = await simulate({ scenario, seed });
    if (result.violations.length > 0) return result;
  }
  return undefined;
}

const Seats = defineInterface("seats", {
  key: z.string(),
  operations: {
    book: command({ input: z.int().min(1).max(4), output: z.int(), errors: { full: z.null() } }),
    cancel: command({ input: z.int().min(1).max(4), output: z.int() }),
    free: query({ output: z.int() }),
  },
});

function seats(isFull: (free: number, wanted: number) => boolean) {
  return implement(Seats, {
    state: { version: 1, initial: () => ({ free: 10 }) },
    operations: {
      book: (ctx, wanted) => {
        if (isFull(ctx.state.free, wanted)) throw ctx.fail("full", null);
        ctx.state.free -= wanted;
        return ctx.state.free;
      },
      cancel: (ctx, count) => {
        ctx.state.free = Math.min(10, ctx.state.free + count);
        return ctx.state.free;
      },
      free: (ctx) => ctx.state.free,
    },
  });
}

const neverOverbooked = {
  name: "no flight is overbooked",
  holds: (state: { all(of: typeof Seats): ReadonlyMap<string, unknown> }) =>
    [...state.all(Seats).values()].every((flight) => (flight as { free: number }).free >= 0),
};

test("a bug of the business logic is found by an invariant of three lines, and replayed by its seed", async () => {
  const system = defineSystem({ name: "flights", services: [seats((free) => free < 1)] });
  const scenario = defineScenario({ system, duration: "5s", invariants: [neverOverbooked] });
  const failure = await firstFailure(scenario, 5);
  assert.equal(failure?.violations[0]?.promise, "invariant");
  assert.equal(failure.violations[0].text, "no flight is overbooked");
  const again = await simulate({ scenario, seed: failure.seed });
  assert.equal(again.digest, failure.digest);
  assert.deepEqual(again.violations, failure.violations);
});

test("the same system without the bug passes", async () => {
  const system = defineSystem({ name: "flights", services: [seats((free, wanted) => free < wanted)] });
  const scenario = defineScenario({ system, duration: "5s", invariants: [neverOverbooked] });
  assert.equal(await firstFailure(scenario, 5), undefined);
});

test("the bug of the cinema, a question in one command and a change in another, is found; mended it passes", async () => {
  const cinema = await loadScenario(new URL("../../examples/cinema/cinema.scenario.ts", import.meta.url));
  const failure = await firstFailure(cinema, 5);
  assert.equal(failure?.violations[0]?.promise, "invariant");
  assert.equal(failure.violations[0].text, "no seat is sold twice");
  const again = await simulate({ scenario: cinema, seed: failure.seed });
  assert.equal(again.digest, failure.digest);

  const mended = await loadScenario(new URL("../../examples/cinema/mended.scenario.ts", import.meta.url));
  assert.equal(await firstFailure(mended, 3), undefined);
});

test("state that is kept in a variable of a module is lost with its process, and that is found", async () => {
  const file = new URL("surroundings/voucher-system.ts", import.meta.url);
  const failure = await firstFailure(await loadScenario(file), 10);
  assert.equal(failure?.violations[0]?.text, "a voucher is good for one purchase");

  // All nodes in one set of modules, which outlives them: nothing is lost, so that nothing is found.
  const { default: shared } = (await import(file.href)) as { default: Scenario };
  assert.equal((await simulate({ scenario: shared, seed: failure.seed })).violations.length, 0);
});

test("an initial state that is another one each time is refused, by the name of its service", async () => {
  const Order = defineInterface("order", { key: z.string(), operations: { placedAt: query({ output: z.number() }) } });
  for (const initial of [() => ({ at: Date.now() }), () => ({ at: Math.random() })]) {
    const order = implement(Order, {
      state: { version: 1, initial },
      operations: { placedAt: (ctx) => ctx.state.at },
    });
    const scenario = defineScenario({ system: defineSystem({ name: "orders", services: [order] }) });
    await assert.rejects(simulate({ scenario, seed: 1 }), {
      code: "failed_precondition",
      message: /initial\(\) of service order gives another state each time/,
    });
  }
});
