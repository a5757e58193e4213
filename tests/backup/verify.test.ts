/** `synod verify`: each way in which a store can be out of order is found, on both kinds of stores. */
import assert from "node:assert/strict";
import { readFileSync, writeFileSync } from "node:fs";
import { test } from "node:test";
import { Check } from "../../src/backup/check.ts";
import { synod, temporaryFolder } from "../host/running-system.ts";
import { contentOf, copyOf, createPlace, fill, home, type Kind, type Place, system } from "./stores.ts";

async function faultsOf(place: Place): Promise<readonly string[]> {
  const { facts, rows, faults } = await contentOf(place);
  const check = new Check(facts);
  for (const row of rows) check.add(row);
  return [...check.end().faults, ...faults];
}

const at = `account/${home}`;
/** Statements behind Synod's back, and what is found. */
const damages: readonly (readonly [sql: string, fault: string | RegExp])[] = [
  [
    "UPDATE entities SET state = '{\"version\":9}' WHERE key = 'alice'",
    'the state of account/"alice" does not match its checksum',
  ],
  [
    "UPDATE records SET reply = '1' WHERE id = 'opaque'",
    `the reply recorded under "opaque" in ${at} does not match its checksum`,
  ],
  ["UPDATE inbox SET operation = 'stop' WHERE number = 2", `item 2 of ${at} does not match its checksum`],
  ["UPDATE inbox SET attempts = 0 WHERE number = 1", `item 1 of ${at} does not match its checksum`],
  [
    "UPDATE journal SET outcome = '1' WHERE id = 'z-first'",
    `entry "z-first" of item 1 of ${at} does not match its checksum`,
  ],
  ["UPDATE outbox SET target_key = 'eve' WHERE number = 3", `message 3 of ${at} does not match its checksum`],
  ["UPDATE outbox SET attempts = 9 WHERE number = 4", `message 4 of ${at} does not match its checksum`],
  [
    "UPDATE timers SET due_at = 1 WHERE generation = 5",
    /^timer \["neighbour-\d+","hold"\] of account\/\d+ does not match its checksum$/,
  ],
  ["UPDATE timer_counts SET attempts = 0", /^timer \["neighbour-\d+","delayed"\] of .* does not match its checksum$/],
  ["DELETE FROM inbox WHERE number = 1", `entry "z-first" of item 1 of ${at} has lost its item`],
  ["DELETE FROM records WHERE id = 'timed'", `${at} counts 1 timed records, and has 0`],
  ["UPDATE shards SET session_next = 6 WHERE epoch > 0", /^timer .* has a generation that was never given out$/],
  ["UPDATE shards SET session_next = 4 WHERE epoch > 0", `message 4 of ${at} has a number that was never given out`],
  ["UPDATE shards SET session_next = 2 WHERE epoch > 0", `item 2 of ${at} has a number that was never given out`],
  [
    "UPDATE shards SET state_version = 0 WHERE epoch > 0",
    'the state of account/"alice" has version 1, its shard only 0',
  ],
  ["UPDATE shards SET epoch = 0 WHERE epoch > 0", `${at} has rows, and nobody ever owned it`],
  ["UPDATE outbox SET number = 1 WHERE number = 3", `message 1 of ${at} has the number of something else`],
  [
    "UPDATE floors SET open = '[8,7]'",
    `the floor of session session-1 in ${at} has open numbers that do not ascend below it`,
  ],
  [
    "UPDATE floors SET open = '[8]'",
    /^the reply recorded under "session-1#0+7" in account\/\d+ should have gone with the floor/,
  ],
  ["UPDATE records SET id = 'item 2' WHERE id = 'opaque'", `item 2 of ${at} is open, and its reply is recorded`],
  [
    "UPDATE entities SET key = 'bob' WHERE key = 'alice'",
    /^the state of account\/"bob" rests in shard \d+, and its key belongs into \d+$/,
  ],
  ["DELETE FROM shards WHERE epoch > 0", "2 rows of entities belong to no shard"],
  ["DELETE FROM shards WHERE number = 63", "service account lacks 1 of its 64 shards"],
  ["UPDATE shards SET number = 99 WHERE number = 63", "there can be no shard account/99"],
  ["DELETE FROM members", "1 shards have an owner who is no member"],
];

async function filled(kind: Kind): Promise<Place> {
  const place = await createPlace(kind);
  const store = await place.open();
  await fill(store);
  await store.close();
  assert.deepEqual(await faultsOf(place), [], "a store that is in order has no faults");
  return place;
}

async function assertFound(place: Place, [sql, fault]: (typeof damages)[number]): Promise<void> {
  await place.sql(sql);
  const faults = await faultsOf(place);
  const found = faults.some((sentence) => (typeof fault === "string" ? sentence === fault : fault.test(sentence)));
  assert.ok(found, `${sql}: ${JSON.stringify(faults)}`);
}

test("what does not match its checksum, or its neighbours, is found (sqlite)", async () => {
  await using whole = await filled("sqlite");
  for (const damage of damages) {
    await using place = await copyOf(whole);
    await assertFound(place, damage);
  }
});

test("rows, strays and leases are looked at on PostgreSQL too", async () => {
  for (const damage of [damages[0]!, ...damages.slice(-4)]) {
    await using place = await filled("postgres");
    await assertFound(place, damage);
  }
});

test("the commands tell what is wrong, back up what there is, and restore it only when told", async () => {
  using folder = temporaryFolder();
  await using place = await createPlace("sqlite");
  const store = await place.open();
  await fill(store);
  await store.close();
  await place.sql(damages[0]![0]);
  const run = (...words: string[]) => synod(folder.path, words, 60_000);
  const verified = await run("verify", system, "--store", place.url);
  assert.deepEqual([verified.code, verified.stdout], [1, ""]);
  assert.equal(verified.stderr, `damaged: ${String(damages[0]![1])}\nsynod: 1 faults were found.\n`);
  const backup = await run("backup", system, "one.backup", "--store", place.url);
  assert.equal(backup.code, 1);
  assert.match(backup.stdout, /^Backed up 2 states/);
  assert.equal(backup.stderr, verified.stderr);
  const elsewhere = ["restore", system, "one.backup", "--store", `sqlite:${folder.path}/other.db`];
  const restored = await run(...elsewhere);
  assert.equal(restored.code, 1);
  assert.match(
    restored.stderr,
    /was taken of a damaged store \(the state of account\/"alice" does not match.*--damaged/,
  );
  const asItIs = await run(...elsewhere, "--damaged", "--json");
  assert.equal(asItIs.code, 0, asItIs.stderr);
  assert.equal((JSON.parse(asItIs.stdout) as { faultsLength: number }).faultsLength, 1, "the damage is still found");
});

test("a damaged page of SQLite is found, and verify wants to know what to look at", async () => {
  using folder = temporaryFolder();
  await using place = await filled("sqlite");
  assert.ok(place.location.kind === "sqlite");
  const bytes = readFileSync(place.location.path);
  // The header of the b-tree in every page but the first, which has the schema.
  for (let page = 4096; page < bytes.length; page += 4096) bytes.fill(0xff, page, page + 8);
  writeFileSync(place.location.path, bytes);
  const damaged = await synod(folder.path, ["verify", system, "--store", place.url]);
  assert.equal(damaged.code, 1);
  assert.match(damaged.stderr, /store\.db is damaged \(.*\): restore it from a backup/);
  const { code, stderr } = await synod(folder.path, ["verify"]);
  assert.deepEqual([code, stderr], [2, "synod: Say what to verify: a system, for its store, or --backup FILE.\n"]);
});
