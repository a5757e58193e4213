/** The committer by example: one short story per rule. `commits.properties.test.ts` tries all orders. */
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { SynodError } from "../../errors.ts";
import type { CommitBatch, SessionFloor } from "../../ports/store.ts";
import { Commits, type CommitsEffect, type CommitsOptions } from "./commits.ts";
import type { Change } from "./load.ts";
import type { Prerequisite } from "./prerequisite.ts";

function committer(options: Partial<CommitsOptions> = {}): Commits {
  return new Commits({ incarnation: 3, batchCommandsMax: 1_000, batchBytesMax: 1_000_000, ...options });
}

/** The change of position `position` in an entity that is as new as its changes: version = position. */
function change(number: number, key: string, position: number, rest: Partial<Change> = {}): Change {
  const shard = { service: "account", number };
  const versions = { expectedVersion: position - 1, version: position, stateVersion: 1 };
  return {
    shard,
    epoch: 1,
    key,
    position,
    ...versions,
    state: `"${position}"`,
    record: null,
    work: null,
    floors: [],
    ...rest,
  };
}

function board(commits: Commits, ...changes: Change[]): void {
  for (const change of changes) commits.step({ kind: "change", change });
}

function flush(commits: Commits): CommitBatch {
  const [effect] = commits.step({ kind: "flush" });
  assert.ok(effect?.kind === "commit", "something is sent");
  return effect.batch;
}

function committed(commits: Commits): readonly CommitsEffect[] {
  return commits.step({ kind: "answered", result: { status: "committed", renewed: true } });
}

const record = (id: string): NonNullable<Change["record"]> => {
  return { id, inputHash: "in", reply: "{}", finishedAt: 0, keyTime: null };
};
const error = new SynodError("invalid_argument", "not this");
const nothing = { sessionNext: null, progress: null };
const keysOf = (batch: CommitBatch): string[] => batch.shards.flatMap(({ entities }) => entities.map(({ key }) => key));
const kinds = (effects: readonly CommitsEffect[]): string[] => effects.map(({ kind }) => kind);

test("a hundred changes cost two commits: the first alone, the others while that was under way", () => {
  const commits = committer();
  assert.deepEqual(commits.step({ kind: "change", change: change(0, "first", 1) }), [{ kind: "wake" }]);
  assert.deepEqual(keysOf(flush(commits)), ["first"]);
  for (let n = 1; n < 100; n++) {
    assert.deepEqual(commits.step({ kind: "change", change: change(n % 7, `key ${n}`, 1) }), []);
  }
  assert.deepEqual(commits.step({ kind: "flush" }), [], "one commit is under way at a time");
  assert.deepEqual(kinds(committed(commits)), ["durable", "wake"]);
  assert.equal(keysOf(flush(commits)).length, 99);
  assert.equal(committed(commits).length, 99);
  assert.equal(commits.idle, true);
});

test("changes of one entity share a seat: the first expectation, the last state, every record", () => {
  const commits = committer();
  const only = { shard: { service: "account", number: 2 }, epoch: 1 };
  board(
    commits,
    change(2, "alice", 1, { expectedVersion: 7, version: 8, record: record("a") }),
    change(2, "alice", 2, { expectedVersion: 8, version: 8, state: undefined, record: record("b") }),
    change(2, "alice", 3, { expectedVersion: 8, version: 9, stateVersion: 2 }),
  );
  const seat = { key: "alice", expectedVersion: 7, version: 9, stateVersion: 2, state: '"3"' };
  const shards = [
    { ...only, entities: [{ ...seat, records: [record("a"), record("b")], work: null }], floors: [], ...nothing },
  ];
  assert.deepEqual(flush(commits), { incarnation: 3, shards });
  const { shard } = only;
  assert.deepEqual(committed(commits), [{ kind: "durable", shard, key: "alice", position: 3 }]);
});

test("a record alone leaves the row as it is, and a cleared state removes it", () => {
  const commits = committer();
  board(
    commits,
    change(0, "alice", 1, { expectedVersion: 7, version: 7, state: undefined, record: record("a") }),
    change(0, "bob", 1, { expectedVersion: 4, version: 0, state: null }),
    change(0, "bob", 2, { expectedVersion: 0, version: 0, state: undefined, record: record("b") }),
  );
  const [shard] = flush(commits).shards;
  assert.deepEqual(shard?.entities, [
    { key: "alice", expectedVersion: 7, version: 7, stateVersion: 1, state: null, records: [record("a")], work: null },
    { key: "bob", expectedVersion: 4, version: 0, stateVersion: 1, state: null, records: [record("b")], work: null },
  ]);
});

test("shards travel in ascending order, in which stores lock their rows", () => {
  const commits = committer();
  const other = change(5, "carol", 1, { shard: { service: "Bank", number: 5 } });
  board(commits, change(10, "alice", 1), change(9, "bob", 1), other);
  const { shards } = flush(commits);
  assert.deepEqual(
    shards.map(({ shard }) => `${shard.service}/${shard.number}`),
    ["Bank/5", "account/9", "account/10"],
  );
});

test("a batch that is full departs, and what comes later travels later", () => {
  const commits = committer({ batchCommandsMax: 2 });
  for (let n = 1; n <= 5; n++) board(commits, change(0, "alice", n));
  for (const position of [2, 4, 5]) {
    flush(commits);
    const [durable] = committed(commits);
    assert.ok(durable?.kind === "durable" && durable.position === position);
  }
  assert.equal(commits.idle, true);
});

test("a change above the bound of bytes travels alone", () => {
  const commits = committer({ batchBytesMax: 50 });
  const large = { state: "x".repeat(100) };
  board(commits, change(0, "alice", 1), change(0, "bob", 1, large), change(0, "carol", 1));
  for (const key of ["alice", "bob", "carol"]) {
    assert.deepEqual(keysOf(flush(commits)), [key]);
    committed(commits);
  }
});

test("a refused batch is split by shard, then by entity, until the bad one stands alone", () => {
  const commits = committer();
  for (const key of ["a", "b", "bad", "d"]) board(commits, change(0, key, 1));
  board(commits, change(1, "e", 1));
  const trips: string[] = [];
  const failed: string[] = [];
  while (!commits.idle) {
    const keys = keysOf(flush(commits));
    trips.push(keys.join(" "));
    const refused = keys.includes("bad");
    const effects = refused
      ? commits.step({ kind: "answered", result: { status: "refused", error } })
      : committed(commits);
    for (const effect of effects) if (effect.kind === "rolledBack" && effect.culprit) failed.push(effect.key);
  }
  assert.deepEqual(trips, ["a b bad d e", "a b bad d", "a b", "bad d", "bad", "d", "e"]);
  assert.deepEqual(failed, ["bad"]);
});

test("the floors of a shard's changes travel with it, the newest of each session", () => {
  const commits = committer();
  const floor = (session: string, number: number): SessionFloor => ({ session, floor: number, open: [number - 1] });
  board(
    commits,
    change(0, "alice", 1, { floors: [floor("a", 4), floor("b", 2)] }),
    change(1, "bob", 1),
    change(0, "carol", 1, { floors: [floor("a", 7)] }),
  );
  const { shards } = flush(commits);
  assert.deepEqual(
    shards.map(({ floors }) => floors),
    [[floor("a", 7), floor("b", 2)], []],
  );
});

test("floors travel with every part of a batch that is split, and with what is left when an entity is stale", () => {
  const commits = committer();
  const floors: readonly SessionFloor[] = [{ session: "a", floor: 7, open: [] }];
  board(commits, change(0, "alice", 1, { floors }), change(0, "bad", 1), change(0, "carol", 1), change(1, "dave", 1));
  const sent: string[] = [];
  const send = (): string[] => {
    const batch = flush(commits);
    for (const { shard, entities, floors } of batch.shards) {
      const keys = entities.map(({ key }) => key).join(" ");
      sent.push(`${shard.number} ${keys}: ${floors.map(({ floor }) => floor)}`);
    }
    return keysOf(batch);
  };
  send();
  const alice = { shard: { service: "account", number: 0 }, key: "alice" };
  commits.step({ kind: "answered", result: { status: "conflict", entities: [alice] } });
  while (!commits.idle) {
    if (send().includes("bad")) commits.step({ kind: "answered", result: { status: "refused", error } });
    else committed(commits);
  }
  assert.deepEqual(sent, [
    "0 alice bad carol: 7",
    "1 dave: ",
    "0 bad carol: 7",
    "1 dave: ",
    "0 bad carol: 7",
    "0 bad: 7",
    "0 carol: 7",
    "1 dave: ",
  ]);
});

test("when the store cannot write, all that was under way is lost, and what was built on it", () => {
  const commits = committer({ batchCommandsMax: 2 });
  board(commits, change(0, "alice", 1), change(1, "bob", 1), change(0, "alice", 2), change(1, "carol", 1));
  flush(commits);
  const effects = commits.step({ kind: "answered", result: { status: "failed", error } });
  const alice = { shard: { service: "account", number: 0 }, key: "alice" };
  const bob = { shard: { service: "account", number: 1 }, key: "bob" };
  assert.deepEqual(effects, [
    { kind: "rolledBack", ...alice, through: 1, culprit: false, error },
    { kind: "rolledBack", ...bob, through: 1, culprit: false, error },
    { kind: "wake" },
  ]);
  assert.deepEqual(keysOf(flush(commits)), ["carol"]);
});

test("when one shard is fenced or one entity stale, the others travel again", () => {
  const commits = committer();
  board(commits, change(0, "alice", 1), change(1, "bob", 1), change(1, "carol", 1));
  flush(commits);
  const lost = { service: "account", number: 0 };
  const fenced = commits.step({ kind: "answered", result: { status: "fenced", shards: [lost] } });
  assert.deepEqual(fenced, [{ kind: "fenced", shard: lost }, { kind: "wake" }]);
  assert.deepEqual(keysOf(flush(commits)), ["bob", "carol"]);
  const bob = { shard: { service: "account", number: 1 }, key: "bob" };
  const stale = commits.step({ kind: "answered", result: { status: "conflict", entities: [bob] } });
  assert.deepEqual(stale, [{ kind: "stale", ...bob }, { kind: "wake" }]);
  assert.deepEqual(keysOf(flush(commits)), ["carol"]);
});

test("an unknown outcome names the positions that may be durable, and only those", () => {
  const commits = committer();
  board(commits, change(0, "alice", 1), change(0, "alice", 2));
  flush(commits);
  board(commits, change(0, "alice", 3), change(0, "bob", 1));
  const shard = { service: "account", number: 0 };
  assert.equal(commits.positionUnderWay(shard, "alice"), 2);
  assert.equal(commits.positionUnderWay(shard, "bob"), 0);
  const effects = commits.step({ kind: "answered", result: { status: "unknown" } });
  assert.deepEqual(effects, [{ kind: "unknown", shard, positions: new Map([["alice", 2]]) }, { kind: "wake" }]);
});

test("the answer to a commit says nothing to a shard that was dropped and claimed again meanwhile", () => {
  const shard = { service: "account", number: 0 };
  const answers = [
    { status: "committed", renewed: true },
    { status: "fenced", shards: [shard] },
    { status: "conflict", entities: [{ shard, key: "alice" }] },
    { status: "refused", error },
    { status: "failed", error },
    { status: "unknown" },
  ] as const;
  for (const result of answers) {
    const commits = committer();
    board(commits, change(0, "alice", 1));
    flush(commits);
    commits.step({ kind: "drop", shard });
    board(commits, change(0, "alice", 1, { epoch: 2 }));
    assert.deepEqual(commits.step({ kind: "answered", result }), [{ kind: "wake" }], result.status);
    assert.equal(flush(commits).shards[0]?.epoch, 2);
  }
});

test("an innocent entity is not blamed for the data of a shard that was dropped meanwhile", () => {
  const commits = committer();
  board(commits, change(0, "bad", 1), change(1, "good", 1));
  flush(commits);
  commits.step({ kind: "drop", shard: { service: "account", number: 0 } });
  assert.deepEqual(commits.step({ kind: "answered", result: { status: "refused", error } }), [{ kind: "wake" }]);
  assert.deepEqual(keysOf(flush(commits)), ["good"]);
  assert.deepEqual(kinds(committed(commits)), ["durable"]);
});

test("after a broken store nothing is sent, and what was under way is still told as unknown", () => {
  const commits = committer();
  const shard = { service: "account", number: 0 };
  board(commits, change(0, "alice", 1));
  flush(commits);
  board(commits, change(0, "alice", 2));
  const effects = commits.step({ kind: "answered", result: { status: "broken", error } });
  assert.deepEqual(effects, [{ kind: "broken", error }]);
  assert.equal(commits.positionUnderWay(shard, "alice"), 1);
  assert.deepEqual(commits.step({ kind: "change", change: change(0, "alice", 3) }), []);
  assert.deepEqual(commits.step({ kind: "flush" }), []);
  assert.equal(commits.idle, true, "nobody waits for a store that is gone");
});

describe("a change that requires something", () => {
  const required = (): Prerequisite => ({ key: "saga", standing: "open" });
  const announce = (commits: Commits, fulfils: Prerequisite): void => {
    commits.step({
      kind: "progress",
      progress: { shard: { service: "account", number: 1 }, epoch: 1, token: 1, fulfils },
    });
  };

  test("travels with it", () => {
    const [commits, requires] = [committer(), required()];
    announce(commits, requires);
    board(commits, change(0, "called", 1, { requires }));
    assert.deepEqual(keysOf(flush(commits)), ["called"]);
    assert.deepEqual(kinds(committed(commits)), ["durable", "progressed"]);
  });

  test("leaves early when it has just arrived", () => {
    const [commits, requires] = [committer(), required()];
    announce(commits, requires);
    flush(commits);
    board(commits, change(0, "called", 1, { requires }));
    const effects = commits.step({ kind: "answered", result: { status: "committed", renewed: true }, hurry: true });
    assert.deepEqual(kinds(effects), ["commit", "progressed"]);
  });

  test("is left behind when it is lost, with what the entity did since, and is nobody's fault", () => {
    const [commits, requires] = [committer(), required()];
    announce(commits, requires);
    board(commits, change(0, "called", 1, { requires }), change(0, "called", 2), change(0, "other", 1));
    flush(commits);
    const fenced = { status: "fenced", shards: [{ service: "account", number: 1 }] } as const;
    commits.step({ kind: "answered", result: fenced });
    const [commit, left] = commits.step({ kind: "flush" });
    assert.deepEqual(commit?.kind === "commit" && keysOf(commit.batch), ["other"]);
    assert.ok(left?.kind === "rolledBack");
    assert.deepEqual([left.key, left.through, left.culprit], ["called", 0, false]);
    assert.equal(requires.standing, "lost", "or it would board and be left behind for ever");
  });

  test("is left behind, and may board again, while that is not there yet", () => {
    const [commits, requires] = [committer(), required()];
    announce(commits, requires);
    board(commits, change(1, "called", 1, { requires }));
    flush(commits);
    // Split into what is there and what was said of it: the one before the other.
    commits.step({ kind: "answered", result: { status: "refused", error } });
    const [commit, left] = commits.step({ kind: "flush" });
    assert.deepEqual([commit?.kind, left?.kind], ["commit", "rolledBack"]);
    assert.equal(requires.standing, "open");
    board(commits, change(1, "called", 1, { requires }));
    assert.deepEqual(kinds(committed(commits)), ["progressed", "wake"]);
    assert.deepEqual(keysOf(flush(commits)), ["called"]);
  });

  test("is left behind when what that was built on is lost, though it travels itself", () => {
    const [commits, requires] = [committer(), required()];
    board(commits, change(1, "saga", 1));
    announce(commits, requires);
    board(commits, change(0, "called", 1, { requires }));
    flush(commits);
    const entities = [{ shard: { service: "account", number: 1 }, key: "saga" }];
    assert.deepEqual(kinds(commits.step({ kind: "answered", result: { status: "conflict", entities } })), [
      "stale",
      "wake",
    ]);
    assert.deepEqual(kinds(commits.step({ kind: "flush" })), ["commit", "rolledBack"]);
    assert.deepEqual(kinds(committed(commits)), ["progressed"]);
  });
});
