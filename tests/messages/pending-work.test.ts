/** Pending work as operators see it: listed with filters, shown, tried again and dropped. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { SynodError } from "../../src/index.ts";
import type { WorkQuery } from "../../src/runtime/pending-work.ts";
import { Stock, sagaSystem } from "../durable/saga-system.ts";
import { type TestNode, World } from "../guarantees/world.ts";
import { calm, startNodes, wideWorld } from "../routing/nodes.ts";
import { mailSystem } from "./mail-system.ts";

const schedule = { attemptsMax: 2, ageMaxMs: 600_000, backoffBaseMs: 10, backoffMaxMs: 10 };

/** One that keeps its entity's turn, one that gave it up, and one that waits to be tried again. */
const sagas = sagaSystem({
  run: {
    charged: async (ctx) => {
      await ctx.to(Stock, "s").take(1);
      throw new Error("cannot");
    },
    poison: () => {
      throw new Error("never could");
    },
  },
});

async function work(world: World, node: TestNode, query: Partial<WorkQuery> = {}) {
  const { work: found } = await world.until(node.running.work({ boxes: ["inbox", "outbox"], ...query }));
  return found;
}

test("durable commands are listed by service, key, state and age, by whichever node is asked", async () => {
  await using world = wideWorld();
  const [one, two] = await startNodes(world, ["one", "two"], { system: sagas, limits: { schedule } });
  for (const [key, input] of Object.entries({ a: "charged", b: "poison" })) {
    void one!.ask("run", { service: "saga", key, input, waitFor: "acceptance" });
  }
  await world.advance(1_000);
  const between = one!.clock.wall();
  await world.advance(60_000);
  void two!.ask("run", { service: "saga", key: "c", input: "poison", waitFor: "acceptance" });
  await world.advance(1_000);
  await calm(world);
  for (const node of [one!, two!]) {
    const keys = async (query: Partial<WorkQuery>): Promise<string> =>
      (await work(world, node, query))
        .map(({ key }) => key)
        .sort()
        .join("");
    assert.equal(await keys({}), "abc");
    assert.equal(await keys({ service: "saga", key: "b" }), "b");
    assert.equal(await keys({ key: "b" }), "b", "the key of any service");
    assert.equal(await keys({ service: "stock" }), "");
    assert.equal(await keys({ boxes: ["outbox"] }), "");
    assert.equal(await keys({ parked: false }), "");
    assert.equal(await keys({ parked: true, before: between }), "ab", "the older ones");
  }
  const [charged] = await work(world, two!, { key: "a" });
  assert.match(charged!.parked!.message, /^2 attempts failed/);
  assert.deepEqual([charged!.holdsTurn, charged!.attempts], [true, 2]);
  assert.deepEqual([charged!.operation, charged!.principal, charged!.to], ["run", "tester", null]);
  const details = await world.until(two!.running.workDetails(charged!.id));
  assert.equal(details.input, '"charged"');
  assert.deepEqual(
    details.journal.map(({ name }) => name),
    ["stock/s.take"],
  );
  await assert.rejects(world.until(one!.running.work({ boxes: ["inbox"], service: "rates" })), /no service rates/);
  await assert.rejects(world.until(one!.running.workDetails("saga")), { code: "invalid_argument" });
  await assert.rejects(world.until(one!.running.workDetails("saga/1/999")), { code: "not_found" });
});

test("pages follow each other without a gap, whatever their length", async () => {
  await using world = World.create();
  const put = (): void => {
    throw new SynodError("unavailable", "the box is full");
  };
  const node = await world.start({ system: mailSystem({ put }) });
  for (const key of ["p", "q", "r"]) {
    await node.answer("send", { service: "post", key, input: { to: "b", texts: ["1", "2", "3", "4"] } });
  }
  const all = (await work(world, node)).map(({ id }) => id);
  assert.equal(new Set(all).size, 12);
  for (const limit of [1, 2, 5]) {
    const ids: string[] = [];
    let after: string | undefined;
    do {
      const page = await world.until(node.running.work({ boxes: ["inbox", "outbox"], after, limit }));
      assert.ok(page.work.length <= limit);
      ids.push(...page.work.map(({ id }) => id));
      after = page.next ?? undefined;
    } while (after !== undefined);
    assert.deepEqual(ids, all, `pages of ${limit}`);
  }
  await assert.rejects(world.until(node.running.work({ boxes: ["inbox"], after: "nowhere/1" })), /can begin/);
});

test("inspecting an entity shows its messages, its timers and its delayed messages, and nobody else's", async () => {
  await using world = World.create();
  const put = (): void => {
    throw new SynodError("unavailable", "the box is full");
  };
  const node = await world.start({ system: mailSystem({ put }) });
  for (const key of ["p", "q"]) {
    const post = { service: "post", key };
    await node.answer("send", { ...post, input: { to: "b", texts: ["now"] } });
    await node.answer("send", { ...post, input: { to: "b", texts: ["later"], after: 60_000 } });
    await node.answer("set", { ...post, input: { name: "t", afterMs: 30_000, text: "ding" } });
  }
  const { work: own } = await world.until(node.running.inspect("post", "p"));
  assert.deepEqual(
    own.outbox.map(({ operation, key, to, parked }) => ({ operation, key, to, parked })),
    [{ operation: "put", key: "p", to: { service: "box", key: "b" }, parked: null }],
  );
  assert.deepEqual(
    own.timers.map(({ name, operation, to }) => ({ name, operation, to })),
    [
      { name: "t", operation: "ring", to: null },
      { name: null, operation: "put", to: { service: "box", key: "b" } },
    ],
  );
  assert.ok(own.timers[0]!.dueAt > node.clock.wall());
  assert.deepEqual([own.inbox, own.complete], [[], true]);
});

test("a damaged durable command, which blocks its entity, is told by its id and can be dropped", async () => {
  await using world = World.create();
  const node = await world.start({ system: sagas, limits: { schedule } });
  void node.ask("run", { service: "saga", key: "a", input: "poison" });
  await world.advance(1_000);
  const [report] = await work(world, node);
  const at = Number(report!.id.split("/")[2]);
  let damaged = true;
  node.store.intercept("read", async (_reads, forward) => {
    const results = await forward();
    return results.map((result) => {
      if (!damaged || (result.kind !== "inbox" && result.kind !== "inboxOf") || result.page.rows.length === 0)
        return result;
      const error = new SynodError("data_loss", "the row does not match its checksum");
      return { kind: result.kind, page: { rows: [], damaged: [{ at, error }], next: null } };
    });
  });
  const page = await world.until(node.running.work({ boxes: ["inbox"] }));
  assert.deepEqual([page.work, page.damaged], [[], [report!.id]]);
  await assert.rejects(world.until(node.running.workDetails(report!.id)), { code: "data_loss" });
  await assert.rejects(world.until(node.running.operate(report!.id, "retry")), { code: "data_loss" });
  await world.until(node.running.operate(report!.id, "drop"));
  damaged = false;
  assert.deepEqual(await work(world, node), [], "the row is gone");
});
