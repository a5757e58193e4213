/**
 * A member that behaves worse than any node would: it takes every other lease for expired and all shards for
 * its own, round after round. Several of these at once, in one process or in many, must not be able to make a
 * store accept two owners of a shard at one epoch.
 */
import assert from "node:assert/strict";
import type { ShardId, Store } from "../../ports/store.ts";
import { join, readRow } from "./fixture.ts";
import { message, pendingOf, workOf } from "./pending.ts";

export interface Claimed {
  readonly number: number;
  readonly epoch: number;
  readonly sessionNext: number;
  readonly incarnation: number;
}

export interface Accepted extends Claimed {
  /** The version that the commit gave to the shard's one entity. */
  readonly version: number;
}

/** What a contender was told by the store. */
export interface Contention {
  readonly claims: readonly Claimed[];
  readonly accepted: readonly Accepted[];
  /** How often its lease had been ended by another one. */
  readonly ended: number;
}

const shardsContended = 4;
const key = "trace";

export async function contend(store: Store, service: string, rounds: number): Promise<Contention> {
  const claims: Claimed[] = [];
  const accepted: Accepted[] = [];
  let ended = 0;
  let { incarnation } = await join(store, service);
  for (let round = 0; round < rounds; round++) {
    const result = await store.claim({
      incarnation,
      shards: shardsOf(service),
      expired: await others(store, incarnation),
    });
    if (result.status === "ended") {
      ended++;
      ({ incarnation } = await join(store, service));
      continue;
    }
    const taken = result.claimed.map(({ shard, epoch, sessionNext }) => {
      return { number: shard.number, epoch, sessionNext, incarnation };
    });
    claims.push(...taken);
    for (const each of taken) {
      const version = await append(store, service, each);
      if (version !== undefined) accepted.push({ ...each, version });
    }
  }
  return { claims, accepted, ended };
}

function shardsOf(service: string): ShardId[] {
  return Array.from({ length: shardsContended }, (_, number) => ({ service, number }));
}

/** Every other member, as it was when it was looked at. */
async function others(store: Store, self: number): Promise<{ incarnation: number; renewals: number }[]> {
  const { members } = await store.view();
  return members.filter(({ incarnation }) => incarnation !== self);
}

/** Raises the version of the shard's entity by one and sends a message of it; undefined when the store did not take it. */
async function append(
  store: Store,
  service: string,
  { number, epoch, sessionNext, incarnation }: Claimed,
): Promise<number | undefined> {
  const shard = { service, number };
  const before = (await readRow(store, shard, key))?.version ?? 0;
  const version = before + 1;
  const state = JSON.stringify({ epoch, incarnation });
  const entity = { key, expectedVersion: before, version, stateVersion: 1, state, records: [] };
  const work = workOf({ sent: [message(sessionNext, key, { sentAt: version })] });
  const entities = [{ ...entity, work }];
  const changes = { shard, epoch, entities, floors: [], sessionNext: sessionNext + 1, progress: null };
  const result = await store.commit({ incarnation, shards: [changes] });
  assert.ok(["committed", "fenced", "conflict", "ended"].includes(result.status), JSON.stringify(result));
  return result.status === "committed" ? version : undefined;
}

/** Checks what all contenders were told against each other and against the store. */
export async function checkContention(store: Store, service: string, contenders: readonly Contention[]): Promise<void> {
  const claims = contenders.flatMap((contender) => contender.claims);
  const names = claims.map(({ number, epoch }) => `${number} at ${epoch}`);
  assert.equal(new Set(names).size, names.length, "no two claims of a shard have one epoch");

  const accepted = contenders.flatMap((contender) => contender.accepted);
  for (const shard of shardsOf(service)) {
    const trace = accepted.filter(({ number }) => number === shard.number).sort((a, b) => a.version - b.version);
    const versions = trace.map(({ version }) => version);
    assert.deepEqual(
      versions,
      Array.from(trace, (_, at) => at + 1),
      "every accepted commit has a version of its own",
    );
    const row = await readRow(store, shard, key);
    assert.equal(row?.version ?? 0, trace.length, "the store holds what was accepted, and nothing else");
    const { messages } = await pendingOf(store, { shard });
    assert.deepEqual(
      messages.map(({ number, sentAt }) => [number, sentAt]),
      trace.map(({ sessionNext, version }) => [sessionNext, version]),
      "the outbox holds one message of every accepted commit, in the order of the commits",
    );
    trace.forEach((commit, at) => {
      const before = trace[at - 1];
      if (before === undefined) return;
      assert.ok(before.epoch <= commit.epoch, "no commit is accepted after one of a later epoch");
      assert.ok(before.epoch < commit.epoch || before.incarnation === commit.incarnation, "an epoch has one owner");
    });
  }
  assert.ok(accepted.length > 0, "somebody got something done");
  assert.ok(
    contenders.some(({ ended }) => ended > 0),
    "leases were ended under their holders",
  );
}
