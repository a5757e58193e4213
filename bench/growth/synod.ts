/** Synod with what a variant has grown to, 256 commands in flight. */
import { randomUUID } from "node:crypto";
import { existsSync } from "node:fs";
import { copyFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { setTimeout as sleep } from "node:timers/promises";
import { command, defineInterface, defineSystem, implement, startSystem } from "synod";
import { callThrough } from "../../src/host/caller.ts";
import type { Measured, Run, RunOptions } from "../bench.ts";
import { Counter, counter } from "../counter.ts";
import { hostLinkedNode, PatientCalls } from "../linked-node.ts";
import { openPartner, type Serve } from "../partner.ts";
import { processorDetail, processorMicroseconds } from "../processor-time.ts";
import { Window } from "../window.ts";
import { growthVariant } from "./bench.ts";

const inFlight = 256;
const Idle = defineInterface("idle", { operations: { nothing: command() } });
const owning = defineSystem({ name: "bench", services: [counter] });
const asking = defineSystem({ name: "bench", services: [implement(Idle, { operations: { nothing: () => {} } })] });

type Add = (key: string, id: string | undefined) => Promise<{ readonly count: number }>;

/** One of several nodes that share the counters. */
export const serve: Serve = async ({ folder, index }) => {
  const owner = await hostLinkedNode(`owner-${index}`, owning, folder);
  return { address: folder, close: () => owner.stop(1_000) };
};

export const run: Run = (options) =>
  growthVariant(options.variant).nodes === undefined ? runAlone(options) : runOverLinks(options);

async function runAlone(options: RunOptions): Promise<Measured> {
  const { keys, replies } = growthVariant(options.variant);
  const path = join(options.folder, "bench.db");
  await copyFile(await grownFile(dirname(options.folder), keys, replies ?? 0), path);
  await using node = await startSystem(owning, { store: `sqlite:${path}` });
  return await addFor((key, id) => node.to(Counter, key, id === undefined ? {} : { id }).add({ by: 1 }), options);
}

async function runOverLinks(options: RunOptions): Promise<Measured> {
  await using stack = new AsyncDisposableStack();
  const { nodes = 1 } = growthVariant(options.variant);
  for (let index = 0; index < nodes; index++) stack.use(await openPartner(import.meta.url, { ...options, index }));
  const asker = await hostLinkedNode("asker", asking, options.folder);
  stack.defer(() => asker.stop(1_000));
  // Not before the shards have moved to where they belong.
  const owners = (): number => asker.node.status().members.filter(({ shardsOwned }) => shardsOwned > 0).length;
  while (owners() < nodes) await sleep(20);
  const add = (key: string) => callThrough(asker.node.gateway, "bench", Counter, [key]).add({ by: 1 });
  return await addFor((key) => add(key), options);
}

async function addFor(add: Add, options: RunOptions): Promise<Measured> {
  const { keys, replies } = growthVariant(options.variant);
  const window = new Window(options, () => processorMicroseconds());
  const calls = new PatientCalls();
  const idOf = (): string | undefined => (replies === undefined ? undefined : randomUUID());
  const caller = async (): Promise<void> => {
    do {
      const [key, id] = [keyOf(Math.floor(Math.random() * keys)), idOf()];
      await calls.call(() => add(key, id));
    } while (window.completed());
  };
  await Promise.all(Array.from({ length: inFlight }, caller));
  const { completed, perSecond, begun, ended } = window.result;
  return { value: perSecond, details: [processorDetail("command", begun, ended, completed)] };
}

function keyOf(index: number): string {
  return `counter-${index}`;
}

/** A file with so many counters and recorded replies, made once and then copied for each run. */
async function grownFile(folder: string, keys: number, replies: number): Promise<string> {
  const path = join(folder, `grown-${keys}-${replies}.db`);
  if (existsSync(path)) return path;
  const node = await startSystem(owning, { store: `sqlite:${path}` });
  const calls = new PatientCalls();
  let made = 0;
  const caller = async (): Promise<void> => {
    while (made < keys) {
      const key = keyOf(made++);
      await calls.call(() => node.to(Counter, key).add({ by: 1 }));
    }
  };
  await Promise.all(Array.from({ length: inFlight }, caller));
  await node.stop();
  const database = new DatabaseSync(path);
  recordReplies(database, replies);
  database.exec("PRAGMA wal_checkpoint(TRUNCATE)");
  database.close();
  return path;
}

/**
 * Rows as a commit writes them, spread over the shards and over the last hour. Their ids are random, as hashes are;
 * nobody repeats them, so that no reply is ever read.
 */
function recordReplies(database: DatabaseSync, replies: number): void {
  database.exec(`
    PRAGMA synchronous = OFF;
    WITH RECURSIVE n(i) AS (SELECT 1 WHERE ${replies} > 0 UNION ALL SELECT i + 1 FROM n WHERE i < ${replies})
    INSERT INTO records (service, shard, id, input_hash, reply, finished_at, key_time, checksum)
    SELECT 'counter', i % 64, substr(hex(randomblob(22)), 1, 43), substr(hex(randomblob(22)), 1, 43),
      '{"ok":true,"output":{"count":1}}', ${Date.now()} - (i * 3600000 / ${Math.max(1, replies)}), NULL, 0
    FROM n ORDER BY 2, 3;
  `);
}
