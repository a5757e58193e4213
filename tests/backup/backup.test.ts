/** Backups: what is in them, what a restore makes of them on either kind of store, and what is refused. */
import assert from "node:assert/strict";
import { readdirSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { test } from "node:test";
import { Check } from "../../src/backup/check.ts";
import { openBackup, writeBackup } from "../../src/backup/file.ts";
import { own } from "../../src/conformance/store/fixture.ts";
import { openSnapshot, restoreStore } from "../../src/host/snapshots.ts";
import type { RestoredFacts, SnapshotRow } from "../../src/ports/snapshot.ts";
import type { Store } from "../../src/ports/store.ts";
import { synod, temporaryFolder } from "../host/running-system.ts";
import { aliceAgain, contentOf, createPlace, fill, home, kinds, type Place, system } from "./stores.ts";

const file = "one.backup";

/** Rows without what a restore raises, and in a form that both kinds of stores have. */
function comparable(rows: readonly SnapshotRow[]): unknown[] {
  return rows.map((given) => {
    if (given.kind === "shard") return { ...given, row: { ...given.row, epoch: "raised", sessionNext: "raised" } };
    if (given.kind === "item") return { ...given, row: { ...given.row, holdsTurn: Boolean(given.row.holdsTurn) } };
    return given;
  });
}

async function json(cwd: string, ...words: string[]): Promise<Record<string, unknown>> {
  const { code, stdout, stderr } = await synod(cwd, [...words, "--json"], 60_000);
  assert.equal(code, 0, stderr);
  return JSON.parse(stdout) as Record<string, unknown>;
}

async function backUp(place: Place, path: string): Promise<void> {
  await using snapshot = await openSnapshot(place.location, system, dirname(path));
  await writeBackup(path, { takenAt: 1_700_000_000_000, facts: snapshot.facts }, snapshot.rows());
}

async function restore(place: Place, path: string, overwrite: boolean): Promise<RestoredFacts> {
  const { facts, rows } = await openBackup(path);
  return await restoreStore(place.location, facts, rows(), { overwrite, jump: 2 ** 32 });
}

async function refused(cwd: string, ...words: string[]): Promise<string> {
  const { code, stdout, stderr } = await synod(cwd, words, 60_000);
  assert.deepEqual([code, stdout], [1, ""], stderr);
  return stderr;
}

/** Reads a backup to its end, as every command does before it trusts one. */
async function read(path: string): Promise<void> {
  const { rows } = await openBackup(path);
  for await (const _ of rows());
}

async function within<Answer>(place: Place, use: (store: Store) => Promise<Answer>): Promise<Answer> {
  const store = await place.open();
  try {
    return await use(store);
  } finally {
    await store.close();
  }
}

async function filled(place: Place): Promise<void> {
  await within(place, async (store) => await store.endLease(await fill(store)));
}

for (const from of kinds) {
  for (const to of kinds) {
    test(`a backup of ${from} is restored on ${to}: every row, and nothing is given out twice`, async () => {
      using folder = temporaryFolder();
      await using source = await createPlace(from);
      await using target = await createPlace(to);
      await filled(source);
      await backUp(source, join(folder.path, file));
      assert.deepEqual(readdirSync(folder.path), [file], "nothing is left beside it");
      assert.equal(statSync(join(folder.path, file)).mode & 0o777, 0o600, "it holds the secret of the store");
      const restored = await restore(target, join(folder.path, file), false);
      const [before, after] = [await contentOf(source), await contentOf(target)];
      assert.ok(before.rows.length > 64 + 10, "there is a row of everything");
      assert.deepEqual(comparable(after.rows), comparable(before.rows));
      const check = new Check(after.facts);
      for (const row of after.rows) check.add(row);
      assert.deepEqual([...check.end().faults, ...after.faults], []);
      assert.deepEqual([after.facts.cluster, after.facts.secret], [before.facts.cluster + 1, before.facts.secret]);
      assert.equal(restored.cluster, after.facts.cluster);
      for (const { kind, row } of after.rows)
        if (kind === "shard") assert.ok(row.epoch > 2 ** 32 && row.sessionNext > 2 ** 32);
      await within(target, async (store) => {
        const owner = await own(store, "account", { number: home });
        assert.ok(owner.incarnation > before.facts.incarnations + 2 ** 32, "an incarnation that nobody ever had");
        assert.equal((await store.commit(aliceAgain(owner))).status, "committed");
      });
    });
  }
}

for (const kind of kinds) {
  test(`a store that is not empty is replaced only when that is said, and who owned it before is fenced (${kind})`, async () => {
    using folder = temporaryFolder();
    await using place = await createPlace(kind);
    await within(place, async (store) => {
      const owner = await fill(store);
      const path = join(folder.path, file);
      await backUp(place, path);
      await store.commit(aliceAgain(owner));
      const before = await contentOf(place);
      const refusal = /holds a store with 2 states: restore into a new one, or say --overwrite to replace/;
      await assert.rejects(restore(place, path, false), refusal);
      assert.deepEqual(await contentOf(place), before, "nothing has changed");
      const epochs = new Set([owner.epoch]);
      for (let time = 1; time <= 2; time++) {
        const restored = await restore(place, path, true);
        assert.equal(restored.cluster, 1 + time);
        assert.ok(restored.epoch > Math.max(...epochs), "epochs never come twice");
        epochs.add(restored.epoch);
      }
      // The node from before is still there, and knows nothing of what has happened.
      assert.equal((await store.commit(aliceAgain(owner))).status, "ended");
      assert.deepEqual(await store.renew({ incarnation: owner.incarnation, draining: false, knownRevision: 0 }), {
        status: "ended",
      });
      const { incarnation } = await own(store, "account", { number: home });
      assert.ok(incarnation > 2 ** 32, "it joins again as somebody else");
      const [record] = await store.read([{ kind: "record", shard: owner.shard, id: "later" }]);
      assert.deepEqual(record, { kind: "record", record: null }, "what came after the backup is gone");
    });
  });
}

test("a store that has lost commits is replaced by a backup, and is in order then", async () => {
  using folder = temporaryFolder();
  await using place = await createPlace("postgres");
  await filled(place);
  const path = join(folder.path, file);
  await backUp(place, path);
  const before = await contentOf(place);
  await place.sql("UPDATE meta SET lost = 'some are gone'");
  await assert.rejects(place.open(), { code: "data_loss" });
  await assert.rejects(restore(place, path, false), /say --overwrite/);
  await restore(place, path, true);
  assert.deepEqual(comparable((await contentOf(place)).rows), comparable(before.rows));
  await within(place, async (store) => {
    const owner = await own(store, "account", { number: home });
    assert.equal((await store.commit(aliceAgain(owner))).status, "committed");
  });
});

for (const kind of kinds) {
  test(`a node that has opened a store is not admitted again when that has become another one by a restore (${kind})`, async () => {
    using folder = temporaryFolder();
    await using place = await createPlace(kind);
    await using another = await createPlace(kind);
    await filled(another);
    const path = join(folder.path, file);
    await backUp(another, path);
    await within(place, async (store) => {
      const owner = await fill(store);
      await restore(place, path, true);
      assert.equal((await store.commit(aliceAgain(owner))).status, "ended");
      const request = { node: "node-1", address: null, hosts: [{ service: "account", stateVersion: 1 }] };
      await assert.rejects(store.join(request), {
        code: "failed_precondition",
        message: /has become another store, by a restore, since this node opened it: start the node again/,
      });
      assert.deepEqual((await store.view()).members, [], "nobody waits for it");
    });
    await within(place, async (store) => await own(store, "account", { number: home }));
  });
}

for (const kind of kinds) {
  test(`a snapshot is of one moment: what is committed while it is read is not in it (${kind})`, async () => {
    await using place = await createPlace(kind);
    await within(place, async (store) => {
      const owner = await fill(store);
      await using snapshot = await openSnapshot(place.location, system);
      assert.equal((await store.commit(aliceAgain(owner))).status, "committed");
      const ids: string[] = [];
      for await (const batch of snapshot.rows())
        for (const { kind, row } of batch) if (kind === "record") ids.push(row.id);
      assert.deepEqual(ids.toSorted(), ["opaque", "session-1#00000000007", "timed"]);
    });
  });
}

test("a file that is damaged, cut off, too new or none is refused in one sentence, and the store stays as it was", async () => {
  using folder = temporaryFolder();
  await using place = await createPlace("sqlite");
  await filled(place);
  await json(folder.path, "backup", system, file, "--store", place.url);
  assert.match(
    await refused(folder.path, "backup", system, file, "--store", place.url),
    /one\.backup is there already/,
  );
  const whole = readFileSync(join(folder.path, file), "utf8");
  const lines = whole.trimEnd().split("\n");
  const entity = lines.findIndex((line) => line.startsWith('{"entity"'));
  const without = (at: number): string => `${lines.toSpliced(at, 1).join("\n")}\n`;
  const cases: readonly (readonly [content: string, sentence: RegExp])[] = [
    [whole.replace('"version":1', '"version":2'), /bad\.backup is damaged \(its content does not match its checksum\)/],
    [whole.replace('{"entity"', '{"entita"'), /is damaged \(line \d+ is none of a backup\)/],
    [whole.slice(0, -2), /is damaged \(it breaks off after line \d+\)/],
    [whole.slice(0, whole.length / 2), /is damaged \(it breaks off after line \d+\)/],
    [without(entity), /is damaged \(it has 1 rows of kind entity, and was written with 2\)/],
    [lines.with(-1, '{"end":{}}\n').join("\n"), /is damaged \(its last line does not say what was written\)/],
    [lines.with(-1, '{"end":null}\n').join("\n"), /is damaged \(its last line does not say what was written\)/],
    [`${whole}{}\n`, /is damaged \(it goes on behind its end, in line \d+\)/],
    [whole.replace('"format":1', '"format":2'), /has format 2, and this Synod knows 1: use a newer Synod/],
    ["hello\n", /bad\.backup is no backup of Synod/],
    ["", /bad\.backup is empty/],
  ];
  const before = await contentOf(place);
  for (const [content, sentence] of cases) {
    writeFileSync(join(folder.path, "bad.backup"), content);
    await assert.rejects(read(join(folder.path, "bad.backup")), sentence);
  }
  writeFileSync(join(folder.path, "bad.backup"), cases[0]![0]);
  for (const words of [
    ["restore", system, "bad.backup", "--store", place.url, "--overwrite"],
    ["verify", "--backup", "bad.backup"],
  ])
    assert.match(await refused(folder.path, ...words), cases[0]![1]);
  assert.match(await refused(folder.path, "verify", "--backup", "none.backup"), /There is no backup none\.backup/);
  const wrong = await refused(folder.path, "restore", "shop", file, "--store", `sqlite:${folder.path}/shop.db`);
  assert.match(wrong, /is a backup of the system "bank", not of "shop"/);
  assert.deepEqual(await contentOf(place), before);
});

test("a row that turns bad between the look at a file and its end undoes the whole restore", async () => {
  for (const kind of kinds) {
    await using place = await createPlace(kind);
    await filled(place);
    const before = await contentOf(place);
    const rows = async function* () {
      yield before.rows.slice(0, 70);
      throw new Error("the disk is gone");
    };
    const restoring = restoreStore(place.location, before.facts, rows(), { overwrite: true, jump: 1 });
    await assert.rejects(restoring, /the disk is gone/);
    assert.deepEqual(await contentOf(place), before);
  }
});

test("there is no table that a backup passes over", async () => {
  const rows = ["entities", "floors", "inbox", "journal", "outbox", "records", "shards", "timer_counts", "timers"];
  // Facts are in the first line; members and what they are remembered by mean nothing after the moment.
  const others = { sqlite: ["members", "meta"], postgres: ["members", "meta", "witnesses"] };
  for (const kind of kinds) {
    await using place = await createPlace(kind);
    await filled(place);
    assert.deepEqual(await place.tables(), [...rows, ...others[kind]].toSorted());
  }
});

test("a place without a store is not made one by a backup", async () => {
  using folder = temporaryFolder();
  await using database = await createPlace("postgres");
  const missing = await refused(folder.path, "backup", system, file, "--store", `sqlite:${folder.path}/none.db`);
  assert.match(missing, /There is no store .*none\.db/);
  const nowhere = await refused(folder.path, "backup", system, `nowhere/${file}`, "--store", database.url);
  assert.equal(nowhere, "synod: There is no folder nowhere for the backup: make it, or choose another place.\n");
  assert.match(
    await refused(folder.path, "backup", system, file, "--store", database.url),
    /There is no store in schema/,
  );
  assert.match(
    await refused(folder.path, "verify", system, "--store", "memory:"),
    /A store in memory ends with its process/,
  );
  assert.deepEqual(readdirSync(folder.path), []);
});
