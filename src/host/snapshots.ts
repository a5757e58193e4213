/** Snapshots of stores of every kind, and the way back: what `synod backup`, `restore` and `verify` work with. */
import { dirname } from "node:path";
import { restoreSqlite } from "../adapters/sqlite/restore.ts";
import { openSqliteSnapshot } from "../adapters/sqlite/snapshot.ts";
import { SynodError } from "../errors.ts";
import type { RestoredFacts, RestoreOptions, SnapshotFacts, SnapshotRow, StoreSnapshot } from "../ports/snapshot.ts";
import type { Member } from "../ports/store.ts";
import { openStore, type StoreLocation, storeName } from "./store-location.ts";
import { pause } from "./within.ts";

/** More than a lease lasts (2 s): who has not renewed by then is dead, or will be refused. */
const watchMs = 2_500;
const lookMs = 100;

/** `folder` is where a store that has to be copied first is copied to; beside the store when it is absent. */
export async function openSnapshot(location: StoreLocation, system: string, folder?: string): Promise<StoreSnapshot> {
  if (location.kind === "sqlite") {
    const { path } = location;
    return await openSqliteSnapshot({ path, system, folder: folder ?? dirname(path) });
  }
  if (location.kind === "memory") throw inMemory();
  const { openPostgresSnapshot } = await import("../adapters/postgres/snapshot.ts");
  return await openPostgresSnapshot(location, system);
}

/** Rejects when nodes run on the store, or when it is not empty and not to be overwritten. */
export async function restoreStore(
  location: StoreLocation,
  facts: SnapshotFacts,
  rows: AsyncIterable<readonly SnapshotRow[]>,
  options: RestoreOptions,
): Promise<RestoredFacts> {
  if (location.kind === "memory") throw inMemory();
  await refuseRunning(location, facts.system).catch((error: unknown) => {
    // Nobody is answered by a node on PostgreSQL that has lost commits; a restore is one way out of that.
    const hasLost = location.kind === "postgres" && error instanceof SynodError && error.code === "data_loss";
    if (!hasLost) throw error;
  });
  if (location.kind === "sqlite") return await restoreSqlite(location.path, facts, rows, options);
  const { restorePostgres } = await import("../adapters/postgres/restore.ts");
  return await restorePostgres(location, facts, rows, options);
}

/** Nothing would be lost by running nodes: their leases end. But whoever restores did not mean to. */
async function refuseRunning(location: StoreLocation, system: string): Promise<void> {
  const store = await openStore(location, system);
  try {
    const before = new Map((await store.view()).members.map((member) => [member.incarnation, member]));
    const started = performance.now();
    const isAlive = ({ incarnation, renewals }: Member): boolean => before.get(incarnation)?.renewals !== renewals;
    while (before.size > 0 && performance.now() - started < watchMs) {
      await pause(lookMs);
      const alive = (await store.view()).members.find(isAlive);
      if (alive === undefined) continue;
      const message = `${alive.node} runs on ${storeName(location)}: stop the system before it is restored`;
      throw new SynodError("failed_precondition", message);
    }
  } finally {
    await store.close();
  }
}

function inMemory(): SynodError {
  const message = "A store in memory ends with its process: name the one that is meant by --store.";
  return new SynodError("invalid_argument", message);
}
