/** What a SQLite store says when it cannot be opened: one sentence that names the file and what to do. */
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { randomBytes } from "node:crypto";
import { existsSync } from "node:fs";
import { chmod, readFile, truncate, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import test from "node:test";
import { fileURLToPath } from "node:url";
import { openSqliteStore } from "../../src/adapters/sqlite/store.ts";
import { lock, temporaryFolder } from "./sqlite-database.ts";

const system = "bank";

/** A store that was made and closed, with whatever is then done to it. */
async function madeStore(folder: { path: string }, change?: (database: DatabaseSync) => void): Promise<string> {
  const path = join(folder.path, "bank.db");
  await (await openSqliteStore({ path, system })).close();
  if (change !== undefined) {
    const database = new DatabaseSync(path);
    change(database);
    database.close();
  }
  return path;
}

async function refused(path: string, message: string, code = "failed_precondition"): Promise<void> {
  await assert.rejects(openSqliteStore({ path, system }), { name: "SynodError", code, message });
}

test("the store of another system is refused, and stays as it is", async () => {
  await using folder = await temporaryFolder();
  const path = await madeStore(folder);
  const before = await readFile(path);
  await assert.rejects(openSqliteStore({ path, system: "shop" }), {
    code: "failed_precondition",
    message: `${path} is the store of the system "bank", not of "shop": choose another path`,
  });
  assert.deepEqual(await readFile(path), before);
});

test("a store of a newer schema, or of one that is no longer read, is refused", async () => {
  await using folder = await temporaryFolder();
  const path = await madeStore(folder, (database) => database.exec("UPDATE meta SET schema = 4"));
  await refused(path, `${path} has schema 4, and this Synod knows 3: use a newer Synod`);
  await madeSchema(path, 0);
  await refused(path, `${path} has schema 0, which this Synod no longer reads: use an older Synod`);
});

async function madeSchema(path: string, schema: number): Promise<void> {
  const database = new DatabaseSync(path);
  database.prepare("UPDATE meta SET schema = ?").run(schema);
  database.close();
}

test("a SQLite file of another program is refused, and stays as it is", async () => {
  await using folder = await temporaryFolder();
  const path = join(folder.path, "photos.db");
  const database = new DatabaseSync(path);
  database.exec("CREATE TABLE photos (photo BLOB)");
  database.close();
  const before = await readFile(path);
  await refused(path, `${path} is a SQLite file of another program: choose another path for the store`);
  assert.deepEqual(await readFile(path), before);
});

test("what is no SQLite file is refused, and stays as it is", async () => {
  await using folder = await temporaryFolder();
  for (const bytes of [Buffer.from("hello"), randomBytes(64 * 1024)]) {
    const path = join(folder.path, `file-${bytes.length}`);
    await writeFile(path, bytes);
    await refused(path, `${path} is not a SQLite file: choose another path for the store, or move the file away`);
    assert.deepEqual(await readFile(path), bytes);
  }
});

test("an empty file becomes a store", async () => {
  await using folder = await temporaryFolder();
  const path = join(folder.path, "empty");
  await writeFile(path, "");
  const store = await openSqliteStore({ path, system });
  assert.equal(store.identity.system, system);
  await store.close();
});

test("a file that is damaged is data loss", async () => {
  await using folder = await temporaryFolder();
  const path = await madeStore(folder);
  await truncate(path, 8 * 1024);
  await refused(path, `${path} is damaged (database disk image is malformed): restore it from a backup`, "data_loss");
});

test("a directory, and a path below a file, are refused", async () => {
  await using folder = await temporaryFolder();
  await refused(folder.path, `${folder.path} is a directory: name a file in it, such as ${folder.path}/store.db`);
  const file = join(folder.path, "file");
  await writeFile(file, "");
  const below = join(file, "bank.db");
  await refused(below, `${below} cannot be created, because its folder cannot (EEXIST): choose another path`);
});

test("a store that is read-only for this user is refused, the file or its folder", async () => {
  await using folder = await temporaryFolder();
  await chmod(folder.path, 0o755);
  const path = await madeStore(folder);
  await chmod(path, 0o444);
  const asNobody = process.getuid?.() === 0 ? { uid: 65_534, gid: 65_534 } : {};
  const program = fileURLToPath(new URL("./sqlite-open.ts", import.meta.url));
  const attempt = (place: string): string => {
    const { stdout, stderr } = spawnSync(process.execPath, [program, place, system], { ...asNobody, encoding: "utf8" });
    return stdout + stderr;
  };
  assert.equal(
    attempt(path),
    `failed_precondition: ${path} is read-only: make it writable for this user, or choose another path\n`,
  );
  await chmod(path, 0o666);
  await chmod(folder.path, 0o555);
  assert.equal(
    attempt(path),
    `failed_precondition: ${path} needs two more files beside it, but ${folder.path} is read-only: make it writable\n`,
  );
  await chmod(folder.path, 0o755);
});

test("a store that another process keeps locked is unavailable after a while", async () => {
  await using folder = await temporaryFolder();
  const path = await madeStore(folder);
  const unlock = await lock(path);
  try {
    await refused(path, `${path} is locked by another process: end it, or try again`, "unavailable");
  } finally {
    await unlock();
  }
  await (await openSqliteStore({ path, system })).close();
});

test("many processes that create one store at the same time open the same store", async () => {
  await using folder = await temporaryFolder();
  const path = join(folder.path, "new", "bank.db");
  const stores = await Promise.all(Array.from({ length: 4 }, () => openSqliteStore({ path, system })));
  for (const { identity } of stores) assert.deepEqual(identity, stores[0]?.identity);
  await Promise.all(stores.map((store) => store.close()));
  assert.ok(existsSync(path));
  assert.ok(!existsSync(`${path}-wal`), "the last to close leaves one file");
});
