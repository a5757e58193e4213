/** The load against servers that are slow, silent or unfriendly, in virtual time: what would make it lie is caught here. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { quantileMs } from "../../values/histogram.ts";
import { createPrng } from "../../values/prng.ts";
import { judge } from "../trial.ts";
import { type ReadAnswer, readAnswer } from "./answer.ts";
import { type OpenCall, OpenLoop, type Tally } from "./open-loop.ts";

interface Sent {
  readonly call: OpenCall;
  readonly at: number;
}

const perSecond = 200;
const ms = 10_000;
const stepMs = 1;

/** Drives a load past a server that says of each call when it is answered, and how. */
function run(
  answerOf: (sent: Sent) => { at: number; ending: string } | undefined,
  sleepsUntil: (now: number) => number = (now) => now,
): { tally: Tally; sent: Sent[] } {
  const sent: Sent[] = [];
  let answers: { call: OpenCall; at: number; ending: string }[] = [];
  let now = 0;
  const loop = new OpenLoop({
    ...{ perSecond, settleMs: 0, ms, timeoutMs: 2_000, graceMs: 50, prng: createPrng(7), began: 0 },
    send: (call) => {
      sent.push({ call, at: now });
      const answer = answerOf({ call, at: now });
      if (answer !== undefined) answers.push({ call, ...answer });
    },
  });
  for (; !loop.isOver(now); now = sleepsUntil(now + stepMs)) {
    for (const { call, ending } of answers.filter(({ at }) => at <= now)) loop.ended(call, ending, now);
    answers = answers.filter(({ at }) => at > now);
    loop.turn(now);
  }
  return { tally: loop.tally(), sent };
}

test("calls are due whether or not earlier ones are answered: the loop is open", () => {
  const { tally, sent } = run(() => undefined);
  assert.ok(Math.abs(sent.length / ((perSecond * ms) / 1_000) - 1) < 0.1, `${sent.length} were sent`);
  assert.deepEqual(tally.failures, { late: sent.length });
  assert.equal(tally.good, 0);
});

test("the distances between calls are those of a Poisson process", () => {
  const { sent } = run(({ at }) => ({ at: at + 1, ending: "good" }));
  const distances = sent.slice(1).map(({ call }, at) => call.due - sent[at]!.call.due);
  const mean = distances.reduce((sum, distance) => sum + distance, 0) / distances.length;
  const variance = distances.reduce((sum, distance) => sum + (distance - mean) ** 2, 0) / distances.length;
  // Of an exponential distribution mean and deviation are the same; of regular calls the deviation would be 0.
  assert.ok(Math.abs(Math.sqrt(variance) / mean - 1) < 0.1, `mean ${mean}, deviation ${Math.sqrt(variance)}`);
});

test("a load that is held up counts from the instant at which calls were due, and admits that it was late", () => {
  // From 5 s on the process of the load gets no processor for one second.
  const { tally } = run(
    ({ at }) => ({ at: at + 1, ending: "good" }),
    (now) => (now > 5_000 && now < 6_000 ? 6_000 : now),
  );
  const slowest = quantileMs(tally.response, 0.999)!;
  assert.ok(slowest > 900, `the slowest took ${slowest} ms`);
  assert.ok(quantileMs(tally.lag, 0.99)! > 500);
});

test("a server that stands still for a second is seen by all who came meanwhile", () => {
  const { tally } = run(({ at }) => ({ at: at > 5_000 && at < 6_000 ? 6_000 : at + 1, ending: "good" }));
  const stalled = tally.response.counts.reduce((sum, [us, count]) => (us > 10_000 ? sum + count : sum), 0);
  assert.ok(Math.abs(stalled / perSecond - 1) < 0.25, `${stalled} calls saw it`);
});

test("a call that is turned away is not good, and a load that sheds is not carried", () => {
  let number = 0;
  const { tally } = run(({ at }) => ({ at: at + 1, ending: ++number % 10 === 0 ? "resource_exhausted" : "good" }));
  const shed = tally.failures.resource_exhausted!;
  assert.equal(tally.good + shed, tally.due);
  assert.ok(shed > tally.due * 0.09);
  const verdict = judge({ ...tally, perSecond, seconds: ms / 1_000 }, { name: "p99", quantile: 0.99, limitMs: 50 });
  assert.equal(verdict.kind, "failed");
});

test("a declared error is an answer", () => {
  const { tally } = run(({ at }) => ({ at: at + 1, ending: "declared" }));
  assert.equal(tally.good, tally.due);
  assert.equal(tally.declared, tally.due);
});

test("an answer after the deadline is not good, however well it is meant", () => {
  const { tally } = run(({ at }) => ({ at: at + 2_100, ending: "good" }));
  assert.equal(tally.good, 0);
  assert.deepEqual(tally.failures, { late: tally.due });
});

/** The first answer on a connection that goes on. */
function read(received: string): ReadAnswer | undefined {
  return readAnswer(received, false);
}

test("answers are read whole, however they are cut", () => {
  const body = '{"code":"resource_exhausted"}';
  const shed = `HTTP/1.1 429 Too Many Requests\r\nContent-Length: ${body.length}\r\n\r\n${body}`;
  const chunked = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n";
  const bare = "HTTP/1.1 204 No Content\r\nConnection: close\r\n\r\n";
  const trailed = "HTTP/1.1 200 OK\r\nTransfer-Encoding:chunked\r\n\r\n2;a=b\r\nhi\r\n0\r\nDigest: x\r\nAge: 1\r\n\r\n";
  const interim = `HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n${shed}`;
  for (const whole of [shed, chunked, bare, trailed, interim]) {
    for (let cut = 1; cut < whole.length; cut++) assert.equal(read(whole.slice(0, cut)), undefined);
  }
  assert.deepEqual(read(shed + chunked), { ending: "resource_exhausted", body, keepAlive: true, rest: chunked });
  assert.deepEqual(read(chunked + bare), { ending: "good", body: "hello", keepAlive: true, rest: bare });
  assert.deepEqual(read(trailed + bare), { ending: "good", body: "hi", keepAlive: true, rest: bare });
  assert.deepEqual(read(interim + bare), { ending: "resource_exhausted", body, keepAlive: true, rest: bare });
  assert.deepEqual(read(bare), { ending: "good", body: "", keepAlive: false, rest: "" });
});

test("an answer that closes its connection is one however it says so", () => {
  for (const close of ["Connection:close", "connection: keep-alive, Close"]) {
    const answer = `HTTP/1.1 200 OK\r\n${close}\r\nContent-Length:2\r\n\r\nhi`;
    assert.deepEqual(read(answer), { ending: "good", body: "hi", keepAlive: false, rest: "" });
  }
  const endless = 'HTTP/1.1 503 Service Unavailable\r\n\r\n{"code":"unavailable"}';
  assert.equal(read(endless), undefined);
  assert.equal(readAnswer(endless, true)?.ending, "unavailable");
  assert.equal(readAnswer(endless, true)?.keepAlive, false);
  assert.equal(readAnswer("HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nhi", true), undefined);
});

test("what is no HTTP is no answer, and its connection is not used again", () => {
  const broken = { ending: "not HTTP", body: "", keepAlive: false, rest: "" };
  const chunked = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n";
  for (const size of ["zz", "-1", ""]) assert.deepEqual(read(`${chunked}${size}\r\nhello\r\n`), broken);
  assert.deepEqual(read("HTTP/1.1 OK\r\n\r\n"), broken);
  assert.deepEqual(read("SSH-2.0-x 200\r\n\r\n"), broken);
});
