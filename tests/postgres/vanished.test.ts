/** A host that is gone with its machine or its network: nothing comes back, not even that the connection is closed. */
import assert from "node:assert/strict";
import { once } from "node:events";
import { type AddressInfo, connect, createServer, type Socket } from "node:net";
import { test } from "node:test";
import { readPostgresUrl } from "../../src/adapters/postgres/location.ts";
import { openPostgresSnapshot } from "../../src/adapters/postgres/snapshot.ts";
import { openPostgresStore } from "../../src/adapters/postgres/store.ts";
import { commit, own, put, readRow } from "../../src/conformance/store/fixture.ts";
import { crowding } from "../host/running-system.ts";
import { createDatabase } from "./databases.ts";
import { system } from "./server.ts";

const closeMaxMs = 2_000;

interface Road extends AsyncDisposable {
  /** The same database, by this road. */
  readonly url: string;
  /** From now on nothing arrives at either end, and no connection ends. */
  vanish(): void;
}

async function roadTo(databaseUrl: string): Promise<Road> {
  const to = new URL(databaseUrl);
  const ends = new Set<Socket>();
  const server = createServer({ allowHalfOpen: true }, (near) => {
    const far = connect({ host: to.hostname, port: Number(to.port), allowHalfOpen: true });
    for (const end of [near, far]) ends.add(end.on("error", () => {}));
    near.pipe(far).pipe(near);
  }).listen(0, "127.0.0.1");
  await once(server, "listening");
  const url = databaseUrl.replace(to.host, `127.0.0.1:${(server.address() as AddressInfo).port}`);
  const vanish = (): void => {
    for (const end of ends) end.unpipe().pause();
  };
  const remove = async (): Promise<void> => {
    for (const end of ends) end.destroy();
    server.close();
    await once(server, "close");
  };
  return { url, vanish, [Symbol.asyncDispose]: remove };
}

async function assertQuick(what: string, close: () => PromiseLike<unknown>): Promise<void> {
  const allowedMs = closeMaxMs * Math.max(1, crowding());
  const late = Promise.withResolvers<"late">();
  const timer = setTimeout(() => late.resolve("late"), allowedMs);
  const ended = await Promise.race([Promise.resolve(close()).then(() => "closed"), late.promise]);
  clearTimeout(timer);
  assert.equal(ended, "closed", `${what} is closed within ${allowedMs} ms`);
}

test("a store is closed in time when its server has vanished without a word", async () => {
  await using database = await createDatabase();
  await using road = await roadTo(database.url);
  const store = await openPostgresStore({ url: road.url, system });
  const owner = await own(store, "account");
  await commit(store, owner, put("alice", 0, 1));
  await readRow(store, owner.shard, "alice");
  road.vanish();
  await assertQuick("the store", () => store.close());
});

test("so is a snapshot", async () => {
  await using database = await createDatabase();
  await (await openPostgresStore({ url: database.url, system })).close();
  await using road = await roadTo(database.url);
  const snapshot = await openPostgresSnapshot(readPostgresUrl(road.url, system), system);
  road.vanish();
  await assertQuick("the snapshot", () => snapshot[Symbol.asyncDispose]());
});
