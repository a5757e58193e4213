/** What durable commands leave in the store: as much after an hour as after twenty minutes, whatever they call. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { World } from "../guarantees/world.ts";
import { Payment, Post, Rates, type Running, Shipping, Stock, sagaSystem } from "./saga-system.ts";

const minutes = 60;
const sagasPerMinute = 10;
/** Replies to keys from outside are kept so long. */
const retentionMs = 5 * 60_000;

/** Records and floors, and the length of what is in them. */
function leftIn(world: World): { readonly rows: number; readonly bytes: number } {
  let [rows, bytes] = [0, 0];
  const count = (row: unknown): void => {
    rows += 1;
    bytes += JSON.stringify(row).length;
  };
  for (const shards of world.database!.services.values()) {
    for (const { records, floors } of shards) for (const row of [...records.values(), ...floors.values()]) count(row);
  }
  return { rows, bytes };
}

test("an hour of durable commands that call entities, stateless services and steps leaves no more than its first minutes", async () => {
  const calls = async (ctx: Running): Promise<string> => {
    const rate = await ctx.to(Rates).rate();
    await Promise.all([ctx.to(Stock, "s").take(1), ctx.to(Payment, "p").charge(rate), ctx.step("code", () => "code")]);
    await ctx.to(Shipping, "x").ship("box");
    return "done";
  };
  /** What it calls, it calls by way of a stateless service only. */
  const posts = async (ctx: Running): Promise<void> => ctx.to(Post).send("letter");
  await using world = World.create();
  const limits = { retentionMs, trimIntervalMs: 60_000, timedRecordAgeMinMs: 1_000, recordsPerFloorMax: 2 };
  const node = await world.start({ system: sagaSystem({ run: { calls, posts } }), limits });
  const left: { rows: number; bytes: number }[] = [];
  for (let minute = 0; minute < minutes; minute++) {
    for (let number = 0; number < sagasPerMinute; number++) {
      const input = number % 2 === 0 ? "calls" : "posts";
      void node.ask("run", { service: "saga", key: `s${number}`, input, id: `${minute}-${number}` });
    }
    await world.advance(60_000);
    left.push(leftIn(world));
  }
  const [early, late] = [left[minutes / 3]!, left.at(-1)!];
  assert.ok(late.rows <= early.rows * 1.1, `${early.rows} rows after a third of the hour, and ${late.rows} in the end`);
  assert.ok(
    late.bytes <= early.bytes * 1.1,
    `${early.bytes} bytes after a third of the hour, ${late.bytes} in the end`,
  );
  const { work } = await world.until(node.running.work({ boxes: ["inbox", "outbox"] }));
  assert.deepEqual(work, [], "nothing pends");
  assert.equal(node.logged(/ended: /), false, "every attempt was the only one");
});
