/** States of older and newer code, and rows that were damaged. */
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { z } from "zod";
import { SynodError } from "../../src/errors.ts";
import { command, defineInterface, defineSystem, implement, query, type System } from "../../src/index.ts";
import type { Read } from "../../src/ports/store.ts";
import type { AnySystem } from "../../src/service/model.ts";
import { storeKinds, type TestNode, World } from "./world.ts";

const Note = defineInterface("note", {
  key: z.string(),
  operations: { write: command({ input: z.string() }), read: query({ output: z.unknown() }) },
});

const write = (ctx: { state: { text: string } }, text: string): void => {
  ctx.state.text = text;
};
const read = (ctx: { state: unknown }): unknown => ctx.state;

const first: System = defineSystem({
  name: "test",
  services: [implement(Note, { state: { version: 1, initial: () => ({ text: "" }) }, operations: { write, read } })],
});

interface Third {
  text: string;
  length: number;
  tags: string[];
}

function third(migrate: Record<number, (old: never) => unknown>): System {
  const note = implement(Note, {
    state: { version: 3, initial: (): Third => ({ text: "", length: 0, tags: [] }), migrate },
    operations: {
      write: (ctx, text) => {
        ctx.state = { ...ctx.state, text, length: text.length };
      },
      read,
    },
  });
  return defineSystem({ name: "test", services: [note] });
}

const migrate = {
  1: (old: { text: string }) => ({ text: old.text, length: old.text.length }),
  2: (old: { text: string; length: number }) => ({ ...old, tags: ["migrated"] }),
};

const refused = "failed_precondition (not-happened)";
const note = (key: string) => ({ service: "note", key });

async function restart(world: World, node: TestNode, system: AnySystem): Promise<TestNode> {
  await node.stop();
  return world.start({ system });
}

for (const kind of storeKinds) {
  describe(`state versions (${kind})`, () => {
    test("an old state goes through every migration when it is loaded, and is written in the new shape", async () => {
      await using world = World.create(kind);
      const old = await world.start({ system: first });
      await old.answer("write", { ...note("a"), input: "four" });
      const node = await restart(world, old, third(migrate));
      assert.equal(await node.answer("read", note("a")), '{"text":"four","length":4,"tags":["migrated"]}');
      assert.equal((await node.running.inspect("note", "a")).stateVersion, 1, "looking writes nothing");
      await node.answer("write", { ...note("a"), input: "seventy" });
      const { stateVersion, state } = await node.running.inspect("note", "a");
      assert.deepEqual([stateVersion, state], [3, { text: "seventy", length: 7, tags: ["migrated"] }]);
    });

    test("older code does not get a shard that holds a newer state", async () => {
      await using world = World.create(kind, 1);
      const newer = await world.start({ system: third(migrate) });
      await newer.answer("write", { ...note("a"), input: "new" });
      await newer.stop();
      const older = await world.begin({ system: first });
      await assert.rejects(
        world.until(older.started),
        /the state of note in this store has version 3, this code knows 1: run the newer code/,
      );
      const view = await (await world.connect()).view();
      assert.deepEqual(
        view.shards.map(({ owner, stateVersion }) => [owner, stateVersion]),
        [[null, 3]],
      );
      assert.deepEqual(view.members, []);
    });
  });
}

describe("state versions", () => {
  test("a migration that throws, or leaves something that is not JSON, fails that entity and says so", async () => {
    for (const broken of [
      () => {
        throw new Error("cannot");
      },
      () => new Map(),
    ]) {
      await using world = World.create();
      const old = await world.start({ system: first });
      await old.answer("write", { ...note("a"), input: "four" });
      const node = await restart(world, old, third({ ...migrate, 2: broken }));
      assert.equal(await node.answer("read", note("a")), "internal (not-happened)");
      assert.equal(await node.answer("write", { ...note("a"), input: "x" }), "internal (not-happened)");
      assert.equal(await node.answer("read", note("b")), '{"text":"","length":0,"tags":[]}');
      assert.ok(node.logged(/note\/a cannot be loaded/));
    }
  });

  for (const [what, system, stateVersion] of [
    ["a state that is newer than the code", first, 2],
    ["a state that no migration leads from", third(migrate), 0],
  ] as const) {
    test(`${what} is refused and left alone`, async () => {
      await using world = World.create();
      const node = await world.start({ system });
      // A store that says so, although it should not have let this node claim the shard.
      node.store.intercept("read", async (reads) =>
        reads.map(() => ({ kind: "entity", row: { version: 1, stateVersion, state: '{"text":"?"}' } }) as const),
      );
      assert.equal(await node.answer("read", note("a")), refused);
      assert.equal(await node.answer("write", { ...note("a"), input: "x" }), refused);
      assert.equal(node.store.commits.length, 0);
    });
  }
});

describe("damaged rows", () => {
  test("a damaged state is data_loss for that entity only", async () => {
    await using world = World.create();
    const node = await world.start({ system: first });
    for (const key of ["a", "b"]) await node.answer("write", { ...note(key), input: "text" });
    const again = await restart(world, node, first);
    damage(again, (read) => read.kind === "entity" && read.key === "a");
    const reads = [again.ask("read", note("a")), again.ask("read", note("b"))];
    const answers = await Promise.all(reads.map((call) => world.until(call)));
    assert.deepEqual(answers, ["data_loss (not-happened)", '{"text":"text"}']);
    assert.equal(await again.answer("write", { ...note("a"), input: "x" }), "data_loss (not-happened)");
    assert.equal(again.store.commits.length, 0, "it is not written over");
    assert.ok(again.logged(/note\/a cannot be loaded/));
  });

  test("a damaged record is data_loss for its command, which is not run again", async () => {
    await using world = World.create();
    const node = await world.start({ system: first });
    await node.answer("write", { ...note("a"), input: "text", id: "one" });
    const again = await restart(world, node, first);
    damage(again, (read) => read.kind === "record");
    assert.equal(await again.answer("write", { ...note("a"), input: "text", id: "one" }), "data_loss (unknown)");
    assert.equal(await again.answer("write", { ...note("a"), input: "more" }), "done", "the entity itself is whole");
  });
});

/** Some rows of the store do not match their checksums. */
function damage({ store }: TestNode, isDamaged: (read: Read) => boolean): void {
  const error = new SynodError("data_loss", "the row does not match its checksum");
  store.intercept("read", async (reads, forward) => {
    const results = await forward();
    return results.map((result, at) => (isDamaged(reads[at]!) ? { kind: "corrupt", error } : result));
  });
}
