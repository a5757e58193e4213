/**
 * The memory store is the model of the others: both get the same random requests, one after the other, and must give the
 * same answers.
 *
 * Left out, with the reason: the words of errors (they name a file; code and outcome are compared), the secret
 * (random), requests at the same time (their order is open; the conformance suite has them), and everything that
 * only a disk can do (full, locked, damaged).
 */
import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { createMemoryDatabase, openMemoryStore } from "../../src/adapters/memory/store.ts";
import { SynodError } from "../../src/errors.ts";
import type {
  CallRecord,
  ClaimedShard,
  EntityChange,
  Read,
  SessionFloor,
  ShardChanges,
  ShardId,
  Store,
} from "../../src/ports/store.ts";
import { compareShards } from "../../src/ports/store.ts";
import { sessionRecordId } from "../../src/values/ids.ts";
import {
  progressForm,
  progressOf,
  readsOfWork,
  type ShardWork,
  shardWorkOf,
  type WorkForm,
  workForm,
  workOf,
} from "./differential-work.ts";

const commandsMax = 60;
const shardsPerService = 3;
const keys = ["a", "b", "__proto__", "\u{1F600}"];
/** One name is the beginning of another, and one sorts in UTF-16 as it does not in UTF-8. */
const sessions = ["node 1", "node 11", "\u{1F600}"];

/** Both stores, and how each is opened again. */
interface Pair {
  memory: Store;
  other: Store;
  reopen(): Promise<void>;
}

/** What the requests are made from: names that exist, and what the model holds under them. */
interface Known {
  readonly services: readonly string[];
  readonly members: { node: string; incarnation: number }[];
  /** Of every record that a request could have written, in the order in which they were made up. */
  readonly ids: string[];
  /** The next number of each shard's session, by the shard's name. */
  readonly numbers: Map<string, number>;
}

type Command = fc.AsyncCommand<Known, Pair>;

/** Asks both and compares; answers what they answered. */
async function both<Answer>(pair: Pair, ask: (store: Store) => Promise<Answer>): Promise<Answer> {
  const [expected, actual] = await Promise.all([ask(pair.memory), ask(pair.other)]);
  assert.deepEqual(comparable(actual), comparable(expected));
  for (const status of statusesOf(expected)) seen.set(status, (seen.get(status) ?? 0) + 1);
  return expected;
}

/** How often each kind of answer was given, so that the test can tell that it has tested something. */
const seen = new Map<string, number>();

const kinds = [
  "claimed floors",
  "claimed none",
  "claimed some",
  "committed",
  "conflict",
  "ended",
  "fenced",
  "refused",
  "renewed",
  "trimmed none",
  "trimmed some",
];

function statusesOf(answer: unknown): string[] {
  if (typeof answer !== "object" || answer === null || !("status" in answer)) return [];
  const size = (of: unknown): string => (Array.isArray(of) && of.length > 0 ? "some" : "none");
  if ("claimed" in answer && Array.isArray(answer.claimed)) {
    const floors = answer.claimed.some((claimed: ClaimedShard) => claimed.floors.length > 0);
    return [`claimed ${size(answer.claimed)}`, ...(floors ? ["claimed floors"] : [])];
  }
  if ("removed" in answer) return [`trimmed ${answer.removed === 0 ? "none" : "some"}`];
  return [String(answer.status)];
}

function comparable(value: unknown): unknown {
  if (value instanceof SynodError) return { code: value.code, outcome: value.outcome };
  if (value instanceof Map) return [...value];
  if (Array.isArray(value)) return value.map(comparable);
  if (typeof value !== "object" || value === null) return value;
  return Object.fromEntries(Object.entries(value).map(([name, inner]) => [name, comparable(ordered(name, inner))]));
}

/** A claim tells floors in no particular order. */
function ordered(name: string, value: unknown): unknown {
  if (name !== "floors") return value;
  return (value as readonly SessionFloor[]).toSorted((a, b) => (a.session < b.session ? -1 : 1));
}

function command(name: string, run: (known: Known, pair: Pair) => Promise<unknown>): Command {
  return {
    check: () => true,
    run: async (known, pair) => {
      await run(known, pair);
    },
    toString: () => name,
  };
}

const member = fc.nat(5);
const shardPick = fc.record({ service: fc.nat(1), number: fc.nat(shardsPerService - 1) });
type ShardPick = { readonly service: number; readonly number: number };
/** Mostly right, sometimes off by one. */
const drift = fc.oneof(
  { weight: 8, arbitrary: fc.constant(0) },
  { weight: 1, arbitrary: fc.integer({ min: -1, max: 1 }) },
);

function memberAt(known: Known, pick: number): { node: string; incarnation: number } {
  return known.members.at(-1 - (pick % Math.max(1, known.members.length))) ?? { node: "nobody", incarnation: 0 };
}

function shardAt(known: Known, { service, number }: ShardPick): ShardId {
  return { service: known.services[service]!, number };
}

async function ownershipOf(pair: Pair, shard: ShardId): Promise<{ owner: number | null; epoch: number }> {
  const { shards } = await pair.memory.view();
  return shards.find((entry) => compareShards(entry.shard, shard) === 0) ?? { owner: null, epoch: 0 };
}

const joins = fc
  .record({
    node: fc.nat(2),
    hosts: fc.array(fc.option(fc.integer({ min: 1, max: 3 }), { freq: 7 }), { maxLength: 2 }),
  })
  .map(({ node, hosts }) =>
    command(`join ${node} ${hosts}`, async (known, pair) => {
      const hosted = hosts.map((stateVersion, at) => ({ service: known.services[at]!, stateVersion }));
      const request = { node: `node-${node}`, address: node === 0 ? null : "127.0.0.1:1", hosts: hosted };
      const { incarnation } = await both(pair, (store) => store.join(request));
      known.members.push({ node: request.node, incarnation });
    }),
  );

const renewals = fc
  .record({ pick: member, draining: fc.boolean(), behind: fc.nat(1) })
  .map(({ pick, draining, behind }) =>
    command(`renew ${pick} ${draining} ${behind}`, async (known, pair) => {
      const { incarnation } = memberAt(known, pick);
      const { revision } = await pair.memory.view();
      await both(pair, (store) => store.renew({ incarnation, draining, knownRevision: revision - behind }));
    }),
  );

const claims = fc
  .record({
    pick: member,
    shards: fc.array(shardPick, { minLength: 1, maxLength: 6 }),
    expired: fc.array(fc.tuple(member, drift), { maxLength: 2 }),
  })
  .map(({ pick, shards, expired }) =>
    command(`claim ${pick} ${JSON.stringify(shards)} ${JSON.stringify(expired)}`, async (known, pair) => {
      const { members } = await pair.memory.view();
      const leases = expired.map(([at, off]) => {
        const { incarnation } = memberAt(known, at);
        const live = members.find((entry) => entry.incarnation === incarnation);
        return { incarnation, renewals: (live?.renewals ?? 1) + off };
      });
      const { incarnation } = memberAt(known, pick);
      const request = { incarnation, shards: shards.map((shard) => shardAt(known, shard)), expired: leases };
      await both(pair, (store) => store.claim(request));
    }),
  );

const releases = fc.record({ pick: shardPick, off: drift }).map(({ pick, off }) =>
  command(`release ${JSON.stringify(pick)} ${off}`, async (known, pair) => {
    const shard = shardAt(known, pick);
    const { owner, epoch } = await ownershipOf(pair, shard);
    await both(pair, (store) => store.release({ incarnation: owner ?? 0, shards: [{ shard, epoch: epoch + off }] }));
    await both(pair, (store) => store.view());
  }),
);

const endings = fc.record({ pick: member, off: drift }).map(({ pick, off }) =>
  command(`end ${pick} ${off}`, async (known, pair) => {
    const { node, incarnation } = memberAt(known, pick);
    await both(pair, (store) => store.endLease({ node, incarnation: incarnation + off }));
    await both(pair, (store) => store.view());
  }),
);

/** A clock that goes on with the records, so that most of them are younger than what has been forgotten. */
function nowOf({ ids }: Known): number {
  return 10 + ids.length;
}

const change = fc.record({
  key: fc.nat(keys.length - 1),
  kind: fc.constantFrom("put", "put", "clear", "note"),
  off: drift,
  stateVersion: fc.integer({ min: 1, max: 3 }),
  /**
   * Fresh ids, and now and then one that is recorded already; instants, counted from {@link nowOf}. With a session
   * the record of a call of it, without an age.
   */
  records: fc.array(
    fc.record({
      again: drift,
      finished: fc.nat(5),
      keyAge: fc.option(fc.nat(5)),
      session: fc.option(fc.constantFrom(...sessions), { freq: 2 }),
    }),
    { maxLength: 3 },
  ),
  work: workForm,
});

/** Floors a little below the last number, with numbers that are still open; some that every store must refuse. */
const floorList = fc.array(
  fc.record({
    session: fc.oneof(
      { weight: 40, arbitrary: fc.constantFrom(...sessions) },
      { weight: 1, arbitrary: fc.constantFrom("node#1", "", "\0") },
    ),
    below: fc.nat(6),
    open: fc.uniqueArray(fc.oneof({ weight: 40, arbitrary: fc.nat(8) }, { weight: 1, arbitrary: fc.constant(-1) })),
  }),
  { maxLength: 2 },
);

function floorOf(known: Known, { session, below, open }: { session: string; below: number; open: number[] }) {
  const floor = Math.max(0, known.ids.length - below);
  const numbers = open.map((age) => floor - 1 - age).filter((number) => number >= 0);
  return { session, floor, open: numbers.sort((a, b) => a - b) };
}
type Change = typeof change extends fc.Arbitrary<infer Value> ? Value : never;

/** Each key once, but for a few lists that every store must refuse. */
const changeList = fc.oneof(
  { weight: 20, arbitrary: fc.uniqueArray(change, { maxLength: 4, selector: ({ key }) => key }) },
  { weight: 1, arbitrary: fc.array(change, { maxLength: 4 }) },
);

async function changeOf(
  known: Known,
  pair: Pair,
  shard: ShardId,
  there: ShardWork,
  { key: at, kind, off, ...rest }: Change,
): Promise<EntityChange> {
  const key = keys[at]!;
  const [found] = await pair.memory.read([{ kind: "entity", shard, key }]);
  const version = Math.max(0, (found?.kind === "entity" ? (found.row?.version ?? 0) : 0) + off);
  const records = rest.records.map(({ again, finished, keyAge, session }): CallRecord => {
    if (again === 0) known.ids.push(idOf(session, known.ids.length));
    const id = known.ids.at(again === 0 ? -1 : -7) ?? "id-0";
    const now = nowOf(known);
    const isOfSession = id.includes("#");
    const keyTime = keyAge === null || isOfSession ? null : now - keyAge;
    return { id, inputHash: key, reply: `"${id}"`, finishedAt: isOfSession ? null : now + finished, keyTime };
  });
  const after = { put: version + 1, clear: 0, note: version }[kind];
  const state = kind === "put" ? JSON.stringify([version, key]) : null;
  const change = { key, expectedVersion: version, version: after, stateVersion: rest.stateVersion, state };
  return { ...change, ...withWork(known, rest.work, key, there, records) };
}

/** The work of a change, with the records of what it finishes beside its own. */
function withWork(
  known: Known,
  form: WorkForm,
  key: string,
  there: ShardWork,
  own: readonly CallRecord[],
): Pick<EntityChange, "work" | "records"> {
  if (form === null) return { work: null, records: own };
  const { work, records } = workOf(form, key, there);
  known.ids.push(...records.map(({ id }) => id));
  return { work, records: [...own, ...records] };
}

function idOf(session: string | null, number: number): string {
  return session === null ? `id-${number}` : sessionRecordId(session, number);
}

const commits = fc
  .record({
    shards: fc.uniqueArray(
      fc.record({
        shard: shardPick,
        off: drift,
        entities: changeList,
        floors: floorList,
        progress: progressForm,
        /** How much the next number is off; null leaves it out. */
        next: fc.option(drift, { freq: 8 }),
      }),
      {
        maxLength: 3,
        selector: ({ shard }) => shard.service * shardsPerService + shard.number,
      },
    ),
    stranger: fc.option(member, { freq: 8 }),
  })
  .map(({ shards, stranger }) =>
    command(`commit ${JSON.stringify({ shards, stranger })}`, async (known, pair) => {
      let incarnation = stranger === null ? 0 : memberAt(known, stranger).incarnation;
      const batch: ShardChanges[] = [];
      for (const { shard: pick, off, entities, floors, progress, next } of shards) {
        const shard = shardAt(known, pick);
        const { owner, epoch } = await ownershipOf(pair, shard);
        if (incarnation === 0) incarnation = owner ?? 0;
        const changes: EntityChange[] = [];
        const name = `${shard.service}/${shard.number}`;
        const there = await shardWorkOf(pair.memory, shard, keys, known.numbers.get(name) ?? 1);
        for (const entity of entities) changes.push(await changeOf(known, pair, shard, there, entity));
        const said = progress === null ? null : progressOf(progress, there);
        known.numbers.set(name, there.nextNumber);
        const sessionNext = next === null ? null : there.nextNumber + next;
        const risen = floors.map((floor) => floorOf(known, floor));
        batch.push({ shard, epoch: epoch + off, entities: changes, floors: risen, sessionNext, progress: said });
      }
      batch.sort((a, b) => compareShards(a.shard, b.shard));
      await both(pair, (store) => store.commit({ incarnation, shards: batch }));
      await compareRows(known, pair);
    }),
  );

const trims = fc
  .record({
    pick: shardPick,
    off: drift,
    finishedAge: fc.nat(12),
    capAge: fc.nat(8),
    timedRowsMax: fc.nat(6),
    removeMax: fc.integer({ min: 1, max: 6 }),
    endedSessions: fc.oneof({ weight: 3, arbitrary: fc.constant([]) }, { weight: 1, arbitrary: fc.subarray(sessions) }),
  })
  .map(({ pick, off, finishedAge, capAge, ...limits }) =>
    command(`trim ${JSON.stringify({ pick, off, finishedAge, capAge, ...limits })}`, async (known, pair) => {
      const shard = shardAt(known, pick);
      const now = nowOf(known);
      const bounds = { ...limits, finishedBefore: now - finishedAge, timedCap: now - capAge };
      const { owner, epoch } = await ownershipOf(pair, shard);
      const request = { ...bounds, shard, incarnation: owner ?? 0, epoch: epoch + off };
      await both(pair, (store) => store.trim(request));
      await compareRows(known, pair);
    }),
  );

/** Seldom, because it takes as long as fifty commits. */
const reopenings = fc.integer({ min: 0, max: 4 }).map((draw) =>
  command(draw === 0 ? "reopen" : "go on", async (_, pair) => {
    if (draw === 0) await pair.reopen();
  }),
);

/** Reads every row and record that any request so far could have written. */
async function compareRows({ services, ids }: Known, pair: Pair): Promise<void> {
  const reads: Read[] = [];
  for (const service of services) {
    for (let number = 0; number < shardsPerService; number++) {
      const shard = { service, number };
      for (const key of keys) reads.push({ kind: "entity", shard, key });
      for (const id of ids) reads.push({ kind: "record", shard, id });
      reads.push(...readsOfWork(shard, keys));
    }
  }
  await both(pair, (store) => store.read(reads));
}

/** Ends every lease and claims everything once more: what a claim tells of floors must be alike at the end too. */
async function compareFloors(known: Known, pair: Pair): Promise<void> {
  for (const lease of known.members) await both(pair, (store) => store.endLease(lease));
  await startOwning(known, pair);
  await both(pair, (store) => store.endLease(known.members.at(-1)!));
  await both(pair, (store) => store.view());
}

/** A first member that owns everything, so that most requests have something to do. */
async function startOwning({ services, members }: Known, pair: Pair): Promise<void> {
  const hosts = services.map((service) => ({ service, stateVersion: 3 }));
  const { incarnation, view } = await both(pair, (store) => store.join({ node: "node-0", address: null, hosts }));
  members.push({ node: "node-0", incarnation });
  const shards = view.shards.map(({ shard }) => shard).filter(({ service }) => services.includes(service));
  await both(pair, (store) => store.claim({ incarnation, shards, expired: [] }));
}

export interface DifferentialOptions {
  /** What is compared with the memory store. */
  readonly name: string;
  /** How many sequences of requests. */
  readonly runs: number;
  /** Whether its commits renew the lease. */
  readonly commitsRenew: boolean;
  /** A new database, empty and of the system "differential". */
  create(): Promise<{ open(options: { readonly shardsPerService: number }): Promise<Store> } & AsyncDisposable>;
}

type Database = Awaited<ReturnType<DifferentialOptions["create"]>>;

async function openPair(database: Database, commitsRenew: boolean): Promise<Pair> {
  const model = createMemoryDatabase({ system: "differential", shardsPerService, commitsRenew });
  const pair: Pair = {
    memory: openMemoryStore(model),
    other: await database.open({ shardsPerService }),
    reopen: async () => {
      await both(pair, (store) => store.close());
      pair.memory = openMemoryStore(model);
      pair.other = await database.open({ shardsPerService });
    },
  };
  return pair;
}

const requests = [
  joins,
  renewals,
  claims,
  claims,
  releases,
  endings,
  reopenings,
  ...Array.from({ length: 12 }, () => commits),
  ...Array.from({ length: 6 }, () => trims),
];

/** A rare kind of answer may be left out by chance: then everything is run once more, at the most so often. */
const roundsMax = 4;

/** Declares the test. One in a file, because it also looks at which kinds of answers were given. */
export function differential({ name, runs, commitsRenew, create }: DifferentialOptions): void {
  test(`memory and ${name} answer every sequence of requests alike`, async () => {
    let held: { readonly pair: Pair; readonly database: Database } | undefined;
    const databases: Database[] = [];
    let run = 0;
    const commands = fc.commands(requests, { maxCommands: commandsMax, size: "max" });
    const property = fc.asyncProperty(commands, async (sequence) => {
      // One pair for all runs, each with services of its own; a pair whose halves differ is of no further use.
      const current = held ?? (await openNew(databases, create, commitsRenew));
      held = undefined;
      run++;
      const known: Known = { services: [`${run}-x`, `${run}-y`], members: [], ids: [], numbers: new Map() };
      await startOwning(known, current.pair);
      await fc.asyncModelRun(() => ({ model: known, real: current.pair }), sequence);
      await compareRows(known, current.pair);
      await compareFloors(known, current.pair);
      held = current;
    });
    try {
      for (let round = 0; round < roundsMax && seen.size < kinds.length; round++) {
        await fc.assert(property, { numRuns: runs });
      }
    } finally {
      await held?.pair.other.close();
      for (const database of databases) await database[Symbol.asyncDispose]();
    }
    assert.deepEqual([...seen.keys()].sort(), kinds, "every kind of answer was given");
  });
}

async function openNew(databases: Database[], create: DifferentialOptions["create"], commitsRenew: boolean) {
  const database = await create();
  databases.push(database);
  return { pair: await openPair(database, commitsRenew), database };
}
