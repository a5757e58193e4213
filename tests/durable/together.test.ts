/**
 * What a durable command calls on its own node is carried out before the journal's entry that announces the call is durable,
 * and becomes durable with it or later, whatever happens to either (decision 0016).
 */
import assert from "node:assert/strict";
import { test } from "node:test";
import { SynodError } from "../../src/errors.ts";
import type { CommitBatch, CommitResult } from "../../src/ports/store.ts";
import { originOf } from "../../src/simulation/checkers/origin.ts";
import { refuses, storeFull } from "../guarantees/fault-store.ts";
import { type TestNode, World } from "../guarantees/world.ts";
import { type Running, Stock, sagaSystem } from "./saga-system.ts";

/** Three calls after each other, each of which sees what the one before came to. */
const system = sagaSystem({
  run: {
    order: async (ctx: Running) => {
      const left: number[] = [];
      for (const stock of ["s", "t", "s"]) left.push(await ctx.to(Stock, stock).take(left.length));
      return left;
    },
  },
});
const order = { service: "saga", key: "one", input: "order", id: "order-1" };

/** Notes every commit that the store takes, and that each effect of a call is announced in it or before it. */
class Commits {
  readonly taken: CommitBatch[] = [];
  readonly #accepted = new Set<number>();
  readonly #announced = new Set<string>();

  constructor({ store }: TestNode) {
    store.intercept("commit", async (batch, forward) => {
      const result = await forward();
      if (result.status === "committed") this.#take(batch);
      return result;
    });
  }

  #take(batch: CommitBatch): void {
    this.taken.push(batch);
    for (const { progress, entities } of batch.shards) {
      for (const { work } of entities) for (const { number } of work?.accepted ?? []) this.#accepted.add(number);
      for (const { number, journal } of progress?.items ?? []) {
        assert.ok(this.#accepted.has(number), `the journal of ${number} is durable, and ${number} was not accepted`);
        for (const { id } of journal) this.#announced.add(id);
      }
    }
    for (const record of this.effectsIn(batch)) {
      assert.ok(this.#announced.has(originOf(record)!.call), `${record} is durable, and nothing has announced it`);
    }
  }

  /** Ids of calls of durable commands that take effect by it. */
  effectsIn({ shards }: CommitBatch): string[] {
    const records = shards.flatMap(({ entities }) => entities.flatMap((entity) => entity.records));
    return records.flatMap(({ id }) => (originOf(id)?.kind === "call" ? [id] : []));
  }
}

test("a saga of three calls to entities of its node is four commits, each with a call and what announces it", async () => {
  await using world = World.create();
  const node = await world.start({ system });
  const commits = new Commits(node);
  // What has to be read first is there only when the announcement has left.
  for (const key of ["s", "t"]) assert.equal(await node.answer("taken", { service: "stock", key }), "[]");
  assert.equal(await node.answer("run", order), "[1,1,2]");
  assert.deepEqual(
    commits.taken.map((batch) => commits.effectsIn(batch).length),
    [1, 1, 1, 0],
  );
});

test("however small commits are, nothing that is called is there before its caller was accepted", async () => {
  await using world = World.create();
  const node = await world.start({ system, limits: { batchCommandsMax: 1 } });
  const commits = new Commits(node);
  for (const key of ["s", "t"]) assert.equal(await node.answer("taken", { service: "stock", key }), "[]");
  assert.equal(await node.answer("run", order), "[1,1,2]");
  assert.ok(commits.taken.length > 4);
});

const fencedSaga = async (batch: CommitBatch, forward: () => Promise<CommitResult>): Promise<CommitResult> => {
  const shards = batch.shards.flatMap(({ shard }) => (shard.service === "saga" ? [shard] : []));
  return shards.length === 0 ? forward() : { status: "fenced", shards };
};

const refused = async (): Promise<CommitResult> => ({
  status: "refused",
  error: new SynodError("invalid_argument", "too big for a row"),
});

for (const [words, fault] of [
  ["belongs to another owner by then", fencedSaga],
  ["is refused together with it", refused],
  ["is not taken for its saga's data", refuses("one")],
  ["is not written because the store is full", storeFull],
] as const) {
  for (const which of [0, 1, 2]) {
    test(`no call takes effect whose announcement ${words}, at commit ${which + 1}`, async () => {
      await using world = World.create();
      const node = await world.start({ system });
      let met = 0;
      node.store.intercept("commit", (batch, forward) => (met++ === which ? fault(batch, forward) : forward()));
      const commits = new Commits(node);
      // Who asked may hear of it; it is asked again under its id.
      for (let tries = 0; tries < 5 && (await node.answer("run", order)).startsWith("unavailable"); tries++)
        await world.advance(500);
      await world.advance(60_000);
      const stock = async (key: string): Promise<string> => await node.answer("taken", { service: "stock", key });
      const done = [await stock("s"), await stock("t")];
      // Either it has failed for good before anything happened, or all of it has happened, once.
      const isNothing = commits.taken.every((batch) => commits.effectsIn(batch).length === 0);
      assert.deepEqual(done, isNothing ? ["[]", "[]"] : ["[0,2]", "[1]"]);
      assert.ok(met > which, "the fault was met");
    });
  }
}
