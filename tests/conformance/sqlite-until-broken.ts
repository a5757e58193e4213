/** A program that commits until the store breaks, and says how, and what it answers afterwards. */
import { openSqliteStore } from "../../src/adapters/sqlite/store.ts";
import { SynodError } from "../../src/errors.ts";
import type { CommitResult } from "../../src/ports/store.ts";

const shard = { service: "account", number: 0 };
const state = JSON.stringify("x".repeat(64 * 1024));

const store = await openSqliteStore({ path: process.argv[2]!, system: "bank" });
await store.join({ node: "node", address: null, hosts: [{ service: shard.service, stateVersion: 1 }] });
await store.claim({ incarnation: 1, shards: [shard], expired: [] });

const commit = (key: string): Promise<CommitResult> => {
  const entity = { key, expectedVersion: 0, version: 1, stateVersion: 1, state, records: [], work: null };
  const changes = { shard, epoch: 1, entities: [entity], floors: [], sessionNext: null, progress: null };
  return store.commit({ incarnation: 1, shards: [changes] });
};
const facts = ({ code, outcome, message }: SynodError) => ({ code, outcome, message });
const failure = async (attempt: Promise<unknown>) => {
  const error = await attempt.catch((thrown: unknown) => thrown);
  return error instanceof SynodError ? facts(error) : error;
};

let committed = 0;
let last = await commit("key-0");
while (last.status === "committed" && committed < 200) last = await commit(`key-${++committed}`);
const afterwards = {
  commit: await failure(commit("late")),
  renew: await failure(store.renew({ incarnation: 1, draining: false, knownRevision: 0 })),
  read: await failure(store.read([{ kind: "entity", shard, key: "key-0" }])),
  view: await failure(store.view()),
};
await store.close();
console.log(
  JSON.stringify({ committed, last: "error" in last ? { ...last, error: facts(last.error) } : last, afterwards }),
);
