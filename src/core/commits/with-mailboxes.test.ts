/**
 * The two cores together: entities with a mailbox each, one committer, a store, and the loops of
 * `core/README.md` between them. An entity's state is the list of the ids that took effect on it, and a reply is
 * that list as the command left it; so a reply that was given too early, or of a change that was lost, shows.
 */
import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { SynodError } from "../../errors.ts";
import type { CommitBatch, CommitResult, ShardId } from "../../ports/store.ts";
import { Mailbox } from "../mailbox/mailbox.ts";
import type { FailReason, MailboxEffect, MailboxInput } from "../mailbox/messages.ts";
import { Commits, type CommitsEffect } from "./commits.ts";
import type { Change } from "./load.ts";
import { ModelStore } from "./model-store.test.ts";
import { badReply } from "./pending.test.ts";

/** A command: its id is what it appends. A bad one is refused by the store; one that only looks leaves nothing. */
interface Pending {
  readonly id: string;
  readonly bad: boolean;
  readonly looks: boolean;
  /** What the handler left: the list, as text. */
  left: string;
}

interface Running {
  readonly token: number;
  readonly attempt: number;
  readonly pending: Pending;
}

interface Ahead {
  readonly position: number;
  readonly version: number;
  readonly state: string;
}

type Answer = FailReason | { readonly seen: string };

const service = "list";
const badId = "bad";

class Entity {
  readonly mailbox = new Mailbox<Pending>({ mailboxLengthMax: 4 });
  readonly shard: ShardId;
  readonly key: string;
  readonly epoch: number;
  durable: Ahead;
  ahead: Ahead[] = [];
  running: Running | null = null;
  readonly lookups: { token: number; pending: Pending }[] = [];

  constructor(
    shard: ShardId,
    key: string,
    epoch: number,
    { version, state }: { version: number; state: string | null },
  ) {
    this.shard = shard;
    this.key = key;
    this.epoch = epoch;
    this.durable = { position: 0, version, state: state ?? "" };
    this.mailbox.step({ kind: "loaded" });
  }

  get memory(): Ahead {
    return this.ahead.at(-1) ?? this.durable;
  }
}

class World {
  readonly #changes = new Map<string, Change>();
  readonly #store = new ModelStore({
    change: (name) => ({ change: this.#changes.get(name)!, at: 0, requires: null }),
    progress: () => assert.fail("nothing is said besides changes"),
  });
  readonly #commits = new Commits({ incarnation: 1, batchCommandsMax: 3, batchBytesMax: 1_000 });
  readonly #entities = new Map<string, Entity>();
  readonly #epochs = new Map<number, number>();
  #underWay: { batch: CommitBatch; result: CommitResult | null } | null = null;
  #lastToken = 0;
  #lastVersion = 0;
  #couldNotWrite = false;
  readonly #calls = new Map<number, { readonly entity: string; readonly pending: Pending; answer: Answer | null }>();

  #entity(number: number, key: string): Entity {
    const shard = { service, number };
    if (!this.#epochs.has(number)) this.#epochs.set(number, this.#store.claim(shard));
    const name = `${number}/${key}`;
    let entity = this.#entities.get(name);
    if (entity === undefined) {
      entity = new Entity(shard, key, this.#epochs.get(number)!, this.#store.row(shard, key));
      this.#entities.set(name, entity);
    }
    return entity;
  }

  call(number: number, key: string, id: string, looks: boolean): void {
    const token = ++this.#lastToken;
    const pending = { id: `${number}/${key}/${id}`, bad: id === badId, looks, left: "" };
    this.#calls.set(token, { entity: `${number}/${key}`, pending, answer: null });
    const arrival = looks ? { id: null, inputHash: null, lookup: false } : { id, inputHash: "", lookup: true };
    this.#drive(this.#entity(number, key), { kind: "arrive", until: "outcome", token, ...arrival, payload: pending });
  }

  /** Handlers and reads of one entity go on. */
  work(number: number, key: string): void {
    const entity = this.#entity(number, key);
    const lookup = entity.lookups.shift();
    if (lookup !== undefined) {
      const found = this.#store.applied.has(lookup.pending.id);
      this.#drive(entity, { kind: "looked", token: lookup.token, answer: found ? "found" : "absent" });
    }
    this.#finish(entity);
  }

  #finish(entity: Entity): void {
    const { running } = entity;
    if (running === null) return;
    entity.running = null;
    const { token, attempt, pending } = running;
    const before = entity.memory.state;
    pending.left = pending.looks ? before : `${before}${pending.id} `;
    this.#drive(entity, { kind: "finished", token, attempt, changed: !pending.looks });
  }

  flush(): void {
    this.#perform(this.#commits.step({ kind: "flush" }));
  }

  /** The store acts now; its answer comes later. */
  act(): void {
    if (this.#underWay !== null) this.#underWay.result ??= this.#store.commit(this.#underWay.batch);
  }

  answer(kind: "truth" | "failed" | "unknown"): void {
    const underWay = this.#underWay;
    if (underWay === null) return;
    if (kind === "truth" || (kind === "failed" && underWay.result !== null)) this.act();
    const failed = { status: "failed", error: new SynodError("unavailable", "full") } as const;
    const result = kind === "unknown" ? ({ status: "unknown" } as const) : (underWay.result ?? failed);
    this.#underWay = null;
    this.#couldNotWrite ||= result.status === "failed";
    this.#perform(this.#commits.step({ kind: "answered", result }));
  }

  /** The node gives the shard up, though a commit of it may be under way. */
  drop(number: number): void {
    const shard = { service, number };
    this.#dropShard(shard, (key) => this.#commits.positionUnderWay(shard, key));
  }

  steal(number: number): void {
    this.#store.claim({ service, number });
  }

  settle(): void {
    for (let left = 5_000; [...this.#entities.values()].some(({ mailbox }) => !mailbox.idle); left--) {
      assert.ok(left > 0, "the two cores come to no end");
      for (const { shard, key } of [...this.#entities.values()]) this.work(shard.number, key);
      this.flush();
      this.answer("truth");
    }
    while (this.#underWay !== null) this.answer("truth");
    for (const { entity, pending, answer } of this.#calls.values()) this.#check(this.#list(entity), pending, answer);
  }

  #list(name: string): string {
    const [number, key] = name.split("/");
    return this.#store.row({ service, number: Number(number) }, key!).state ?? "";
  }

  /** Replies are true for ever: what a caller saw is still the beginning of the list at the end. */
  #check(list: string, { id, looks, bad }: Pending, answer: Answer | null): void {
    assert.ok(answer !== null, "everybody is answered");
    if (answer === "rolled-back" && !this.#couldNotWrite) assert.ok(bad && !looks, "only bad data is refused");
    assert.ok(list.split(`${id} `).length <= 2, "an id takes effect at most once");
    if (typeof answer === "object") {
      assert.ok(list.startsWith(answer.seen), `a reply said ${answer.seen}, and the list is ${list}`);
      if (!looks) assert.ok(list.includes(`${id} `), "what was acknowledged is there");
    } else if (answer !== "dropped-unknown" && !looks) {
      const others = [...this.#calls.values()].filter((call) => call.pending.id === id && call.answer !== answer);
      if (others.length === 0) assert.ok(!list.includes(`${id} `), `${answer} means that it did not happen`);
    }
  }

  #drive(entity: Entity, input: MailboxInput<Pending>): void {
    for (const effect of entity.mailbox.step(input)) this.#performOne(entity, effect);
  }

  #performOne(entity: Entity, effect: MailboxEffect<Pending>): void {
    switch (effect.kind) {
      case "lookup":
        entity.lookups.push({ token: effect.token, pending: effect.payload });
        return;
      case "replay":
        return this.#answer(effect.tokens, { seen: "" });
      case "run":
        entity.running = { token: effect.token, attempt: effect.attempt, pending: effect.payload };
        return;
      case "abandon":
        entity.running = null;
        return;
      case "commit":
        return this.#commit(entity, effect.position, effect.payload);
      case "release":
        return this.#answer(effect.tokens, { seen: effect.payload.left });
      case "restore":
        entity.ahead = [];
        return;
      case "fail":
        return this.#answer(effect.tokens, effect.reason);
      case "departed":
        assert.fail("nobody calls anybody here");
    }
  }

  #answer(tokens: readonly number[], answer: Answer): void {
    for (const token of tokens) this.#calls.get(token)!.answer = answer;
  }

  #commit(entity: Entity, position: number, { id, bad, left }: Pending): void {
    const { shard, key, epoch, memory } = entity;
    const version = ++this.#lastVersion;
    const record = { id, inputHash: "", reply: bad ? badReply : "ok", finishedAt: 0, keyTime: null };
    const versions = { expectedVersion: memory.version, version, stateVersion: 1 };
    const change: Change = { shard, key, epoch, position, ...versions, state: left, record, work: null, floors: [] };
    this.#changes.set(id, change);
    entity.ahead.push({ position, version, state: left });
    this.#perform(this.#commits.step({ kind: "change", change }));
  }

  #perform(effects: readonly CommitsEffect[]): void {
    for (const effect of effects) this.#performCommits(effect);
  }

  #performCommits(effect: CommitsEffect): void {
    switch (effect.kind) {
      case "commit":
        this.#underWay = { batch: effect.batch, result: null };
        return;
      case "durable": {
        const entity = this.#entities.get(`${effect.shard.number}/${effect.key}`)!;
        while ((entity.ahead[0]?.position ?? Number.POSITIVE_INFINITY) <= effect.position) {
          entity.durable = entity.ahead.shift()!;
        }
        return this.#drive(entity, { kind: "durable", position: effect.position });
      }
      case "rolledBack": {
        const { through, culprit } = effect;
        const entity = this.#entities.get(`${effect.shard.number}/${effect.key}`)!;
        return this.#drive(entity, { kind: "rolledBack", through, culprit });
      }
      case "fenced":
        return this.#dropShard(effect.shard, () => 0);
      case "unknown":
        return this.#dropShard(effect.shard, (key) => effect.positions.get(key) ?? 0);
      case "wake":
        return;
      case "stale":
      case "progressed":
      case "ended":
      case "broken":
        assert.fail(`${effect.kind}: nothing of the kind happens here`);
    }
  }

  #dropShard(shard: ShardId, unknownThrough: (key: string) => number): void {
    for (const [name, entity] of [...this.#entities]) {
      if (entity.shard.number !== shard.number) continue;
      this.#drive(entity, { kind: "drop", unknownThrough: unknownThrough(entity.key) });
      this.#entities.delete(name);
    }
    this.#epochs.delete(shard.number);
    this.#perform(this.#commits.step({ kind: "drop", shard }));
  }
}

type Event =
  | { kind: "call"; shard: number; key: string; id: string; looks: boolean }
  | { kind: "work"; shard: number; key: string }
  | { kind: "flush" | "act" }
  | { kind: "answer"; answer: "truth" | "failed" | "unknown" }
  | { kind: "drop" | "steal"; shard: number };

const shard = fc.nat(1);
const key = fc.constantFrom("a", "b");
const id = fc.constantFrom("1", "2", "3", "4", "5", "6", badId);
const answer = fc.constantFrom("truth", "truth", "truth", "truth", "failed", "unknown");
const event: fc.Arbitrary<Event> = fc.oneof(
  { weight: 10, arbitrary: fc.record({ kind: fc.constant("call"), shard, key, id, looks: fc.boolean() }) },
  { weight: 16, arbitrary: fc.record({ kind: fc.constant("work"), shard, key }) },
  { weight: 6, arbitrary: fc.record({ kind: fc.constantFrom("flush", "act") }) },
  { weight: 5, arbitrary: fc.record({ kind: fc.constant("answer"), answer }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constantFrom("drop", "steal"), shard }) },
);

function happen(world: World, event: Event): void {
  switch (event.kind) {
    case "call":
      return world.call(event.shard, event.key, event.id, event.looks);
    case "work":
      return world.work(event.shard, event.key);
    case "flush":
      return world.flush();
    case "act":
      return world.act();
    case "answer":
      return world.answer(event.answer);
    case "drop":
      return world.drop(event.shard);
    case "steal":
      return world.steal(event.shard);
  }
}

test("mailboxes and the committer together: an id takes effect once, and every reply stays true", () => {
  fc.assert(
    fc.property(fc.array(event, { maxLength: 120, size: "max" }), (events) => {
      const world = new World();
      for (const event of events) happen(world, event);
      world.settle();
    }),
    { numRuns: 1_500 },
  );
});
