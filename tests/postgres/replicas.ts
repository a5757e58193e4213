/** A primary with standbys, and what a manager of such servers does when it dies: it promotes the one that has most. */
import assert from "node:assert/strict";
import { until } from "../host/running-system.ts";
import { following, type PostgresServer, query, type ServerHost, startServer, thisHost } from "./server.ts";

const followMaxMs = 20_000;
/** A standby that has lost its primary looks for it, or for the next one, this often. */
const retry = "wal_retrieve_retry_interval=100ms";

export interface Replicas extends AsyncDisposable {
  readonly primary: PostgresServer;
  readonly standbys: readonly PostgresServer[];
  /** With all of the servers, the primary first. */
  readonly url: string;
  /** Promotes the standby that has received most, and lets the others follow it; resolves when it may be written to. */
  promote(): Promise<PostgresServer>;
}

/** A primary and `count` standbys. `names` is `synchronous_standby_names` of every server: "" for standbys that nobody waits for. */
export async function startReplicas(
  count: number,
  names: string,
  hosts: readonly ServerHost[] = Array<ServerHost>(count + 1).fill(thisHost),
): Promise<Replicas> {
  const primary = await startServer([retry, `synchronous_standby_names=${names}`], hosts[0]);
  let standbys: readonly PostgresServer[] = [];
  const stop = async (): Promise<void> => {
    for (const server of [primary, ...standbys]) await server[Symbol.asyncDispose]();
  };
  try {
    standbys = await primary.follow(hosts.slice(1));
    await until("the standbys follow", () => isFollowed(primary, count), followMaxMs);
  } catch (error) {
    await stop();
    throw error;
  }
  const all = [primary, ...standbys].map(({ address, port }) => `${address}:${port}`).join();
  const url = `postgres://synod@${all}/postgres`;
  return { primary, standbys, url, promote: () => promote(standbys), [Symbol.asyncDispose]: stop };
}

export async function ask(server: PostgresServer, text: string): Promise<readonly Record<string, unknown>[]> {
  return await query(`${server.url}/postgres`, text);
}

/** Resolves when the standby would show what the primary has written so far. */
export async function caughtUp(primary: PostgresServer, standby: PostgresServer): Promise<void> {
  const [at] = await ask(primary, "SELECT pg_current_wal_flush_lsn()::text AS lsn");
  const shown = `SELECT 1 WHERE pg_last_wal_replay_lsn() >= '${at?.lsn}'`;
  await until("the standby has all of it", async () => (await ask(standby, shown)).length > 0);
}

async function isFollowed(server: PostgresServer, count: number): Promise<boolean> {
  return (await ask(server, "SELECT 1 FROM pg_stat_replication WHERE state = 'streaming'")).length === count;
}

async function promote(standbys: readonly PostgresServer[]): Promise<PostgresServer> {
  const received = await Promise.all(
    standbys.map(async (server) => {
      const [row] = await ask(server, "SELECT pg_last_wal_receive_lsn() - '0/0'::pg_lsn AS bytes");
      return Number(row?.bytes ?? 0);
    }),
  );
  const next = standbys[received.indexOf(Math.max(...received))];
  assert.ok(next !== undefined, "there is a standby to promote");
  // Without waiting, because a query that waits can itself hold up what the standby has still to apply.
  await ask(next, "SELECT pg_promote(false)");
  for (const [index, server] of standbys.entries()) {
    if (server === next) continue;
    await ask(server, `ALTER SYSTEM SET primary_conninfo = '${following(next, index + 1)}'`);
    await ask(server, "SELECT pg_reload_conf()");
  }
  const promoted = async () => (await ask(next, "SELECT 1 WHERE pg_is_in_recovery()")).length === 0;
  await until("the standby is promoted", promoted, followMaxMs);
  return next;
}
