/** SQLite databases for tests: in folders of their own, which go when the test is over. */
import { execFileSync, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { fileURLToPath } from "node:url";
import { openSqliteStore } from "../../src/adapters/sqlite/store.ts";
import type { SmallStoreUnderTest, StoreUnderTest } from "../../src/conformance/index.ts";

export const system = "conformance";

/** A folder that goes with its scope. */
export async function temporaryFolder(): Promise<AsyncDisposable & { readonly path: string }> {
  const path = await mkdtemp(join(tmpdir(), "synod-sqlite-"));
  return { path, [Symbol.asyncDispose]: async () => await rm(path, { recursive: true, force: true }) };
}

export async function createDatabase(): Promise<StoreUnderTest> {
  const folder = await temporaryFolder();
  const path = join(folder.path, "store.db");
  return {
    location: path,
    open: async () => await openSqliteStore({ path, system }),
    lock: async () => await lock(path),
    remove: async () => await folder[Symbol.asyncDispose](),
  };
}

/** Makes the file a store of schema 1, whose first member owns both shards; `sqlite-migration.test.ts` knows what is in it. */
export async function oldStore(path: string): Promise<void> {
  const database = new DatabaseSync(path);
  database.exec(await readFile(new URL("./schema-1.sql", import.meta.url), "utf8"));
  database.close();
}

/** Holds the write lock in another process until the answer is called. */
export async function lock(path: string): Promise<() => Promise<void>> {
  const program = fileURLToPath(new URL("./sqlite-lock.ts", import.meta.url));
  const child = spawn(process.execPath, [program, path], { stdio: ["pipe", "pipe", "inherit"] });
  await once(child.stdout, "data");
  return async () => {
    const exited = once(child, "exit");
    child.stdin.end();
    await exited;
  };
}

const smallBytes = 1024 * 1024;

/** A real disk that is nearly full where this user may mount one, else a store that may not grow. */
export async function createSmallDatabase(): Promise<SmallStoreUnderTest> {
  return (await createOnSmallDisk()) ?? (await createLimited());
}

/** A database on a file system of a megabyte; undefined where this user may not mount one. */
async function createOnSmallDisk(): Promise<SmallStoreUnderTest | undefined> {
  const folder = await temporaryFolder();
  if (!mount("-t", "tmpfs", "-o", `size=${smallBytes}`, "tmpfs", folder.path)) {
    await folder[Symbol.asyncDispose]();
    return undefined;
  }
  const path = join(folder.path, "store.db");
  return {
    open: async () => await openSqliteStore({ path, system }),
    grow: async () => void mount("-o", `remount,size=${64 * smallBytes}`, folder.path),
    remove: async () => {
      execFileSync("umount", [folder.path]);
      await folder[Symbol.asyncDispose]();
    },
  };
}

function mount(...options: string[]): boolean {
  try {
    execFileSync("mount", options, { stdio: "ignore" });
    return true;
  } catch {
    return false;
  }
}

/** A database that may not grow beyond a megabyte. */
async function createLimited(): Promise<SmallStoreUnderTest> {
  const folder = await temporaryFolder();
  const path = join(folder.path, "store.db");
  let limit: { bytesMax?: number } = { bytesMax: smallBytes };
  return {
    open: async () => await openSqliteStore({ path, system, ...limit }),
    grow: async () => {
      limit = {};
    },
    remove: async () => await folder[Symbol.asyncDispose](),
  };
}
