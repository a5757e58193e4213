/** Deadlines, waits and the budget of repeats, in a time that passes only where everything waits. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { timedKeyTime } from "../values/ids.ts";
import { clientOn } from "./client.ts";
import { Account, Mail, VirtualPlatform } from "./fixture.test.ts";
import { tokensMax, tokensPerAnswer, tokensPerSecond } from "./retry-budget.ts";

type Answers = (attempt: number, init: RequestInit) => Response | "hangs";

const ok = (): Response => Response.json({ balance: 1 });

function problem(parts: object, headers: Readonly<Record<string, string>> = {}): Response {
  const body = JSON.stringify({
    code: "unavailable",
    outcome: "not-happened",
    retryable: true,
    detail: "no",
    ...parts,
  });
  return new Response(body, { status: 503, headers: { "content-type": "application/problem+json", ...headers } });
}

/** A client in virtual time, and when each of its requests left, from the start. */
function virtual(answers: Answers, chance?: () => number) {
  const platform = new VirtualPlatform(chance);
  const start = platform.now;
  const sentAt: number[] = [];
  const signals: AbortSignal[] = [];
  const keys: (string | null)[] = [];
  const told: number[] = [];
  const fetch = async (_url: string, init: RequestInit): Promise<Response> => {
    sentAt.push(platform.now - start);
    signals.push(init.signal!);
    const headers = init.headers as Headers;
    keys.push(headers.get("idempotency-key"));
    told.push(Number(headers.get("request-timeout")));
    const given = answers(sentAt.length, init);
    // A fetch that does not even listen to its signal.
    return given === "hangs" ? await new Promise<never>(() => {}) : given;
  };
  const client = clientOn(platform, "http://system", { fetch });
  return { client, platform, sentAt, signals, keys, told, elapsed: () => platform.now - start };
}

test("a call that nobody answers ends at its deadline, and says that it may have happened", async () => {
  const { client, elapsed, signals, platform } = virtual(() => "hangs");
  const result = await client.to(Mail, { timeout: "3s" }).send.safe("hello");
  assert.ok(!result.ok);
  assert.deepEqual([result.error.code, result.error.outcome], ["deadline_exceeded", "unknown"]);
  assert.equal(result.error.message, "http://system did not answer within 3 s");
  assert.equal(elapsed(), 3_000);
  assert.ok(signals[0]?.aborted, "the request is given up with the call");
  assert.equal(platform.timers, 0);
});

test("what may be repeated is asked for again after 2 s of silence, then after 4 s, until the deadline", async () => {
  for (const operation of ["deposit", "balance"] as const) {
    const { client, sentAt, elapsed, keys } = virtual(
      () => "hangs",
      () => 0,
    );
    const alice = client.to(Account, "alice", { timeout: "10s" });
    const result = await (operation === "deposit" ? alice.deposit.safe({ amount: 1 }) : alice.balance.safe());
    assert.ok(!result.ok && result.error.code === "deadline_exceeded");
    assert.equal(result.error.outcome, operation === "deposit" ? "unknown" : "not-happened");
    assert.deepEqual([sentAt, elapsed()], [[0, 2_000, 6_000], 10_000]);
    assert.equal(new Set(keys).size, 1);
  }
});

test("failures that come at once do not lengthen the silence after which another connection is tried", async () => {
  const { client, sentAt } = virtual(
    (attempt) => (attempt <= 3 ? problem({}) : attempt <= 5 ? "hangs" : ok()),
    () => 0,
  );
  await client.to(Account, "alice", { timeout: "10s" }).deposit({ amount: 1 });
  assert.deepEqual(sentAt, [0, 0, 0, 0, 2_000, 6_000]);
});

test("no timer is left behind by calls that were answered", async () => {
  const { client, platform } = virtual(ok);
  for (let call = 0; call < 10; call++) await client.to(Account, "alice").balance();
  assert.equal(platform.timers, 0);
});

test("a wait before a repeat lies between 0 and a bound that doubles from 50 ms up to 2 s", async () => {
  for (const chance of [0, 0.5, 0.999]) {
    const { client, sentAt } = virtual(
      (attempt) => (attempt <= 8 ? problem({}) : ok()),
      () => chance,
    );
    await client.to(Account, "alice", { timeout: "60s" }).balance();
    const waits = sentAt.slice(1).map((at, index) => at - sentAt[index]!);
    const bounds = [50, 100, 200, 400, 800, 1_600, 2_000, 2_000];
    assert.equal(waits.length, bounds.length);
    for (const [at, bound] of bounds.entries()) assert.ok(Math.abs(waits[at]! - bound * chance) < 0.01, `${waits}`);
  }
});

test("a system's wish for a wait is the least that is waited, with the jitter on top", async () => {
  const date = "Sun, 06 Nov 1994 08:49:37 GMT";
  const wishes: readonly (readonly [Response, number])[] = [
    [problem({ retryAfterMs: 1_250 }, { "retry-after": "2" }), 1_250],
    [problem({}, { "retry-after": "2" }), 2_000],
    [problem({}, { "retry-after": "Sun, 06 Nov 1994 08:49:40 GMT", date }), 3_000],
    [problem({ retryAfterMs: -5 }), 0],
    [problem({}, { "retry-after": "soon" }), 0],
    [new Response("", { status: 503, headers: { "retry-after": "4" } }), 4_000],
  ];
  for (const [response, leastMs] of wishes) {
    const { client, sentAt } = virtual(
      (attempt) => (attempt === 1 ? response : ok()),
      () => 0.5,
    );
    await client.to(Account, "alice").balance();
    assert.deepEqual(sentAt, [0, leastMs + 25]);
  }
});

test("a call whose deadline comes before the next repeat may leave fails at once", async () => {
  const { client, sentAt, elapsed } = virtual(() => problem({ retryAfterMs: 10_000 }));
  const result = await client.to(Account, "alice", { timeout: "5s" }).deposit.safe({ amount: 1 });
  assert.ok(!result.ok && result.error.code === "unavailable" && result.error.outcome === "not-happened");
  assert.equal(result.error.retryAfterMs, 10_000);
  assert.deepEqual([sentAt, elapsed()], [[0], 0]);
});

test("no request leaves after the deadline, and each is told a little less than what is left", async () => {
  const { client, sentAt, elapsed, told } = virtual(() => problem({}), Math.random);
  const result = await client.to(Account, "alice", { timeout: "2s" }).balance.safe();
  assert.ok(!result.ok && result.error.code === "unavailable");
  assert.ok(elapsed() <= 2_000 && sentAt.length > 4);
  for (const [at, seconds] of told.entries()) {
    const leftMs = 2_000 - sentAt[at]!;
    assert.ok(leftMs > 0 && seconds * 1_000 <= Math.max(1, leftMs) && seconds * 1_000 >= leftMs - 101, `${told}`);
  }
});

test("a client whose every call fails repeats no more than its budget allows", async () => {
  const { client, sentAt, elapsed } = virtual(() => problem({}), Math.random);
  const calls = 1_000;
  const alice = client.to(Account, "alice", { timeout: "10s" });
  const results = await Promise.all(Array.from({ length: calls }, () => alice.deposit.safe({ amount: 1 })));
  assert.ok(results.every(({ ok }) => !ok));
  const repeats = sentAt.length - calls;
  const allowed = tokensMax + tokensPerSecond * (elapsed() / 1_000);
  assert.ok(repeats <= allowed, `${repeats} repeats of ${calls} calls, and ${allowed} are allowed`);
  assert.ok(repeats >= tokensMax, `${repeats} repeats`);
});

test("in the long run a client repeats a fifth of what is answered, and a little for the time that passes", async () => {
  // Every second request fails, so that each call would like one repeat on the average.
  const { client, sentAt, elapsed } = virtual((attempt) => (attempt % 2 === 1 ? problem({}) : ok()), Math.random);
  const calls = 2_000;
  const alice = client.to(Account, "alice", { timeout: "60s" });
  const results = await Promise.all(Array.from({ length: calls }, () => alice.deposit.safe({ amount: 1 })));
  const answered = results.filter(({ ok }) => ok).length;
  const repeats = sentAt.length - calls;
  const allowed = tokensMax + tokensPerAnswer * answered + tokensPerSecond * (elapsed() / 1_000);
  assert.ok(repeats <= allowed, `${repeats} repeats, and ${allowed} are allowed`);
  assert.ok(answered > calls / 2);
});

test("a declared error is an answer like any other: it gives the budget its part back", async () => {
  const refusal = JSON.stringify({ code: "insufficientFunds", outcome: "not-happened", data: { balance: 0 } });
  const init = { status: 422, headers: { "content-type": "application/problem+json" } };
  const answers: Answers = (attempt) => (attempt % 2 === 1 ? problem({}) : new Response(refusal, init));
  const { client, elapsed } = virtual(answers, () => 0);
  const calls = 500;
  for (let call = 0; call < calls; call++) await client.to(Account, "alice").withdraw.safe({ amount: 1 });
  // One repeat a call: what the bucket held and the answers gave back costs no time, the rest does.
  const expectedMs = ((calls - tokensMax - calls * tokensPerAnswer) / tokensPerSecond) * 1_000;
  assert.ok(Math.abs(elapsed() - expectedMs) < 1_000, `${elapsed()} ms, and ${expectedMs} ms expected`);
});

test("all calls get through once the trouble is over, the waiting ones too", async () => {
  const trouble = 1_000;
  const { client, platform, sentAt, elapsed } = virtual(
    () => (platform.now - 1_000_000 < trouble ? problem({}) : ok()),
    Math.random,
  );
  const alice = client.to(Account, "alice");
  const results = await Promise.all(Array.from({ length: 100 }, () => alice.deposit.safe({ amount: 1 })));
  assert.ok(results.every(({ ok }) => ok));
  assert.ok(sentAt.length <= 100 + tokensMax + tokensPerAnswer * 100 + tokensPerSecond * (elapsed() / 1_000));
});

/** A system that refuses what its clock, an hour away from the client's, calls too old or in the future. */
function strictSystem(platform: () => VirtualPlatform, aheadMs: number): Answers {
  return (_attempt, init) => {
    const now = platform().wall() + aheadMs;
    const keyTime = timedKeyTime((init.headers as Headers).get("idempotency-key") ?? "");
    const date = new Date(now).toUTCString();
    if (keyTime !== null && Math.abs(keyTime - now) < 5 * 60_000)
      return Response.json({ balance: 1 }, { headers: { date } });
    return problem({ code: keyTime === null ? "internal" : "failed_precondition", retryable: false }, { date });
  };
}

test("a client whose clock is an hour off goes by the clock of the system", async () => {
  for (const aheadMs of [3_600_000, -3_600_000]) {
    const world = virtual((attempt, init) => strictSystem(() => world.platform, aheadMs)(attempt, init));
    const alice = world.client.to(Account, "alice");
    assert.deepEqual(await alice.deposit({ amount: 1 }), { balance: 1 });
    assert.deepEqual(await alice.deposit({ amount: 1 }), { balance: 1 });
    assert.equal(world.sentAt.length, 3, "only the first key was refused");
    assert.equal(new Set(world.keys).size, 3);
  }
});

test("a key that was refused for something else than its time stays what it is", async () => {
  const date = new Date(new VirtualPlatform().wall()).toUTCString();
  const { client, sentAt } = virtual(() => problem({ code: "invalid_argument", retryable: false }, { date }));
  await assert.rejects(client.to(Account, "alice").deposit({ amount: 1 }), { code: "invalid_argument" });
  assert.equal(sentAt.length, 1);
});
