/** Defects of durable commands, messages and timers; what mutations are stands in mutations.ts. */
import { commit, read } from "../adapters/memory/changes.ts";
import type { MemoryDatabase } from "../adapters/memory/database.ts";
import { Mailbox } from "../core/mailbox/mailbox.ts";
import { SessionFloors } from "../core/sessions/receiver.ts";
import type { CommitBatch, CommitResult, EntityChange, Read, ReadResult, ShardChanges } from "../ports/store.ts";
import { Committer } from "../runtime/committer.ts";
import type { HandlerRun } from "../runtime/handler-run.ts";
import { ShardMessages } from "../runtime/messages/shard-messages.ts";
import { Outgoing } from "../runtime/outgoing.ts";
import type { AnyInterface } from "../service/model.ts";
import { originOf } from "./checkers/origin.ts";
import { type Mutation, replaced } from "./mutation.ts";
import { impatient } from "./run-limits.ts";

/** `callsThatComeBack`: faults among which a message comes that its sender has settled. */
export const workMutations = (callsThatComeBack: NonNullable<Mutation["plan"]>): readonly Mutation[] => [
  { name: "outbox-before-commit", install: sendsAtOnce },
  { name: "no-inbox-deduplication", answers: () => ({ commit: commitWithoutInboxIds }) },
  { name: "timer-lost-at-failover", answers: () => ({ read: readWithoutTimers }) },
  {
    name: "timers-not-counted-on",
    answers: () => ({ read: readWithoutTimerNames }),
    // Few, so that entities come to their bound.
    limits: { timersPerEntityMax: 1 },
  },
  { name: "call-without-its-journal", install: requiresNothing },
  { name: "ids-by-position", install: countsAllCalls },
  { name: "unrecorded-outcome-shown", answers: () => ({ commit: commitWithoutOutcomes }), limits: impatient },
  { name: "parked-saga-gives-up-turn", install: givesUpTurns, limits: impatient },
  {
    name: "floor-ignored-for-messages",
    limits: { recordsPerFloorMax: 1 },
    install: () => replaced(SessionFloors.prototype, "isSettled", () => () => false),
    plan: callsThatComeBack,
  },
];

/** Messages leave when their command has run, whether or not it is durable. */
function sendsAtOnce(): () => void {
  const undo = [
    replaced(
      ShardMessages.prototype,
      "work",
      (work) =>
        function (this: ShardMessages, sender, left, fired) {
          const made = work.call(this, sender, left, fired);
          this.outbox.sent(made?.sent ?? []);
          return made;
        },
    ),
    replaced(
      ShardMessages.prototype,
      "becameDurable",
      (becameDurable) =>
        function (this: ShardMessages, key, work) {
          becameDurable.call(this, key, work);
          return [];
        },
    ),
  ];
  return () => {
    for (const one of undo) one();
  };
}

/** Messages leave no records at their receivers, and durable commands are found again under other ids than theirs. */
function commitWithoutInboxIds(database: MemoryDatabase, batch: CommitBatch): CommitResult {
  const forgetful = (change: EntityChange): EntityChange => {
    const records = change.records.filter(({ id }) => originOf(id)?.kind !== "message");
    const { work } = change;
    if (work === null) return { ...change, records };
    const accepted = work.accepted.map((item) => ({ ...item, id: `lost/${item.number}/${item.key}` }));
    return { ...change, records, work: { ...work, accepted } };
  };
  return commit(
    database,
    eachShard(batch, (shard) => ({ ...shard, entities: shard.entities.map(forgetful) })),
  );
}

/** Timers are there for the owner who set them, and for no other. */
function readWithoutTimers(database: MemoryDatabase, reads: readonly Read[]): ReadResult[] {
  return read(database, reads).map((result) => {
    return result.kind === "timers" ? { kind: "timers", page: { rows: [], damaged: [], next: null } } : result;
  });
}

/** Whoever takes an entity into memory believes that it has no timers. */
function readWithoutTimerNames(database: MemoryDatabase, reads: readonly Read[]): ReadResult[] {
  return read(database, reads).map((result) => (result.kind === "timersOf" ? { ...result, names: [] } : result));
}

/** What a durable command calls on its own node becomes durable whether or not the journal's entry for it does. */
function requiresNothing(): () => void {
  return replaced(
    Committer.prototype,
    "add",
    (add) =>
      function (this: Committer, change) {
        add.call(this, { ...change, requires: undefined });
      },
  );
}

/** The id of a call says the how many-eth it is among all of its handler's, and not among those to its target. */
function countsAllCalls(): () => void {
  const calls = new WeakMap<HandlerRun, number>();
  return replaced(
    Outgoing.prototype,
    "to",
    (to) =>
      function (this: Outgoing, run, callee, rest) {
        const position = (calls.get(run) ?? 0) + 1;
        calls.set(run, position);
        const own = { id: `position ${position}` };
        if ((callee as AnyInterface).key === undefined)
          return to.call(this, run, callee, [{ ...own, ...one(rest[0]) }]);
        return to.call(this, run, callee, [rest[0], { ...own, ...one(rest[1]) }]);
      },
  );
}

function one(options: unknown): object {
  return (options ?? {}) as object;
}

/** Journals keep what was called, and not what came of it. */
function commitWithoutOutcomes(database: MemoryDatabase, batch: CommitBatch): CommitResult {
  const forgetful = (shard: ShardChanges): ShardChanges => {
    if (shard.progress === null) return shard;
    const items = shard.progress.items.map((item) => {
      return { ...item, journal: item.journal.map((entry) => ({ ...entry, outcome: null })) };
    });
    return { ...shard, progress: { ...shard.progress, items } };
  };
  return commit(database, eachShard(batch, forgetful));
}

function eachShard(batch: CommitBatch, change: (shard: ShardChanges) => ShardChanges): CommitBatch {
  return { ...batch, shards: batch.shards.map(change) };
}

/** A durable command that is parked is out of the way, whatever it has done; one who tries it again makes it wait in line. */
function givesUpTurns(): () => void {
  return replaced(
    Mailbox.prototype,
    "step",
    (step) =>
      function (this: Mailbox<unknown>, input) {
        if (input.kind === "parked") return step.call(this, { ...input, holdsTurn: false });
        if (input.kind === "found" && input.turn === "parked") return [];
        return step.call(this, input);
      },
  );
}
