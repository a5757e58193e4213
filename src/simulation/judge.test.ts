/** What counts as an effect: a command may leave the state of its entity as it is, and a message or a timer behind. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { z } from "zod";
import type { GatewayReply } from "../ports/gateway.ts";
import type { CommitBatch, EntityChange } from "../ports/store.ts";
import type { EntityWork, OutboxMessage } from "../ports/work.ts";
import { defaultLimits } from "../runtime/limits.ts";
import { implement } from "../service/implement.ts";
import { command, defineInterface } from "../service/interface.ts";
import { defineSystem } from "../service/system.ts";
import { Judge } from "./judge.ts";
import type { ClientOperation, HandlerRun } from "./operation.ts";
import type { Process } from "./world/process.ts";
import { World } from "./world/world.ts";

const operations = { act: command({}), last: command({ durable: true }) };
const Post = defineInterface("post", { key: z.string(), operations });
const post = implement(Post, {
  state: { version: 1, initial: () => ({}) },
  operations: { act: () => {}, last: () => {} },
});
const Desk = defineInterface("desk", { operations: { pass: command({}) } });
const desk = implement(Desk, { calls: [Post], operations: { pass: () => {} } });
const system = defineSystem({ name: "posting", services: [post, desk] });
const done: GatewayReply = { ok: true, output: undefined, replayed: false };
const refused: GatewayReply = {
  ok: false,
  replayed: false,
  error: {
    code: "unavailable",
    declared: false,
    message: "",
    data: undefined,
    outcome: "not-happened",
    retryable: true,
  },
};

/** What a run leaves behind, what of it its commit writes, and by which operation. */
interface Kind {
  readonly operation: keyof typeof operations;
  readonly leave: (left: HandlerRun["left"]) => void;
  readonly work: Partial<EntityWork> | null;
}

const message = { service: "post", target: "b", operation: "act", input: null, dueAt: null };
const sentMessage: OutboxMessage = {
  ...{ number: 1, key: "a", service: "post", target: "b", operation: "act", input: null },
  ...{ principal: "anonymous", request: "r", traceparent: null, sentAt: 0, attempts: 0, parked: null },
};
const timer = { operation: "act", input: null, dueAt: 5 };
const nothing: Kind = { operation: "act", leave: () => {}, work: null };
const cancel: Kind = {
  operation: "act",
  leave: (left) => left.timers.set("t", null),
  work: { timersCleared: ["t"] },
};
const effects: Readonly<Record<string, Kind>> = {
  "a message": {
    operation: "act",
    leave: (left) => left.messages.push(message),
    work: { sent: [sentMessage] },
  },
  "a timer that is set": {
    operation: "act",
    leave: (left) => left.timers.set("t", timer),
    work: { timersSet: [{ ...timer, key: "a", name: "t", generation: 2, service: null } as never] },
  },
  "a timer that is cancelled": cancel,
  "the end of a durable command": { operation: "last", leave: () => {}, work: null },
};

const shard = { service: "post", number: 0 };
const process = { name: "node-1", generation: 1, alive: true } as Process;

/** A judge that is told of runs on one entity, none of which looks at its state. */
class Trial {
  readonly judge: Judge = new Judge(new World({ seed: 1, onThrown: assert.ifError }), system, defaultLimits);

  asked(operation: string, service = "post"): ClientOperation {
    const client = { client: "client-1", principal: "client-1" };
    const request = service === "post" ? { service, key: "a", operation } : { service, operation };
    return this.judge.invoked(request, { ...client, inputText: undefined, idempotencyKey: "k" });
  }

  /** Under a key that is given to it. */
  askedUnder(idempotencyKey: string, operation: string): ClientOperation {
    const request = { service: "post", key: "a", operation, idempotencyKey };
    const client = { client: "client-1", principal: "client-1" };
    return this.judge.invoked(request, { ...client, inputText: undefined, idempotencyKey });
  }

  /** One that the judge has not heard of. */
  run(client: ClientOperation, operation: keyof typeof operations, id: string): HandlerRun {
    return {
      ...{ number: this.judge.nextRunNumber(), process, service: "post", key: "a", operation, client, id, attempt: 1 },
      ...{ definition: operations[operation] as HandlerRun["definition"], kind: "command", startedAt: 0 },
      ...{ holdsContext: () => true, start: null, end: null, cleared: false, outcome: "value", reply: done },
      ...{ calls: [], left: { messages: [], timers: new Map() }, position: 0 },
    };
  }

  /** The same at a service without keys. */
  atDesk(client: ClientOperation): HandlerRun {
    return { ...this.run(client, "act", "desk"), service: "desk", key: null, operation: "pass" };
  }

  ran(client: ClientOperation, { operation, leave }: Kind, id: string): HandlerRun {
    const run = this.run(client, operation, id);
    leave(run.left);
    this.judge.started(run);
    this.judge.ended(run);
    return run;
  }

  /** The store accepts what ran; `ids` are those that leave a record. */
  commits({ work }: Pick<Kind, "work">, ids: readonly string[]): void {
    const records = ids.map((id) => ({ id }) as EntityChange["records"][number]);
    const empty = { accepted: [], finished: [], sent: [], timersSet: [], timersCleared: [] };
    const change = {
      expectedVersion: 0,
      version: 0,
      stateVersion: 1,
      state: null,
      records,
      work: work && { ...empty, ...work },
    };
    const entities = [{ key: "a", ...change }];
    const batch: CommitBatch = {
      incarnation: 1,
      shards: [{ shard, epoch: 1, entities, floors: [], sessionNext: null, progress: null }],
    };
    const sent = this.judge.commitSent(process, batch);
    this.judge.committed(process, batch, { status: "committed", renewed: true }, sent);
  }

  get broken(): string[] {
    return this.judge.violations.map(({ promise }) => promise);
  }
}

for (const [name, kind] of Object.entries(effects)) {
  test(`where all that is left of a command is ${name}, its answer leaves after its commit`, () => {
    for (const isEarly of [true, false]) {
      const trial = new Trial();
      const client = trial.asked(kind.operation);
      trial.ran(client, kind, "id");
      if (!isEarly) trial.commits(kind, ["id"]);
      trial.judge.left(client, done);
      trial.judge.completed(client, "ok", done);
      assert.deepEqual(trial.broken, isEarly ? ["durable"] : []);
    }
  });

  test(`where all that is left of a command is ${name}, that is not left twice`, () => {
    const trial = new Trial();
    const client = trial.asked(kind.operation);
    for (const last of [false, true]) {
      trial.ran(client, kind, "id");
      trial.commits(kind, ["id"]);
      assert.deepEqual(trial.broken, last ? ["effectively once"] : []);
    }
  });

  test(`where all that is left of a command is ${name}, it is not left of what did not happen`, () => {
    for (const isFirst of [true, false]) {
      const trial = new Trial();
      const client = trial.asked(kind.operation);
      trial.ran(client, kind, "id");
      if (isFirst) trial.commits(kind, ["id"]);
      trial.judge.completed(client, "fail", refused);
      if (!isFirst) trial.commits(kind, ["id"]);
      assert.deepEqual(trial.broken, ["known outcome"]);
    }
  });

  test(`where all that is left of a command is ${name}, whoever called it hears of it after its commit`, () => {
    for (const isEarly of [true, false]) {
      const trial = new Trial();
      const client = trial.asked("last");
      const caller = trial.ran(client, effects["the end of a durable command"]!, "caller");
      const called = trial.ran(client, kind, "id");
      client.called.push(called);
      if (!isEarly) called.position = 1;
      trial.judge.heard(caller, {
        service: "post",
        key: "a",
        operation: kind.operation,
        kind: "command",
        output: undefined,
      });
      assert.deepEqual(trial.broken, isEarly ? ["linearizable"] : []);
    }
  });
}

test("a command that leaves nothing may be answered before its record is in the store, and be said not to have happened", () => {
  const trial = new Trial();
  const client = trial.asked("act");
  trial.ran(client, nothing, "id");
  trial.judge.left(client, done);
  trial.commits(nothing, ["id"]);
  trial.judge.completed(client, "fail", refused);
  trial.ran(client, nothing, "id");
  trial.commits(nothing, ["id"]);
  assert.deepEqual(trial.broken, []);
});

for (const [name, kind] of Object.entries(effects)) {
  test(`where all that a command has called has left ${name}, it is not said not to have happened`, () => {
    for (const isFirst of [true, false]) {
      const trial = new Trial();
      const client = trial.asked("pass", "desk");
      const name = `post/a.${kind.operation}`;
      trial.judge.made(trial.atDesk(client), { name, count: 1, heardBefore: 0, outcome: null });
      trial.ran(client, kind, "id");
      if (isFirst) trial.commits(kind, ["id"]);
      trial.judge.completed(client, "fail", refused);
      if (!isFirst) trial.commits(kind, ["id"]);
      assert.deepEqual(trial.broken, ["known outcome"]);
    }
  });
}

test("a command without a key is not said not to have happened once it was begun", () => {
  for (const isFirst of [true, false]) {
    const trial = new Trial();
    const client = trial.asked("pass", "desk");
    if (isFirst) trial.judge.started(trial.atDesk(client));
    trial.judge.completed(client, "fail", refused);
    if (!isFirst) trial.judge.started(trial.atDesk(client));
    assert.deepEqual(trial.broken, ["known outcome"]);
  }
});

test("of several under one key, what is refused to one says nothing of the others", () => {
  const act = effects["a message"]!;
  for (const refusedToFirst of [true, false]) {
    const trial = new Trial();
    const [first, repeat] = [trial.askedUnder("once", "act"), trial.askedUnder("once", "act")];
    const [told, answered] = refusedToFirst ? [first, repeat] : [repeat, first];
    trial.judge.completed(told, "fail", refused);
    trial.ran(first, act, "id");
    trial.commits(act, ["id"]);
    trial.judge.left(answered, done);
    trial.judge.completed(answered, "ok", done);
    assert.deepEqual(trial.broken, []);
  }
});

test("of several under one key that were all refused, nothing may happen; another key's are others", () => {
  const trial = new Trial();
  const [first, repeat] = [trial.askedUnder("once", "act"), trial.askedUnder("once", "act")];
  const other = trial.askedUnder("twice", "act");
  trial.ran(first, effects["a message"]!, "id");
  trial.commits(effects["a message"]!, ["id"]);
  for (const told of [other, first]) trial.judge.completed(told, "fail", refused);
  assert.deepEqual(trial.broken, []);
  trial.judge.completed(repeat, "fail", refused);
  assert.deepEqual(trial.broken, ["known outcome"]);
});

// Which of two commits has the second of these is not known before there is another.

const [firstId, secondId, thirdId] = ["AAAAAAAAAAAA-1", "AAAAAAAAAAAA-2", "AAAAAAAAAAAA-3"] as const;

test("of two commands without an id that cancel one timer, the second is not known to be in the first one's commit", () => {
  const trial = new Trial();
  const [first, second] = [trial.asked("act"), trial.asked("act")];
  trial.ran(first, cancel, firstId);
  trial.ran(second, cancel, secondId);
  trial.commits(cancel, []);
  trial.judge.completed(second, "fail", refused);
  assert.deepEqual(trial.broken, [], "it may have been lost");
  trial.commits(cancel, []);
  assert.deepEqual(trial.broken, ["known outcome"], "it has a commit of its own");
});

test("what may have been in a commit that was before its own did not take effect twice", () => {
  const trial = new Trial();
  const [first, second] = [trial.asked("act"), trial.asked("act")];
  trial.ran(first, cancel, firstId);
  trial.ran(second, cancel, secondId);
  trial.commits(cancel, []);
  trial.commits(cancel, []);
  trial.ran(first, cancel, thirdId);
  trial.commits(cancel, []);
  assert.deepEqual(trial.broken, ["effectively once"], "this one did");
  trial.ran(first, cancel, firstId);
  trial.ran(second, cancel, secondId);
  trial.commits(cancel, []);
  assert.deepEqual(trial.broken, ["effectively once", "effectively once"], "and the first, but perhaps not the second");
});

test("what may have been in a commit, was lost, and is done again took effect once", () => {
  const trial = new Trial();
  const [first, second] = [trial.asked("act"), trial.asked("act")];
  trial.ran(first, cancel, firstId);
  trial.ran(second, cancel, secondId);
  trial.commits(cancel, []);
  trial.judge.readSent(process, [{ kind: "entity", shard, key: "a" }]);
  trial.ran(second, cancel, thirdId);
  trial.commits(cancel, []);
  assert.deepEqual(trial.broken, []);
});

test("what is called, and may have been in a commit that was before its own, counts once", () => {
  const trial = new Trial();
  const client = trial.asked("last");
  const caller = trial.ran(client, effects["the end of a durable command"]!, "caller");
  trial.commits(nothing, ["caller"]);
  for (const count of [1, 2]) {
    trial.judge.made(caller, { name: "post/a.act", count, heardBefore: 0, outcome: null });
  }
  trial.ran(client, cancel, firstId);
  trial.ran(client, cancel, secondId);
  trial.commits(cancel, []);
  trial.commits(cancel, []);
  assert.deepEqual(trial.broken, []);
  trial.ran(client, cancel, thirdId);
  trial.commits(cancel, []);
  assert.deepEqual(trial.broken, ["effectively once"]);
});
