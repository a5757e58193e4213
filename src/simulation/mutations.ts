/**
 * Mutations: defects that are put in on purpose, to show that the checks can fail. Those of the store are answers that
 * are not honest; those of the runtime replace a method of one of its classes for the time of a run. So neither the
 * runtime nor a store has a switch for them: only what imports this file can set one.
 */
import { commit } from "../adapters/memory/changes.ts";
import type { MemberRow, MemoryDatabase, ShardRow } from "../adapters/memory/database.ts";
import { claim, renew, shardRow } from "../adapters/memory/membership.ts";
import { Commits, type CommitsEffect } from "../core/commits/commits.ts";
import { Mailbox } from "../core/mailbox/mailbox.ts";
import { Expiry } from "../core/membership/expiry.ts";
import { Lease } from "../core/membership/lease.ts";
import { SessionFloors } from "../core/sessions/receiver.ts";
import type { ClaimRequest, ClaimResult, CommitBatch, CommitResult, RenewResult } from "../ports/store.ts";
import { Activation } from "../runtime/activation.ts";
import { activationBytes } from "../runtime/entity-memory.ts";
import type { NodeLimits } from "../runtime/limits.ts";
import { Shard } from "../runtime/shard.ts";
import type { Prng } from "../values/prng.ts";
import { type Fault, shuffled } from "./faults.ts";
import { type Mutation, replaced } from "./mutation.ts";
import { forgetful } from "./run-limits.ts";
import { serverMutations } from "./server-mutations.ts";
import { workMutations } from "./work-mutations.ts";
import type { Answers } from "./world/store.ts";
import { between } from "./world/world.ts";

const scarceMemory: Partial<NodeLimits> = { entityMemoryBytesMax: 2.9 * activationBytes };

/** By name: `no-epoch-check`. */
export const mutations: readonly Mutation[] = [
  { name: "no-epoch-check", answers: () => ({ commit: commitAtAnyEpoch }) },
  {
    // With the epoch checked, only an activation that should not be there can be stale: one that was loaded again
    // without a new claim while a commit of unknown outcome was still on its way.
    name: "no-version-check",
    answers: () => ({ commit: commitOnAnyVersion }),
    install: reloadsWithoutClaim,
  },
  { name: "no-deduplication-record", answers: () => ({ commit: commitWithoutRecords }) },
  { name: "reply-before-durable", install: answersAtOnce },
  { name: "epoch-not-increased", answers: () => ({ claim: claimAtTheSameEpoch }) },
  { name: "ended-lease-renewed", answers: renewsEndedLeases },
  { name: "no-lease-check", install: () => replaced(Lease.prototype, "validAt", () => () => true) },
  { name: "claim-without-waiting", install: claimsWithoutWaiting },
  { name: "call-past-exit-gate", install: callsAtOnce },
  { name: "passivation-of-undurable", install: passivatesUndurable, limits: scarceMemory },
  {
    name: "floor-ignored",
    // Only what has been removed can be missed.
    limits: { recordsPerFloorMax: 1 },
    install: () => replaced(SessionFloors.prototype, "isSettled", () => () => false),
    plan: callsThatComeBack,
  },
  {
    name: "watermark-ignored",
    answers: () => ({ commit: commitOfForgottenKeys }),
    install: () => replaced(Shard.prototype, "forgot", () => async () => false),
    limits: forgetful,
  },
  ...workMutations(callsThatComeBack),
  ...serverMutations,
];

/**
 * A call that its caller has settled can come back only where its shard was elsewhere meanwhile and is here again: a
 * node dies and another takes its shards; calls to that one stay on the way; the first is back, answers the repeats
 * of those calls, and dies once more; then they arrive.
 */
function callsThatComeBack(prng: Prng, nodes: readonly string[], durationMs: number): readonly Fault[] {
  const faults: Fault[] = [];
  for (let at = 500; at < durationMs; at += 4_200) {
    const [comesAndGoes, owner, ...callers] = shuffled(prng, nodes) as [string, string];
    const near = (ms: number): number => Math.round(at + ms + between(prng, -50, 50));
    const crash = { kind: "crash", nodes: [comesAndGoes], amount: 1 } as const;
    faults.push({ ...crash, at: near(0), lastsMs: 1_000 });
    for (const caller of callers) {
      faults.push({ kind: "lateDuplicate", nodes: [caller, owner], amount: 350, at: near(850), lastsMs: 2_150 });
    }
    faults.push({ ...crash, at: near(2_350), lastsMs: 1_500 });
  }
  return faults;
}

/** The fence is open: whoever was the owner once may write. */
function commitAtAnyEpoch(database: MemoryDatabase, batch: CommitBatch): CommitResult {
  const restore: (() => void)[] = [];
  const member = { node: "", incarnation: batch.incarnation, address: null, hosts: [], draining: false, renewals: 0 };
  if (!database.members.has(batch.incarnation)) {
    database.members.set(batch.incarnation, member);
    restore.push(() => database.members.delete(batch.incarnation));
  }
  for (const { shard, epoch } of batch.shards) {
    const row = shardRow(database, shard);
    if (row === undefined) continue;
    const { owner, epoch: current } = row;
    Object.assign(row, { owner: batch.incarnation, epoch });
    restore.push(() => Object.assign(row, { owner, epoch: current }));
  }
  try {
    return commit(database, lastVersions(database, batch));
  } finally {
    for (const one of restore) one();
  }
}

function commitOnAnyVersion(database: MemoryDatabase, batch: CommitBatch): CommitResult {
  return commit(database, lastVersions(database, batch));
}

/** The same batch, as if each of its entities had the version that the store has now. */
function lastVersions(database: MemoryDatabase, batch: CommitBatch): CommitBatch {
  const shards = batch.shards.map((changes) => {
    const row = shardRow(database, changes.shard);
    const entities = changes.entities.map((change) => {
      const expectedVersion = row?.entities.get(change.key)?.version ?? 0;
      const grown = Math.max(change.version, expectedVersion + 1);
      const version = change.state === null ? (change.version === 0 ? 0 : expectedVersion) : grown;
      const records = change.records.filter(({ id }) => row?.records.has(id) !== true);
      return { ...change, expectedVersion, version, records };
    });
    return { ...changes, entities };
  });
  return { ...batch, shards };
}

function commitWithoutRecords(database: MemoryDatabase, batch: CommitBatch): CommitResult {
  const shards = batch.shards.map((changes) => ({
    ...changes,
    entities: changes.entities.map((change) => ({ ...change, records: [] })),
  }));
  return commit(database, { ...batch, shards });
}

/** Keys may be as old as they like. */
function commitOfForgottenKeys(database: MemoryDatabase, batch: CommitBatch): CommitResult {
  const before = new Map<ShardRow, number>();
  for (const { shard } of batch.shards) {
    const row = shardRow(database, shard);
    if (row === undefined) continue;
    before.set(row, row.watermark);
    row.watermark = 0;
  }
  const result = commit(database, batch);
  for (const [row, watermark] of before) row.watermark = watermark;
  return result;
}

function claimAtTheSameEpoch(database: MemoryDatabase, request: ClaimRequest): ClaimResult {
  const before = new Map<ShardRow, number>();
  for (const shard of request.shards) {
    const row = shardRow(database, shard);
    if (row !== undefined && row.epoch > 0) before.set(row, row.epoch);
  }
  const result = claim(database, request);
  if (result.status !== "claimed") return result;
  for (const [row, epoch] of before) row.epoch = epoch;
  const claimed = result.claimed.map((one) => ({ ...one, epoch: shardRow(database, one.shard)!.epoch }));
  const shards = result.view.shards.map((one) => ({ ...one, epoch: shardRow(database, one.shard)!.epoch }));
  return { ...result, claimed, view: { ...result.view, shards } };
}

/** A lease that a claim has ended comes back, with its member row and whatever its holder has in memory. */
function renewsEndedLeases(): Partial<Answers> {
  const ended = new Map<number, MemberRow>();
  return {
    claim: (database: MemoryDatabase, request: ClaimRequest): ClaimResult => {
      const before = new Map(database.members);
      const result = claim(database, request);
      for (const [incarnation, row] of before) if (!database.members.has(incarnation)) ended.set(incarnation, row);
      return result;
    },
    renew: (database: MemoryDatabase, request: Parameters<typeof renew>[1]): RenewResult => {
      const row = ended.get(request.incarnation);
      if (row !== undefined && !database.members.has(request.incarnation)) {
        database.members.set(request.incarnation, row);
        database.revision++;
      }
      return renew(database, request);
    },
  };
}

/** Every other member's lease counts as run out as soon as it has been seen. */
function claimsWithoutWaiting(): () => void {
  const seen = new WeakMap<Expiry, ReadonlyMap<number, number>>();
  const undo = [
    replaced(
      Expiry.prototype,
      "observe",
      (observe) =>
        function (this: Expiry, observation) {
          seen.set(this, observation.renewals);
          observe.call(this, observation);
        },
    ),
    replaced(
      Expiry.prototype,
      "expired",
      () =>
        function (this: Expiry) {
          return [...(seen.get(this) ?? [])]
            .filter(([incarnation]) => this.remainingMs(incarnation) < 2_200 && this.hasRenewed(incarnation))
            .map(([incarnation, renewals]) => ({ incarnation, renewals }));
        },
    ),
  ];
  return () => {
    for (const one of undo) one();
  };
}

/** Answers leave when their command has run, whether or not it is durable. */
function answersAtOnce(): () => void {
  return replaced(
    Mailbox.prototype,
    "step",
    (step) =>
      function (this: Mailbox<unknown>, input) {
        const effects = step.call(this, input);
        if (input.kind !== "finished") return effects;
        return effects.flatMap((effect): typeof effects => {
          if (effect.kind !== "commit") return [effect];
          const { token } = input;
          return [effect, { kind: "release", token, tokens: [token], payload: effect.payload }];
        });
      },
  );
}

/** Calls of handlers leave at once, whatever their handler could have seen. */
function callsAtOnce(): () => void {
  return replaced(
    Mailbox.prototype,
    "step",
    (step) =>
      function (this: Mailbox<unknown>, input) {
        if (input.kind === "depart") return [{ kind: "departed", departure: input.departure }];
        return step.call(this, input);
      },
  );
}

/** After a commit of unknown outcome the entities are loaded again, and the shard keeps its epoch. */
function reloadsWithoutClaim(): () => void {
  return replaced(
    Commits.prototype,
    "step",
    (step) =>
      function (this: Commits, input) {
        return step.call(this, input).flatMap((effect): CommitsEffect[] => {
          if (effect.kind !== "unknown") return [effect];
          const { shard, positions } = effect;
          const dropped = step.call(this, { kind: "drop", shard });
          return [...dropped, ...[...positions.keys()].map((key) => ({ kind: "stale", shard, key }) as const)];
        });
      },
  );
}

/** An entity counts as idle although changes of it are on their way to the store. */
function passivatesUndurable(): () => void {
  const { prototype } = Activation;
  const before = Object.getOwnPropertyDescriptor(prototype, "idle")!;
  Object.defineProperty(prototype, "idle", {
    configurable: true,
    get(this: Activation): boolean {
      return this.queued === 0;
    },
  });
  return () => Object.defineProperty(prototype, "idle", before);
}
