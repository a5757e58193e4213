/**
 * What each kind of operation costs in things that can be counted, and so do not depend on the machine: frames and bytes
 * between nodes, questions to the store and what they ask, transactions (each is synced to disk once) and the rows in
 * them. A change of any of these is no accident: whoever makes an operation dearer has to say so here.
 */
import assert from "node:assert/strict";
import { test } from "node:test";
import type { CommitBatch } from "../../src/ports/store.ts";
import { ByteWriter } from "../../src/wire/bytes.ts";
import { writeFrame } from "../../src/wire/codec.ts";
import { type Running, Stock, sagaSystem } from "../durable/saga-system.ts";
import { mailSystem } from "../messages/mail-system.ts";
import { keyOf, startNodes, wideWorld } from "../routing/nodes.ts";
import { counterSystem } from "./counter-system.ts";
import type { TestNode, World } from "./world.ts";

interface Costs {
  /** Calls and replies on links, and their bytes. */
  readonly frames: number;
  readonly bytes: number;
  /** Round trips to the store that read, and what they asked for. */
  readonly readTrips: number;
  readonly reads: number;
  /** Round trips that write: each is one transaction. */
  readonly commits: number;
  /** Rows written or removed, without those of the lease. */
  readonly rows: number;
}

/** Long enough for everything that is in no hurry, and shorter than the time between two heartbeats. */
const calmMs = 200;

async function costsOf(world: World, act: () => Promise<unknown>): Promise<Costs> {
  await world.advance(calmMs);
  const { nodes, network } = world;
  const arrived = network.arrivals.length;
  const committed = nodes.map(({ store }) => store.commits.length);
  const readTrips = (): number => nodes.reduce((sum, { store }) => sum + store.count("read"), 0);
  const tripsBefore = readTrips();
  let reads = 0;
  const undo = nodes.map(({ store }) =>
    store.intercept("read", (asked, forward) => {
      reads += asked.length;
      return forward();
    }),
  );
  await act();
  await world.advance(calmMs);
  for (const end of undo) end();
  const frames = network.arrivals.slice(arrived).flatMap(({ frame }) => (isCall(frame) ? [frame] : []));
  const commits = nodes.flatMap(({ store }, index) => store.commits.slice(committed[index]!));
  return {
    frames: frames.length,
    bytes: frames.reduce((sum, frame) => sum + bytesOf(frame), 0),
    readTrips: readTrips() - tripsBefore,
    reads,
    commits: commits.length,
    rows: commits.reduce((sum, { batch }) => sum + rowsOf(batch), 0),
  };
}

type Frame = Parameters<typeof writeFrame>[1];

function isCall({ kind }: Frame): boolean {
  return kind === "call" || kind === "reply";
}

function bytesOf(frame: Frame): number {
  const writer = new ByteWriter();
  writeFrame(writer, frame);
  return writer.length;
}

function rowsOf({ shards }: CommitBatch): number {
  let rows = 0;
  for (const { entities, floors, sessionNext, progress } of shards) {
    rows += floors.length + Number(sessionNext !== null) + lengthsOf(progress);
    for (const { journal } of progress?.items ?? []) rows += journal.length;
    for (const { state, version, expectedVersion, records, work } of entities) {
      rows += Number(state !== null || version !== expectedVersion) + records.length + lengthsOf(work);
    }
  }
  return rows;
}

/** Every list of pending work is a list of rows. */
function lengthsOf(lists: object | null): number {
  return Object.values(lists ?? {}).reduce((sum: number, list) => sum + (list as readonly unknown[]).length, 0);
}

const nothing: Costs = { frames: 0, bytes: 0, readTrips: 0, reads: 0, commits: 0, rows: 0 };

interface Pair extends AsyncDisposable {
  readonly world: World;
  /** Owns the counter of this key, which is in its memory. */
  readonly owner: TestNode;
  readonly other: TestNode;
  readonly key: string;
}

async function pair(): Promise<Pair> {
  const world = wideWorld();
  const [owner, other] = await startNodes(world, ["node-1", "node-2"], { system: counterSystem({ rate: () => 2 }) });
  const key = await keyOf(owner!);
  await other!.answer("add", { key, input: 1 });
  return { world, owner: owner!, other: other!, key, [Symbol.asyncDispose]: () => world[Symbol.asyncDispose]() };
}

test("a stateless call costs nothing that leaves its node", async () => {
  await using nodes = await pair();
  const costs = await costsOf(nodes.world, () => nodes.owner.answer("rate", { service: "rates" }));
  assert.deepEqual(costs, nothing);
});

test("a query costs nothing at its owner, two short frames from another node, and one read when it wakes an entity", async () => {
  await using nodes = await pair();
  const { world, owner, other, key } = nodes;
  assert.deepEqual(await costsOf(world, () => owner.answer("value", { key })), nothing);
  const there = await costsOf(world, () => other.answer("value", { key }));
  assert.deepEqual(there, { ...nothing, frames: 2, bytes: 63 });
  const asleep = await keyOf(owner, 1);
  const woken = await costsOf(world, () => owner.answer("value", { key: asleep }));
  assert.deepEqual(woken, { ...nothing, readTrips: 1, reads: 1 });
});

test("a command costs one transaction with one row, and ten at a time no more than one", async () => {
  await using nodes = await pair();
  const { world, owner, key } = nodes;
  const add = (): Promise<string> => owner.answer("add", { key, input: 1 });
  assert.deepEqual(await costsOf(world, add), { ...nothing, commits: 1, rows: 1 });
  const ten = await costsOf(world, () => Promise.all(Array.from({ length: 10 }, add)));
  assert.deepEqual(ten, { ...nothing, commits: 1, rows: 1 });
  assert.deepEqual(await costsOf(world, () => owner.answer("peek", { key })), nothing, "one that changes nothing");
});

test("a command from another node costs two frames, and rows for state and record; its record is not looked for", async () => {
  await using nodes = await pair();
  const { world, owner, other, key } = nodes;
  const costs = await costsOf(world, () => other.answer("add", { key, input: 1 }));
  assert.deepEqual(costs, { frames: 2, bytes: 69, readTrips: 0, reads: 0, commits: 1, rows: 2 });
  const elsewhere = await keyOf(owner, 1);
  const first = await costsOf(world, () => other.answer("add", { key: elsewhere, input: 1 }));
  // The entity, the record, and up to where the store has records of this session; by its floor the session is known.
  assert.deepEqual(
    first,
    { frames: 2, bytes: 69, readTrips: 1, reads: 3, commits: 1, rows: 3 },
    "the first in a shard",
  );
  let rows = 0;
  const commands = 64;
  for (let command = 0; command < commands; command++) {
    rows += (await costsOf(world, () => other.answer("add", { key, input: 1 }))).rows;
  }
  assert.equal(rows, 2 * commands + 2, "what is settled is written down with every 32nd");
});

test("a command with an idempotency key costs a look for its record and a row for it; its repeat costs nothing", async () => {
  await using nodes = await pair();
  const { world, owner, key } = nodes;
  const add = (): Promise<string> => owner.answer("add", { key, input: 1, id: "once" });
  assert.deepEqual(await costsOf(world, add), { ...nothing, readTrips: 1, reads: 1, commits: 1, rows: 2 });
  assert.deepEqual(await costsOf(world, add), nothing);
});

test("a durable command costs one transaction, and with n calls on its node n more", async () => {
  for (const [calls, costs] of [
    [0, { readTrips: 1, reads: 1, commits: 1, rows: 2 }],
    // Only whether the command itself is a repeat is asked: a call that was never issued before has no record.
    [1, { readTrips: 1, reads: 1, commits: 2, rows: 8 }],
    // What is settled at the callees is written down with later records.
    [3, { readTrips: 1, reads: 1, commits: 4, rows: 16 }],
  ] as const) {
    await using world = wideWorld();
    const go = async (ctx: Running): Promise<number> => {
      for (let call = 0; call < calls; call++) await ctx.to(Stock, `item-${call}`).take(1);
      return calls;
    };
    const [node] = await startNodes(world, ["node-1"], { system: sagaSystem({ run: { go } }) });
    for (let call = 0; call < 3; call++)
      await node!.answer("take", { service: "stock", key: `item-${call}`, input: 1 });
    await node!.answer("touch", { service: "saga", key: "x" });
    const run = (): Promise<string> => node!.answer("run", { service: "saga", key: "x", input: "go", id: "once" });
    assert.deepEqual(await costsOf(world, run), { ...nothing, ...costs }, `${calls} calls`);
  }
});

test("a message costs the transaction of its command, that of its receiver, and one that settles it", async () => {
  await using world = wideWorld();
  const [node] = await startNodes(world, ["node-1"], { system: mailSystem() });
  const send = (): Promise<string> =>
    node!.answer("send", { service: "post", key: "sender", input: { to: "receiver", texts: ["hello"] } });
  await send();
  assert.deepEqual(await costsOf(world, send), { ...nothing, commits: 3, rows: 6 });
});
