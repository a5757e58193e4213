/** The mailbox by example: one short story per rule. `mailbox.properties.test.ts` tries all orders. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { Mailbox } from "./mailbox.ts";
import type { MailboxEffect, MailboxInput } from "./messages.ts";

type Arrival = Partial<Omit<Extract<MailboxInput<string>, { kind: "arrive" }>, "kind">>;

/** A loaded mailbox whose payloads are names. */
function mailbox(mailboxLengthMax = 10): Mailbox<string> {
  const loaded = new Mailbox<string>({ mailboxLengthMax });
  loaded.step({ kind: "loaded" });
  return loaded;
}

function arrive(to: Mailbox<string>, token: number, arrival: Arrival = {}): readonly MailboxEffect<string>[] {
  const defaults = { id: null, inputHash: null, lookup: false, payload: `command ${token}` };
  return to.step({ kind: "arrive", until: "outcome", token, ...defaults, ...arrival });
}

function finish(of: Mailbox<string>, token: number, { attempt = 1, changed = true } = {}): MailboxEffect<string>[] {
  return [...of.step({ kind: "finished", token, attempt, changed })];
}

const kinds = (effects: readonly MailboxEffect<string>[]): string[] => effects.map(({ kind }) => kind);

test("a command arrives, waits for the state, gets the turn, and is answered when its change is durable", () => {
  const entity = new Mailbox<string>({ mailboxLengthMax: 10 });
  assert.deepEqual(arrive(entity, 1), []);
  assert.deepEqual(entity.step({ kind: "loaded" }), [{ kind: "run", token: 1, attempt: 1, payload: "command 1" }]);
  assert.deepEqual(finish(entity, 1), [{ kind: "commit", position: 1, payload: "command 1" }]);
  assert.equal(entity.idle, false);
  const release = { kind: "release", token: 1, tokens: [1], payload: "command 1" };
  assert.deepEqual(entity.step({ kind: "durable", position: 1 }), [release]);
  assert.equal(entity.idle, true);
});

test("a command that changes nothing is answered at once, unless it saw a change that is not durable", () => {
  const entity = mailbox();
  arrive(entity, 1);
  assert.deepEqual(kinds(finish(entity, 1, { changed: false })), ["release"]);
  arrive(entity, 2);
  arrive(entity, 3);
  assert.deepEqual(kinds(finish(entity, 2)), ["commit", "run"]);
  assert.deepEqual(finish(entity, 3, { changed: false }), []);
  const releases = entity.step({ kind: "durable", position: 1 });
  assert.deepEqual(kinds(releases), ["release", "release"]);
});

test("a call of a handler waits until all that the handler saw is durable", () => {
  const entity = mailbox();
  arrive(entity, 1);
  arrive(entity, 2);
  finish(entity, 1);
  assert.deepEqual(entity.step({ kind: "depart", token: 2, attempt: 1, departure: 7 }), []);
  const effects = entity.step({ kind: "durable", position: 1 });
  assert.deepEqual(effects.at(-1), { kind: "departed", departure: 7 });
});

test("a call that a handler left behind never leaves, not even when its command runs again", () => {
  const entity = mailbox();
  for (const token of [1, 2, 3]) arrive(entity, token);
  finish(entity, 1);
  finish(entity, 2);
  entity.step({ kind: "depart", token: 3, attempt: 1, departure: 7 });
  finish(entity, 3, { changed: false });
  const again = entity.step({ kind: "rolledBack", through: 1, culprit: false });
  assert.deepEqual(kinds(again), ["restore", "fail", "run"]);
  assert.deepEqual(kinds(finish(entity, 2, { attempt: 2 })), ["commit", "run"]);
  assert.deepEqual(kinds(entity.step({ kind: "durable", position: 1 })), ["release"]);
});

test("a handler that lost its turn settles without effect, even when its command has the turn again", () => {
  const entity = mailbox();
  arrive(entity, 1);
  arrive(entity, 2);
  finish(entity, 1);
  const rolledBack = entity.step({ kind: "rolledBack", through: 1, culprit: false });
  assert.deepEqual(kinds(rolledBack), ["restore", "fail", "abandon", "run"]);
  assert.deepEqual(finish(entity, 2, { attempt: 1 }), []);
  assert.deepEqual(kinds(finish(entity, 2, { attempt: 2 })), ["commit"]);
});

test("changes that are refused together run again one by one until the bad one stands alone", () => {
  const entity = mailbox();
  for (const token of [1, 2, 3]) arrive(entity, token);
  for (const token of [1, 2, 3]) finish(entity, token);
  const refused = entity.step({ kind: "rolledBack", through: 2, culprit: true });
  assert.deepEqual(refused.at(-1), { kind: "run", token: 1, attempt: 2, payload: "command 1" });
  assert.deepEqual(kinds(finish(entity, 1, { attempt: 2 })), ["commit"], "nothing runs beside a suspect");
  assert.deepEqual(kinds(entity.step({ kind: "durable", position: 1 })), ["release", "run"]);
  finish(entity, 2, { attempt: 2 });
  assert.deepEqual(entity.step({ kind: "rolledBack", through: 2, culprit: true }), [
    { kind: "restore" },
    { kind: "fail", tokens: [2], reason: "rolled-back" },
    { kind: "run", token: 3, attempt: 2, payload: "command 3" },
  ]);
});

test("when the store cannot write at all, exactly the authors of what it did not write fail", () => {
  const entity = mailbox();
  for (const token of [1, 2, 3, 4]) arrive(entity, token);
  for (const token of [1, 2, 3]) finish(entity, token);
  assert.deepEqual(entity.step({ kind: "rolledBack", through: 2, culprit: false }), [
    { kind: "restore" },
    { kind: "fail", tokens: [1], reason: "rolled-back" },
    { kind: "fail", tokens: [2], reason: "rolled-back" },
    { kind: "abandon" },
    { kind: "run", token: 3, attempt: 2, payload: "command 3" },
  ]);
});

test("copies join a command until its answer has left, and get the same answer", () => {
  const entity = mailbox();
  const call = { id: "x", inputHash: "in" };
  assert.deepEqual(kinds(arrive(entity, 1, { ...call, lookup: true })), ["lookup"]);
  assert.deepEqual(arrive(entity, 2, { ...call, lookup: true }), []);
  entity.step({ kind: "looked", token: 1, answer: "absent" });
  assert.deepEqual(arrive(entity, 3, call), []);
  finish(entity, 1);
  assert.deepEqual(arrive(entity, 4, call), []);
  const release = { kind: "release", token: 1, tokens: [1, 2, 3, 4], payload: "command 1" };
  assert.deepEqual(entity.step({ kind: "durable", position: 1 }), [release]);
});

test("the same id with another input is an error, once the id is known to be new", () => {
  const entity = mailbox();
  arrive(entity, 1, { id: "x", inputHash: "in", lookup: true });
  assert.deepEqual(arrive(entity, 2, { id: "x", inputHash: "other", lookup: true }), []);
  assert.deepEqual(entity.step({ kind: "looked", token: 1, answer: "absent" }), [
    { kind: "fail", tokens: [2], reason: "mismatch" },
    { kind: "run", token: 1, attempt: 1, payload: "command 1" },
  ]);
  const late = arrive(entity, 3, { id: "x", inputHash: "other", lookup: true });
  assert.deepEqual(late, [{ kind: "fail", tokens: [3], reason: "mismatch" }]);
});

test("a true repeat is answered from the record although a wrong one came first", () => {
  const entity = mailbox();
  arrive(entity, 1, { id: "x", inputHash: "wrong", lookup: true });
  arrive(entity, 2, { id: "x", inputHash: "right", lookup: true });
  const found = entity.step({ kind: "looked", token: 1, answer: "found" });
  assert.deepEqual(found, [{ kind: "replay", tokens: [1, 2], payload: "command 1" }]);
  assert.equal(entity.idle, true);
});

test("when the first caller has gone, another input under its id gets its own chance", () => {
  const entity = mailbox();
  arrive(entity, 1, { id: "x", inputHash: "wrong", lookup: true });
  arrive(entity, 2, { id: "x", inputHash: "right", lookup: true });
  assert.deepEqual(entity.step({ kind: "expire", token: 1 }), [
    { kind: "fail", tokens: [1], reason: "expired" },
    { kind: "lookup", token: 2, payload: "command 2" },
  ]);
  assert.deepEqual(entity.step({ kind: "looked", token: 1, answer: "absent" }), []);
  assert.deepEqual(kinds(entity.step({ kind: "looked", token: 2, answer: "absent" })), ["run"]);
});

test("whoever gives up is told whether the command may still happen", () => {
  const entity = mailbox();
  const call = { id: "x", inputHash: "in" };
  arrive(entity, 1, call);
  arrive(entity, 2);
  arrive(entity, 3, call);
  const first = entity.step({ kind: "expire", token: 1 });
  assert.deepEqual(first, [{ kind: "fail", tokens: [1], reason: "expired-unknown" }], "a copy still waits");
  const queued = entity.step({ kind: "expire", token: 2 });
  assert.deepEqual(queued, [{ kind: "fail", tokens: [2], reason: "expired" }], "nobody waits, and it never ran");
  const last = entity.step({ kind: "expire", token: 3 });
  assert.deepEqual(last, [{ kind: "fail", tokens: [3], reason: "expired" }, { kind: "abandon" }]);
  arrive(entity, 4);
  finish(entity, 4);
  const executed = entity.step({ kind: "expire", token: 4 });
  assert.deepEqual(executed, [{ kind: "fail", tokens: [4], reason: "expired-unknown" }], "its change is on its way");
});

test("a full queue takes copies, and nothing else", () => {
  const entity = mailbox(1);
  arrive(entity, 1);
  arrive(entity, 2, { id: "x", inputHash: "in" });
  assert.deepEqual(arrive(entity, 3), [{ kind: "fail", tokens: [3], reason: "full" }]);
  assert.deepEqual(arrive(entity, 4, { id: "x", inputHash: "in" }), []);
  assert.equal(entity.queued, 1);
});

test("a command that is shed fails for all who wait for it, and the next one gets the turn", () => {
  const entity = mailbox();
  const call = { id: "x", inputHash: "in" };
  for (const token of [1, 2]) arrive(entity, token, call);
  arrive(entity, 3);
  assert.deepEqual(entity.step({ kind: "shed", token: 1, attempt: 1, reason: "shed" }), [
    { kind: "fail", tokens: [1, 2], reason: "shed" },
    { kind: "run", token: 3, attempt: 1, payload: "command 3" },
  ]);
  assert.deepEqual(kinds(arrive(entity, 4, call)), [], "it is not remembered: a repeat waits for its own turn");
  assert.equal(entity.queued, 1);
});

test("at a drop everybody hears whether the change was in the commit of unknown outcome", () => {
  const entity = mailbox();
  for (const token of [1, 2, 3, 4]) arrive(entity, token);
  finish(entity, 1);
  finish(entity, 2);
  assert.deepEqual(entity.step({ kind: "drop", unknownThrough: 1 }), [
    { kind: "abandon" },
    { kind: "fail", tokens: [1], reason: "dropped-unknown" },
    { kind: "fail", tokens: [2], reason: "dropped" },
    { kind: "fail", tokens: [3], reason: "dropped" },
    { kind: "fail", tokens: [4], reason: "dropped" },
  ]);
});
