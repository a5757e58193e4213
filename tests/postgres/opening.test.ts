/** Which servers and schemas a store is opened on, and what it says of the others. */
import assert from "node:assert/strict";
import { once } from "node:events";
import { createServer, type Socket } from "node:net";
import { test } from "node:test";
import { openPostgresStore } from "../../src/adapters/postgres/store.ts";
import { commit, own, put } from "../../src/conformance/store/fixture.ts";
import { commitProgress, commitWork, timer, working } from "../../src/conformance/store/pending.ts";
import { SynodError } from "../../src/errors.ts";
import type { Log } from "../../src/ports/log.ts";
import { crowding } from "../host/running-system.ts";
import { createDatabase, serverUrl, type TestDatabase } from "./databases.ts";
import { query, startServer, system } from "./server.ts";

/** A host may take this long to answer; the next one is asked long before. */
const hostSilenceMaxMs = 2_000;
/** Changed settings of a server are in use by then. */
const settingsMaxMs = 5_000;

/** The URL of a user for whom a setting is another one. */
async function userWith(database: TestDatabase, setting: string): Promise<string> {
  const user = `user_${database.schema}_${setting.replaceAll(/\W/g, "")}`.slice(0, 63);
  await database.query(`CREATE ROLE ${user} LOGIN SUPERUSER; ALTER ROLE ${user} SET ${setting}`);
  return database.url.replace("//synod@", `//${user}@`);
}

async function dropUsers(database: TestDatabase): Promise<void> {
  const users = await database.query(`SELECT rolname FROM pg_roles WHERE rolname LIKE 'user_${database.schema}_%'`);
  for (const { rolname } of users) await database.query(`DROP OWNED BY ${rolname} CASCADE; DROP ROLE ${rolname}`);
}

function refused(words: RegExp): (error: unknown) => boolean {
  return (error) => {
    assert.ok(error instanceof SynodError, String(error));
    assert.equal(error.code, "failed_precondition");
    assert.match(error.message, words);
    return true;
  };
}

test("a server that would lose what it has acknowledged is refused, unless the URL says that it may", async () => {
  await using database = await createDatabase();
  try {
    const url = await userWith(database, "synchronous_commit = off");
    await assert.rejects(openPostgresStore({ url, system }), refused(/synchronous_commit = off .* unsafe=true/));
    const store = await openPostgresStore({ url: `${url}&unsafe=true`, system });
    await store.close();
  } finally {
    await dropUsers(database);
  }
});

/** What can only be said of a whole server. */
const dangers: readonly (readonly [setting: string, value: string, words: RegExp])[] = [
  ["fsync", "off", /fsync = off .* when its machine crashes/],
  ["full_page_writes", "off", /full_page_writes = off .* when its machine crashes/],
  ["synchronous_standby_names", "'standby_1'", /synchronous_commit = local .* when a standby takes over/],
];

test("a server that does not sync, cannot mend torn pages, or does not wait for its standbys is refused, and taken when it does", async () => {
  await using server = await startServer();
  await using database = await createDatabase(server.url);
  const url = await userWith(database, "synchronous_commit = local");
  await (await openPostgresStore({ url, system })).close();
  const change = async (text: string): Promise<void> => {
    await query(`${server.url}/postgres`, `ALTER SYSTEM ${text}`);
    await database.query("SELECT pg_reload_conf()");
  };
  for (const [setting, value, words] of dangers) {
    await change(`SET ${setting} = ${value}`);
    await assert.rejects(untilRefused(url), refused(words));
    // Or dropping the schema would wait for a standby.
    await change(`RESET ${setting}`);
  }
  await untilTaken(url);
  await dropUsers(database);
});

/** Opens the store again and again, because a server reads its settings some moments later; rejects when it is refused. */
async function untilRefused(url: string): Promise<void> {
  for (const end = performance.now() + settingsMaxMs; performance.now() < end; ) {
    await (await openPostgresStore({ url, system })).close();
  }
}

async function untilTaken(url: string): Promise<void> {
  const end = performance.now() + settingsMaxMs;
  for (;;) {
    try {
      return await (await openPostgresStore({ url, system })).close();
    } catch (error) {
      if (performance.now() > end) throw error;
    }
  }
}

test("transactions that begin otherwise than the fence needs are refused, whatever the URL says", async () => {
  await using database = await createDatabase();
  try {
    for (const [setting, words] of [
      ["default_transaction_isolation = 'repeatable read'", /default_transaction_isolation/],
      ["default_transaction_read_only = on", /default_transaction_read_only/],
    ] as const) {
      const url = `${await userWith(database, setting)}&unsafe=true`;
      await assert.rejects(openPostgresStore({ url, system }), refused(words));
    }
  } finally {
    await dropUsers(database);
  }
});

test("the store of another system, and one of a newer form, are refused and left as they are", async () => {
  await using database = await createDatabase();
  const { url } = database;
  const store = await openPostgresStore({ url, system });
  await store.close();
  await assert.rejects(openPostgresStore({ url, system: "other" }), refused(/the store of the system "conformance"/));
  await database.query("UPDATE meta SET schema = 99");
  await assert.rejects(openPostgresStore({ url, system }), refused(/has form 99/));
});

test("a store of form 1 becomes one of the present form, by whoever comes first, and keeps what is in it", async () => {
  await using database = await createDatabase();
  const { url } = database;
  const store = await openPostgresStore({ url, system });
  const owner = await own(store, "bell");
  const dueTimer = timer(1, "alice");
  await commitWork(store, owner, working("alice", 0, { timersSet: [dueTimer] }));
  await database.query(`
    DROP TABLE timer_counts; ALTER TABLE members DROP COLUMN known_as; UPDATE meta SET schema = 1;
    CREATE OR REPLACE FUNCTION write_timers(ids integer[], p_work json) RETURNS void LANGUAGE plpgsql AS 'BEGIN RETURN; END';
    CREATE OR REPLACE FUNCTION write_progress(ids integer[], p_work json) RETURNS void LANGUAGE plpgsql AS 'BEGIN RETURN; END'`);
  const opened = await Promise.all(Array.from({ length: 4 }, () => openPostgresStore({ url, system })));
  try {
    assert.deepEqual(await database.query("SELECT schema FROM meta"), [{ schema: 4 }]);
    // The node that had it open before goes on.
    await commitProgress(store, owner, { timersCounted: [{ key: "alice", name: "hold", generation: 1, attempts: 3 }] });
    const read = { kind: "timers", shard: owner.shard, after: null, limit: 9 } as const;
    const page = { rows: [{ ...dueTimer, attempts: 3 }], damaged: [], next: null };
    assert.deepEqual(await opened[3]!.read([read]), [{ kind: "timers", page }]);
    await commitWork(store, owner, working("alice", 0, { timersCleared: ["hold"] }));
    assert.deepEqual(await database.query("SELECT * FROM timer_counts"), []);
  } finally {
    await Promise.all([store, ...opened].map((each) => each.close()));
  }
});

test("a server that cannot be reached, and a password that is wrong, are told without the password", async () => {
  const url = "postgres://synod:geheim@127.0.0.1:1/bank";
  await assert.rejects(openPostgresStore({ url, system }), (error) => {
    assert.ok(error instanceof SynodError && error.code === "unavailable");
    assert.match(error.message, /127\.0\.0\.1:1\/bank cannot be reached/);
    assert.ok(!JSON.stringify([error.message, String(error.cause)]).includes("geheim"));
    return true;
  });
});

/** Hears that a store is waited for. */
function listener(): { readonly log: Log; readonly waiting: Promise<void> } {
  const waiting = Promise.withResolvers<void>();
  const warn = (message: string): void =>
    void (/^waiting for postgres.* at the most$/.test(message) && waiting.resolve());
  return { log: { debug() {}, info() {}, warn, error() {} }, waiting: waiting.promise };
}

test("a server that is down is waited for by who has the patience, and found when it has started", async () => {
  await using server = await startServer();
  await server.kill();
  const { log, waiting } = listener();
  const opening = openPostgresStore({ url: `${server.url}/postgres`, system, log, patience: { forMs: 60_000 } });
  await waiting;
  await server.start();
  await (await opening).close();
});

test("the waiting for a server ends when it is told to", async () => {
  const { log, waiting } = listener();
  const gaveUp = new AbortController();
  const patience = { forMs: 3_600_000, signal: gaveUp.signal };
  const opening = openPostgresStore({ url: "postgres://synod@127.0.0.1:1/bank", system, log, patience });
  void waiting.then(() => gaveUp.abort());
  await assert.rejects(opening, /cannot be reached/);
});

test("a database that does not exist is not waited for", async () => {
  const url = `${await serverUrl()}/nowhere`;
  await assert.rejects(openPostgresStore({ url, system, patience: { forMs: 3_600_000 } }), /"nowhere" does not exist/);
});

test("a host that takes connections and says nothing costs a moment, not the time that it is given", async () => {
  await using database = await createDatabase();
  const silent = createServer().listen(0, "127.0.0.1");
  await once(silent, "listening");
  const { port } = silent.address() as { port: number };
  const held = new Set<Socket>();
  silent.on("connection", (socket) => held.add(socket.on("error", () => {})));
  const started = performance.now();
  const store = await openPostgresStore({ url: database.url.replace("@", `@127.0.0.1:${port},`), system });
  const tookMs = performance.now() - started;
  await store.close();
  for (const socket of held) socket.destroy();
  silent.close();
  assert.ok(held.size > 0, "it was asked");
  assert.ok(tookMs < hostSilenceMaxMs * Math.max(1, crowding()), `it took ${tookMs} ms`);
});

test("a server that wants a password where there is none ends the start at once, with where to put one", async () => {
  // SCRAM as far as the client has to know a password: PostgreSQL's protocol 3.0, "SASL Authentication".
  const steps = [authentication(10, "SCRAM-SHA-256\0\0"), authentication(11, "r=nonce,s=c2FsdA==,i=4096")];
  const asking = createServer((socket) => {
    const left = [...steps];
    socket.on("error", () => {}).on("data", () => void socket.write(left.shift() ?? ""));
  }).listen(0, "127.0.0.1");
  await once(asking, "listening");
  const { port } = asking.address() as { port: number };
  const patience = { forMs: 60_000, signal: AbortSignal.timeout(hostSilenceMaxMs * 5) };
  const started = performance.now();
  await assert.rejects(
    openPostgresStore({ url: `postgres://bank@127.0.0.1:${port}/bank`, system, patience }),
    /the server wants a password, and there is none; put it into the store URL, PGPASSWORD or ~\/\.pgpass/,
  );
  assert.ok(!patience.signal.aborted, `it was waited for, ${performance.now() - started} ms`);
  asking.close();
});

/** A message of kind `R`: length, what is asked for, and its data. */
function authentication(kind: number, data: string): Buffer {
  const message = Buffer.alloc(9 + Buffer.byteLength(data));
  message.write("R");
  message.writeInt32BE(message.length - 1, 1);
  message.writeInt32BE(kind, 5);
  message.write(data, 9);
  return message;
}

test("nodes that open a new store at the same moment all find one store", async () => {
  await using database = await createDatabase();
  const stores = await Promise.all(Array.from({ length: 6 }, () => openPostgresStore({ url: database.url, system })));
  const secrets = new Set(stores.map(({ identity }) => Buffer.from(identity.secret).toString("hex")));
  assert.equal(secrets.size, 1);
  for (const store of stores) await store.close();
});

test("state is read with SQL by the view states", async () => {
  await using database = await createDatabase();
  const store = await openPostgresStore({ url: database.url, system });
  const owner = await own(store, "account", { number: 7 });
  await commit(store, owner, { ...put("alice", 0, 3), state: '{"balance":42}' });
  const rows = await database.query(
    "SELECT service, shard, key, (state ->> 'balance')::integer AS balance, version::integer FROM states",
  );
  assert.deepEqual(rows, [{ service: "account", shard: 7, key: "alice", balance: 42, version: 3 }]);
  await store.close();
});
