/** Stores of both kinds for tests of backups: filled with a row of everything, read as snapshots, and damaged with SQL. */
import assert from "node:assert/strict";
import { copyFileSync } from "node:fs";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { callOf, changes, note, type Owner, own, put, record } from "../../src/conformance/store/fixture.ts";
import { entry, item, message, progressOf, timer, working } from "../../src/conformance/store/pending.ts";
import { openSnapshot } from "../../src/host/snapshots.ts";
import { openStore, parseStoreUrl, type StoreLocation } from "../../src/host/store-location.ts";
import type { SnapshotFacts, SnapshotRow } from "../../src/ports/snapshot.ts";
import type { CommitBatch, Store } from "../../src/ports/store.ts";
import { shardOf } from "../../src/values/hash.ts";
import { temporaryFolder } from "../conformance/sqlite-database.ts";
import { createDatabase } from "../postgres/databases.ts";

export const system = "bank";
export const kinds = ["sqlite", "postgres"] as const;
export type Kind = (typeof kinds)[number];

export interface Place extends AsyncDisposable {
  readonly url: string;
  readonly location: StoreLocation;
  open(): Promise<Store>;
  /** As an administrator would, behind Synod's back. */
  sql(text: string): Promise<void>;
  tables(): Promise<readonly string[]>;
}

/** Another store like one on SQLite that nobody has open. */
export async function copyOf({ location }: Place): Promise<Place> {
  assert.ok(location.kind === "sqlite");
  const copy = await createPlace("sqlite");
  assert.ok(copy.location.kind === "sqlite");
  copyFileSync(location.path, copy.location.path);
  return copy;
}

/** Room for a store of that kind. */
export async function createPlace(kind: Kind): Promise<Place> {
  if (kind === "sqlite") {
    const folder = await temporaryFolder();
    const path = join(folder.path, "store.db");
    const sql = async (text: string): Promise<void> => {
      const database = new DatabaseSync(path, { timeout: 5_000 });
      database.exec(text);
      database.close();
    };
    const tables = async (): Promise<readonly string[]> => {
      const database = new DatabaseSync(path);
      const rows = database.prepare("SELECT name FROM sqlite_schema WHERE type = 'table' ORDER BY name").all();
      database.close();
      return rows.map(({ name }) => String(name));
    };
    return placeAt(`sqlite:${path}`, { sql, tables }, async () => await folder[Symbol.asyncDispose]());
  }
  const database = await createDatabase();
  const sql = async (text: string): Promise<void> => void (await database.query(text));
  const tables = async (): Promise<readonly string[]> => {
    const rows = await database.query(
      "SELECT tablename AS name FROM pg_tables WHERE schemaname = current_schema() ORDER BY 1",
    );
    return rows.map(({ name }) => String(name));
  };
  return placeAt(database.url, { sql, tables }, async () => await database[Symbol.asyncDispose]());
}

function placeAt(url: string, behind: Pick<Place, "sql" | "tables">, remove: () => Promise<void>): Place {
  const location = parseStoreUrl(url, system);
  const open = () => openStore(location, system);
  return { url, location, open, ...behind, [Symbol.asyncDispose]: remove };
}

const shards = 64;
export const home: number = shardOf("account", "alice", shards);
/** Another key in alice's shard. */
const neighbour: string = keyBeside();

function keyBeside(): string {
  for (let number = 0; ; number++) {
    const key = `neighbour-${number}`;
    if (shardOf("account", key, shards) === home) return key;
  }
}

/** A store in which there is a row of everything; answers who owns it. */
export async function fill(store: Store): Promise<Owner> {
  const owner = await own(store, "account", { number: home });
  const timed = record("timed", { finishedAt: 1_700_000_000_500, keyTime: 1_700_000_000_400 });
  await commit(store, owner, {
    entities: [
      put("alice", 0, 1, [record("opaque", { finishedAt: 1_700_000_000_000 }), timed, callOf("session-1", 7)]),
      { ...put(neighbour, 0, 1), state: '{"name":"Zoë 🦊 \\"x\\""}' },
    ],
    floors: [{ session: "session-1", floor: 9, open: [7, 8] }],
  });
  await commit(store, owner, {
    entities: [
      working("alice", 1, {
        accepted: [item(1, "alice"), item(2, "alice", { input: null, call: null, keyTime: null })],
      }),
      working(neighbour, 1, {
        sent: [message(3, neighbour), message(4, neighbour, { target: null, input: null, traceparent: null })],
        timersSet: [timer(5, neighbour), timer(6, neighbour, { name: "delayed", service: "receiver", target: "bob" })],
      }),
    ],
    sessionNext: 10,
  });
  const journal = [entry("z-first"), entry("a-second", '{"ok":true}')];
  const item1 = { number: 1, attempts: 2, parked: '{"code":"internal"}', holdsTurn: true, journal };
  const tried = { key: neighbour, name: "delayed", generation: 6, attempts: 2 };
  await commit(store, owner, { progress: progressOf({ items: [item1], timersCounted: [tried] }) });
  return owner;
}

async function commit(store: Store, owner: Owner, rest: Partial<CommitBatch["shards"][number]>): Promise<void> {
  const result = await store.commit({ incarnation: owner.incarnation, shards: [{ ...changes(owner), ...rest }] });
  assert.equal(result.status, "committed", JSON.stringify(result));
}

/** A change of alice after {@link fill}. */
export function aliceAgain(owner: Owner): CommitBatch {
  return { incarnation: owner.incarnation, shards: [changes(owner, note("alice", 1, [record("later")]))] };
}

/** All that is in a store. */
export async function contentOf(
  place: Place,
): Promise<{ facts: SnapshotFacts; rows: SnapshotRow[]; faults: readonly string[] }> {
  await using snapshot = await openSnapshot(place.location, system);
  const rows: SnapshotRow[] = [];
  for await (const batch of snapshot.rows()) rows.push(...batch);
  return { facts: snapshot.facts, rows, faults: await snapshot.faults() };
}
