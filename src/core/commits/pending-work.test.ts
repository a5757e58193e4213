/** Pending work in the committer by example: one short story per rule of `core/README.md`. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { SynodError } from "../../errors.ts";
import type { CommitBatch, CommitResult, ShardChanges } from "../../ports/store.ts";
import type { EntityWork, ShardProgress } from "../../ports/work.ts";
import { Commits, type CommitsEffect, type ProgressOutcome } from "./commits.ts";
import { itemOf, messageOf, timerOf } from "./pending.test.ts";

const shard = { service: "account", number: 0 };
const error = new SynodError("invalid_argument", "not this");
const committed = { status: "committed", renewed: true } as const;

function committer(): Commits {
  return new Commits({ incarnation: 3, batchCommandsMax: 100, batchBytesMax: 1_000_000 });
}

function board(commits: Commits, key: string, position: number, work: Partial<EntityWork> | null): void {
  const versions = { expectedVersion: 0, version: 0, stateVersion: 1 };
  const record = { id: `${key} ${position}`, inputHash: "", reply: "{}", finishedAt: 0, keyTime: null };
  const change = { shard, epoch: 1, key, position, ...versions, state: undefined, record, work, floors: [] };
  commits.step({ kind: "change", change });
}

function say(commits: Commits, token: number, progress: Partial<ShardProgress>): readonly CommitsEffect[] {
  return commits.step({ kind: "progress", progress: { shard, epoch: 1, token, ...progress } });
}

function flush(commits: Commits): CommitBatch {
  const [effect] = commits.step({ kind: "flush" });
  assert.ok(effect?.kind === "commit", "something is sent");
  return effect.batch;
}

function flushShard(commits: Commits): ShardChanges {
  const [changes] = flush(commits).shards;
  assert.ok(changes !== undefined);
  return changes;
}

/** What the answer says of progress, by token. */
function outcomes(effects: readonly CommitsEffect[]): [number, ProgressOutcome][] {
  return effects.filter((effect) => effect.kind === "progressed").map(({ token, outcome }) => [token, outcome]);
}

function answer(commits: Commits, result: CommitResult | { status: "unknown" }): [number, ProgressOutcome][] {
  return outcomes(commits.step({ kind: "answered", result }));
}

const attempt = (number: number, attempts: number, journal: readonly string[] = []) => ({
  items: [
    {
      number,
      attempts,
      parked: null,
      holdsTurn: false,
      journal: journal.map((id) => ({ id, name: id, inputHash: "", outcome: `"${attempts}"` })),
    },
  ],
});
const nothing = { accepted: [], finished: [], sent: [], timersSet: [], timersCleared: [] };

test("an item that is accepted and finished in one commit leaves its record, its messages and its number behind", () => {
  const commits = committer();
  board(commits, "a", 1, { accepted: [itemOf(7, "a")] });
  board(commits, "a", 2, { finished: [7], sent: [messageOf(8, "a")] });
  const { entities, sessionNext } = flushShard(commits);
  assert.deepEqual(entities[0]?.work, { ...nothing, sent: [messageOf(8, "a")] });
  assert.equal(entities[0]?.records.length, 2);
  assert.equal(sessionNext, 9);
});

test("an item that was sent as accepted is finished in a commit of its own", () => {
  const commits = committer();
  board(commits, "a", 1, { accepted: [itemOf(7, "a")] });
  assert.deepEqual(flushShard(commits).entities[0]?.work, { ...nothing, accepted: [itemOf(7, "a")] });
  board(commits, "a", 2, { finished: [7] });
  answer(commits, committed);
  assert.deepEqual(flushShard(commits).entities[0]?.work, { ...nothing, finished: [7] });
});

test("a change that has no pending work, or none left, says so", () => {
  const commits = committer();
  board(commits, "a", 1, null);
  board(commits, "b", 1, { accepted: [itemOf(7, "b")] });
  board(commits, "b", 2, { finished: [7] });
  const { entities, progress } = flushShard(commits);
  assert.deepEqual([entities[0]?.work, entities[1]?.work, progress], [null, null, null]);
});

test("of a timer the last word counts", () => {
  const commits = committer();
  board(commits, "a", 1, { timersSet: [timerOf(1, "a")] });
  board(commits, "a", 2, { timersCleared: ["hold"] });
  board(commits, "b", 1, { timersCleared: ["hold"] });
  board(commits, "b", 2, { timersSet: [timerOf(2, "b")] });
  board(commits, "b", 3, { timersSet: [timerOf(3, "b")] });
  const [a, b] = flushShard(commits).entities;
  assert.deepEqual(a?.work, { ...nothing, timersCleared: ["hold"] });
  assert.deepEqual(b?.work, { ...nothing, timersSet: [timerOf(3, "b")] });
});

test("what several authors say in one turn is one commit, in which the last word on each thing counts", () => {
  const commits = committer();
  assert.deepEqual(say(commits, 1, attempt(5, 2, ["x", "y"])), [{ kind: "wake" }]);
  say(commits, 2, attempt(5, 3, ["y"]));
  say(commits, 3, { messages: [{ number: 6, attempts: 1, parked: null }] });
  say(commits, 4, { messagesSettled: [6, 7] });
  const { progress, entities } = flushShard(commits);
  assert.deepEqual(entities, []);
  const [item] = progress?.items ?? [];
  assert.deepEqual(
    [item?.attempts, item?.journal.map(({ id, outcome }) => [id, outcome])],
    [
      3,
      [
        ["x", '"2"'],
        ["y", '"3"'],
      ],
    ],
  );
  assert.deepEqual([progress?.messages, progress?.messagesSettled], [[], [6, 7]]);
  assert.deepEqual(
    answer(commits, committed),
    [1, 2, 3, 4].map((token) => [token, "durable"]),
  );
  assert.equal(commits.idle, true);
});

test("a change that is rolled back takes its work with it, and progress goes on", () => {
  const commits = committer();
  board(commits, "bad", 1, { sent: [messageOf(7, "bad")] });
  flush(commits);
  board(commits, "bad", 2, { sent: [messageOf(8, "bad")] });
  say(commits, 1, { messagesSettled: [3] });
  commits.step({ kind: "answered", result: { status: "refused", error } });
  const { entities, progress } = flushShard(commits);
  assert.deepEqual([entities, progress?.messagesSettled], [[], [3]]);
});

test("what the store refuses is split until one author is left, and only that one is told", () => {
  const commits = committer();
  board(commits, "a", 1, { accepted: [itemOf(7, "a")] });
  for (const token of [1, 2, 3]) say(commits, token, { itemsDropped: [token] });
  const trips: string[] = [];
  const told: [number, ProgressOutcome][] = [];
  while (!commits.idle) {
    const { entities, progress, sessionNext } = flushShard(commits);
    const dropped = progress?.itemsDropped ?? [];
    trips.push(`${entities.map(({ key }) => key)} ${dropped} below ${sessionNext}`);
    told.push(...answer(commits, dropped.includes(2) ? { status: "refused", error } : committed));
  }
  assert.deepEqual(trips, [
    "a 1,2,3 below 8",
    "a  below 8",
    " 1,2,3 below 8",
    " 1,2 below 8",
    " 1 below 8",
    " 2 below 8",
    " 3 below 8",
  ]);
  assert.deepEqual(told, [
    [1, "durable"],
    [2, "refused"],
    [3, "durable"],
  ]);
});

test("when the store cannot write, the author is told and may say it again; the committer does not", () => {
  const commits = committer();
  say(commits, 1, { itemsDropped: [4] });
  flush(commits);
  const effects = commits.step({ kind: "answered", result: { status: "failed", error } });
  assert.deepEqual(effects, [{ kind: "progressed", token: 1, outcome: "failed", error }]);
  assert.equal(commits.idle, true);
});

test("progress of a shard that is lost is reported as lost, and as unknown where it may be written", () => {
  const lost: readonly [CommitResult | { status: "unknown" }, ProgressOutcome][] = [
    [{ status: "unknown" }, "unknown"],
    [{ status: "fenced", shards: [shard] }, "dropped"],
    [{ status: "ended" }, "dropped"],
  ];
  for (const [result, outcome] of lost) {
    const commits = committer();
    say(commits, 1, { itemsDropped: [4] });
    flush(commits);
    say(commits, 2, { itemsDropped: [5] });
    assert.deepEqual(answer(commits, result), [[1, outcome]]);
    assert.deepEqual(outcomes(commits.step({ kind: "drop", shard })), [[2, "dropped"]]);
  }
});

test("a shard that is dropped while a commit is under way has its progress reported then, and never again", () => {
  const commits = committer();
  say(commits, 1, { itemsDropped: [4] });
  flush(commits);
  say(commits, 2, { itemsDropped: [5] });
  assert.deepEqual(outcomes(commits.step({ kind: "drop", shard })), [
    [2, "dropped"],
    [1, "unknown"],
  ]);
  assert.deepEqual(answer(commits, committed), []);
});

test("a timer that is set after it was released travels after the release", () => {
  const commits = committer();
  const released = [{ key: "a", name: "hold", generation: 1, message: messageOf(2, "a") }];
  say(commits, 1, { released });
  board(commits, "b", 1, { timersSet: [timerOf(3, "b")] });
  board(commits, "a", 1, { timersSet: [timerOf(4, "a")] });
  const first = flushShard(commits);
  assert.deepEqual([first.entities.map(({ key }) => key), first.progress?.released], [["b"], released]);
  answer(commits, committed);
  const second = flushShard(commits);
  assert.deepEqual([second.entities.map(({ key }) => key), second.progress], [["a"], null]);
});

test("stale entities leave, and the progress of their shard travels again", () => {
  const commits = committer();
  board(commits, "a", 1, null);
  say(commits, 1, { itemsDropped: [4] });
  flush(commits);
  commits.step({ kind: "answered", result: { status: "conflict", entities: [{ shard, key: "a" }] } });
  const { entities, progress } = flushShard(commits);
  assert.deepEqual([entities, progress?.itemsDropped], [[], [4]]);
});
