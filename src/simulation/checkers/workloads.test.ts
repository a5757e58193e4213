/** The fast checkers, one for each line of the workload table: what they accept, and what each must catch. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { SynodError } from "../../errors.ts";
import { type Operation, pairOperations } from "../operations.ts";
import { scriptedHistory } from "../script.ts";
import { checkAppendList } from "./append-list.ts";
import { checkBank } from "./bank.ts";
import { checkCounterBounds } from "./counter.ts";
import { checkFencingLock } from "./fencing-lock.ts";
import { checkOwnersOfReplies, OwnershipTrace } from "./ownership.ts";
import { checkSends } from "./sends.ts";
import { findingsMax, formatVerdict, type Verdict } from "./verdict.ts";

type Checker = (operations: readonly Operation[]) => Verdict;

function verdictOf(check: Checker, script: string): Verdict {
  return check(pairOperations(scriptedHistory(script)));
}

function accepts(check: Checker, what: string, script: string): void {
  test(`accepted: ${what}`, () => {
    const verdict = verdictOf(check, script);
    assert.equal(verdict.status, "holds", formatVerdict(verdict));
    assert.ok(verdict.operations > 0, "nothing was checked");
  });
}

function catches(check: Checker, what: string, script: string, text: RegExp): void {
  test(`caught: ${what}`, () => {
    const verdict = verdictOf(check, script);
    assert.equal(verdict.status, "broken");
    assert.match(formatVerdict(verdict), text);
  });
}

const counter = checkCounterBounds;
accepts(counter, "adds and reads in turn", "0 add 1 | 0 ok | 1 read | 1 ok 1 | 0 add 2 | 0 ok | 1 read | 1 ok 3");
accepts(counter, "a read during an add, with it or without", "0 add 5 | 1 read | 1 ok 0 | 2 read | 2 ok 5 | 0 ok");
accepts(counter, "an unknown add, in a late read", "0 add 5 | 0 info | 1 read | 1 ok 0 | 1 read | 1 ok 5");
accepts(counter, "adds of negative amounts", "0 add 5 | 0 ok | 1 add -2 | 2 read | 2 ok 3 | 3 read | 3 ok 5 | 1 ok");
accepts(counter, "two counters", "0 add@a 5 | 0 ok | 0 read@b | 0 ok 0");
catches(counter, "a lost add", "0 add 5 | 0 ok | 1 read | 1 ok 0", /read → 0 .*must be from 5 to 5/);
catches(counter, "a doubled add", "0 add 5 | 0 info | 1 read | 1 ok 10", /read → 10 .*must be from 0 to 5/);
catches(counter, "a failed add that counts", "0 add 5 | 0 fail | 1 read | 1 ok 5", /read → 5 .*must be from 0 to 0/);
catches(counter, "an add that counts before it is asked", "1 read | 1 ok 5 | 0 add 5 | 0 ok", /from 0 to 0/);
catches(counter, "a negative add that is lost", "0 add -5 | 0 ok | 1 read | 1 ok 0", /from -5 to -5/);
catches(
  counter,
  "a read that goes back",
  "0 add 5 | 1 read | 1 ok 5 | 1 read | 1 ok 0 | 0 ok",
  /read → 0 .*goes back behind read → 5/,
);
catches(counter, "an answer that is no number", '0 read | 0 ok "five"', /read → "five"/);

const list = checkAppendList;
accepts(
  list,
  "appends and reads in turn",
  "0 append 1 | 0 ok | 1 read | 1 ok [1] | 0 append 2 | 0 ok | 1 read | 1 ok [1,2]",
);
accepts(list, "concurrent appends in either order", "0 append 1 | 1 append 2 | 0 ok | 1 ok | 2 read | 2 ok [2,1]");
accepts(list, "an unknown append that shows late", "0 append 1 | 0 info | 1 read | 1 ok [] | 1 read | 1 ok [1]");
accepts(list, "elements that are objects", '0 append {"a":1,"b":2} | 0 ok | 0 read | 0 ok [{"b":2,"a":1}]');
catches(list, "an acknowledged append that is lost", "0 append 1 | 0 ok | 1 read | 1 ok []", /lacks what append 1/);
catches(
  list,
  "a list that shrinks",
  "0 append 1 | 1 read | 1 ok [1] | 1 read | 1 ok [] | 0 ok",
  /read → \[\] .*lacks what read → \[1\]/,
);
catches(
  list,
  "lists that fork",
  "0 append 1 | 1 append 2 | 2 read | 3 read | 2 ok [1] | 3 ok [2] | 0 ok | 1 ok",
  /is no prefix of/,
);
catches(
  list,
  "appends in the wrong order",
  "0 append 1 | 0 ok | 0 append 2 | 0 ok | 1 read | 1 ok [2,1]",
  /append 2 .*stands before append 1/,
);
catches(list, "a doubled append", "0 append 1 | 0 ok | 1 read | 1 ok [1,1]", /an element stands in it twice: 1/);
catches(list, "an element that nobody appended", "1 read | 1 ok [7]", /has 7, which nobody appended/);
catches(
  list,
  "a failed append that shows",
  "0 append 1 | 0 fail | 1 read | 1 ok [1]",
  /has 1 of append 1 → did not happen/,
);
catches(list, "an element from the future", "1 read | 1 ok [1] | 0 append 1 | 0 ok", /of the later append 1/);
catches(list, "an answer that is no list", "0 read | 0 ok 5", /which is no list/);
catches(
  list,
  "an append that is lost while a later one is there, in a read that began before both",
  "2 read | 0 append 1 | 0 ok | 0 append 2 | 2 ok [2] | 0 ok",
  /append 2 .*stands before append 1/,
);

const bank: Checker = (operations) => checkBank(operations, { a: 10, b: 10 });
const [ab5, ba3] = ['{"id":"t1","from":"a","to":"b","amount":5}', '{"id":"t2","from":"b","to":"a","amount":3}'];
accepts(
  bank,
  "transfers",
  `0 transfer ${ab5} | 1 transfer ${ba3} | 0 ok | 1 ok | 2 balances "settled" | 2 ok {"a":8,"b":12}`,
);
accepts(bank, "a read that is no atomic view", `0 transfer ${ab5} | 1 balances | 1 ok {"a":5,"b":10} | 0 ok`);
accepts(
  bank,
  "a refused transfer",
  `0 transfer ${ab5} | 0 error insufficientFunds | 2 balances "settled" | 2 ok {"a":10,"b":10}`,
);
accepts(
  bank,
  "an unknown transfer that was done",
  `0 transfer ${ab5} | 0 info | 2 balances "settled" | 2 ok {"a":5,"b":15}`,
);
accepts(
  bank,
  "an unknown transfer that was not",
  `0 transfer ${ab5} | 0 info | 2 balances "settled" | 2 ok {"a":10,"b":10}`,
);
accepts(
  bank,
  "a transfer that is asked for again, and done once",
  `0 transfer ${ab5} | 0 info | 1 transfer ${ab5} | 1 ok | 2 balances "settled" | 2 ok {"a":5,"b":15}`,
);
catches(
  bank,
  "money that vanishes",
  `0 transfer ${ab5} | 0 ok | 2 balances "settled" | 2 ok {"a":5,"b":10}`,
  /the total is 15 and was 20/,
);
catches(
  bank,
  "a transfer done twice",
  `0 transfer ${ab5} | 0 info | 1 transfer ${ab5} | 1 ok | 2 balances "settled" | 2 ok {"a":0,"b":20}`,
  /account a holds 0; its transfers make it 5/,
);
catches(
  bank,
  "an acknowledged transfer that is lost",
  `0 transfer ${ab5} | 0 ok | 2 balances "settled" | 2 ok {"a":10,"b":10}`,
  /account b holds 10; its transfers make it 15/,
);
catches(
  bank,
  "a failed transfer that was done",
  `0 transfer ${ab5} | 0 fail | 2 balances "settled" | 2 ok {"a":5,"b":15}`,
  /account a holds 5; its transfers make it 10/,
);
catches(
  bank,
  "an unknown transfer done twice",
  `0 transfer ${ab5} | 0 info | 2 balances "settled" | 2 ok {"a":0,"b":20}`,
  /make it from 5 to 10/,
);
catches(bank, "a negative balance at any time", `0 balances | 0 ok {"a":-1,"b":21}`, /account a is negative/);
catches(
  bank,
  "two replies to one transfer",
  `0 transfer ${ab5} | 0 ok | 1 transfer ${ab5} | 1 error insufficientFunds`,
  /t1 was both done and refused/,
);

catches(bank, "an answer without balances", "0 balances | 0 ok 5", /no record of balances/);
catches(bank, "balances that are no numbers", '0 balances | 0 ok {"a":null}', /no record of balances/);

const sends: Checker = checkSends;
const [m1, m2] = ['send@a {"to":"r","id":"m1"}', 'send@a {"to":"r","id":"m2"}'];
const got = (...ids: readonly string[]) => JSON.stringify(ids.map((id) => ({ from: "a", id })));
accepts(
  sends,
  "messages in order",
  `0 ${m1} | 0 ok 1 | 0 ${m2} | 0 ok 2 | 1 received@r "settled" | 1 ok ${got("m1", "m2")}`,
);
accepts(sends, "messages that are still on their way", `0 ${m1} | 0 ok 1 | 1 received@r | 1 ok []`);
accepts(
  sends,
  "concurrent sends in the order of their numbers",
  `0 ${m1} | 1 ${m2} | 0 ok 2 | 1 ok 1 | 2 received@r "settled" | 2 ok ${got("m2", "m1")}`,
);
accepts(
  sends,
  "an unknown send, there or not",
  `0 ${m1} | 0 info | 1 ${m2} | 1 info | 2 received@r "settled" | 2 ok ${got("m2")}`,
);
catches(
  sends,
  "a message that is lost",
  `0 ${m1} | 0 ok 1 | 1 received@r "settled" | 1 ok []`,
  /"m1" from "a" to "r", acknowledged, never arrived/,
);
catches(
  sends,
  "a message that arrives twice",
  `0 ${m1} | 0 ok 1 | 1 received@r | 1 ok ${got("m1", "m1")}`,
  /"m1" .* arrived twice/,
);
catches(
  sends,
  "messages out of order",
  `0 ${m1} | 0 ok 1 | 0 ${m2} | 0 ok 2 | 1 received@r | 1 ok ${got("m2", "m1")}`,
  /has number 1 and arrived after number 2/,
);
catches(
  sends,
  "a message of a failed command",
  `0 ${m1} | 0 fail | 1 received@r | 1 ok ${got("m1")}`,
  /did not happen .*arrived all the same/,
);
catches(
  sends,
  "a message of a refused command",
  `0 ${m1} | 0 error full | 1 received@r | 1 ok ${got("m1")}`,
  /error full .*arrived all the same/,
);
catches(sends, "a message that nobody sent", `1 received@r | 1 ok ${got("m9")}`, /"m9" .* was never sent/);
catches(
  sends,
  "a message before it is sent",
  `1 received@r | 1 ok ${got("m1")} | 0 ${m1} | 0 ok 1`,
  /arrived before it was sent/,
);
catches(sends, "one number for two messages", `0 ${m1} | 0 ok 1 | 0 ${m2} | 0 ok 1`, /two messages have one number/);

catches(sends, "an answer that is no list", "0 received@r | 0 ok 5", /no list of messages/);
catches(sends, "an answer of something else", "0 received@r | 0 ok [null]", /no list of messages/);

const lock = checkFencingLock;
const useBy = (holder: string, token: number) => `use ${JSON.stringify({ holder, token })}`;
accepts(
  lock,
  "holders in turn",
  `0 acquire "x" | 0 ok 1 | 0 ${useBy("x", 1)} | 0 ok | 1 acquire "y" | 1 ok 2 | 1 ${useBy("y", 2)} | 1 ok`,
);
accepts(
  lock,
  "a paused holder that is refused",
  `0 acquire "x" | 0 ok 1 | 1 acquire "y" | 1 ok 2 | 1 ${useBy("y", 2)} | 1 ok | 0 ${useBy("x", 1)} | 0 error fenced`,
);
accepts(
  lock,
  "an old token before the new one is used",
  `0 acquire "x" | 0 ok 1 | 1 acquire "y" | 1 ok 2 | 0 ${useBy("x", 1)} | 0 ok`,
);
accepts(lock, "a token that its holder heard of elsewhere", `0 acquire "x" | 0 info | 1 ${useBy("x", 1)} | 1 ok`);
catches(
  lock,
  "a paused holder that is let in",
  `0 acquire "x" | 0 ok 1 | 1 acquire "y" | 1 ok 2 | 1 ${useBy("y", 2)} | 1 ok | 0 ${useBy("x", 1)} | 0 ok`,
  /was accepted after the newer/,
);
catches(lock, "one token for two", '0 acquire "x" | 0 ok 1 | 1 acquire "y" | 1 ok 1', /one token was given twice/);
catches(lock, "tokens that do not grow", '0 acquire "x" | 0 ok 2 | 1 acquire "y" | 1 ok 1', /is not above the earlier/);
catches(lock, "another's token", `0 acquire "x" | 0 ok 1 | 1 ${useBy("y", 1)} | 1 ok`, /the token is of acquire "x"/);
catches(lock, "a token that was never given", `1 ${useBy("y", 1)} | 1 ok`, /nobody was given that token/);
catches(
  lock,
  "two users of one unheard token",
  `0 acquire "x" | 0 info | 1 acquire "y" | 1 info | 2 ${useBy("x", 1)} | 2 ok | 3 ${useBy("y", 1)} | 3 ok`,
  /the token is of use/,
);

test("accepted commits: owners in turn are fine, with new epochs; shards are told apart", () => {
  const trace = new OwnershipTrace();
  const accept = (number: number, epoch: number, node: string, incarnation: number) =>
    trace.accept({ shard: { service: "account", number }, epoch, node, incarnation });
  assert.equal(accept(0, 1, "node-1", 1), undefined);
  assert.equal(accept(0, 1, "node-1", 1), undefined);
  assert.equal(accept(1, 1, "node-2", 2), undefined);
  assert.equal(accept(0, 3, "node-2", 2), undefined);
  assert.match(
    accept(0, 3, "node-1", 1) ?? "",
    /two owners: shard account\/0 accepted commits of node-2 \(incarnation 2\) and of node-1 \(incarnation 1\) at epoch 3/,
  );
  assert.match(
    accept(0, 2, "node-1", 1) ?? "",
    /a late commit: .* of node-1 \(incarnation 1\) at epoch 2 after one of node-1 \(incarnation 1\) at epoch 3/,
  );
  assert.match(
    accept(0, 1, "node-2", 2) ?? "",
    /two owners: .* of node-2 \(incarnation 2\) at epoch 1 after one of node-1/,
  );
  assert.match(accept(1, 1, "node-2", 5) ?? "", /incarnation 2\) and of node-2 \(incarnation 5\)/);
});

function told(...replies: readonly (readonly [invokedAt: number, completedAt: number, node: string, epoch: number])[]) {
  return replies.map(([invokedAt, completedAt, node, epoch], process): Operation => {
    const reply = { value: null, error: undefined };
    return { process, f: "read", key: "k", value: null, outcome: "ok", reply, node, epoch, invokedAt, completedAt };
  });
}

test("replies: epochs that overlap in time are fine, one that goes back or has two nodes is caught", () => {
  assert.equal(
    checkOwnersOfReplies(told([0, 1, "node-1", 1], [2, 5, "node-2", 2], [3, 4, "node-1", 1])).status,
    "holds",
  );
  const back = checkOwnersOfReplies(told([0, 1, "node-2", 2], [2, 3, "node-1", 1]));
  assert.match(formatVerdict(back), /broken[\s\S]*epoch 1 after 2/);
  const two = checkOwnersOfReplies(told([0, 2, "node-1", 1], [1, 3, "node-2", 1]));
  assert.match(formatVerdict(two), /broken[\s\S]*node-1 and node-2 replied at epoch 1/);
});

test("a history that its checker cannot read is an error, not a verdict", () => {
  for (const [check, script, message] of [
    [counter, "0 add 1.5 | 0 ok", /a counter has no operation add with 1.5/],
    [list, "0 append 1 | 0 ok | 0 append 1 | 0 ok", /appends 1 to list k twice/],
    [bank, "0 transfer 5 | 0 ok", /event 0 of the history is no transfer: 5/],
    [sends, "0 send 5 | 0 ok 1", /event 0 of the history is no send: 5/],
    [sends, `0 ${m1} | 0 ok 1 | 0 ${m1} | 0 ok 2`, /sends message "m1" from "a" to "r" twice/],
    [lock, "0 acquire | 0 info", /event 0 of the history names no holder/],
    [lock, '0 acquire "x" | 0 ok', /event 0 of the history has no token/],
  ] as const) {
    assert.throws(
      () => verdictOf(check, script),
      (error) => error instanceof SynodError && message.test(error.message),
      script,
    );
  }
});

test("a verdict lists the first findings and stays readable", () => {
  const script = Array.from({ length: 50 }, () => "0 read | 0 ok 1").join(" | ");
  const verdict = verdictOf(counter, script);
  assert.equal(verdict.status, "broken");
  assert.equal(verdict.findings.length, findingsMax);
  const long = JSON.stringify(Array.from({ length: 100 }, (_, index) => index));
  assert.match(formatVerdict(verdictOf(list, `0 read | 0 ok ${long}`)), /read → \[0,1,2,.* … .*,98,99\]/);
});
