/** Which calls are repeated, under which key, and what is said in the end of those that failed. */
import assert from "node:assert/strict";
import { createServer } from "node:net";
import { test } from "node:test";
import { SynodError } from "../errors.ts";
import { connect } from "./client.ts";
import {
  Account,
  answer,
  type Behaviour,
  cutInHalf,
  Mail,
  problem,
  reset,
  type ScriptedServer,
  serve,
  unavailable,
  value,
} from "./fixture.test.ts";

/** The idempotency keys that were sent. */
function keysOf({ requests }: ScriptedServer): unknown[] {
  return requests.map(({ headers }) => headers["idempotency-key"]);
}

const lost: readonly (readonly [string, Behaviour])[] = [
  ["the connection is reset", reset],
  ["the answer is cut in its middle", cutInHalf],
  ["a node says not now", unavailable],
  ["a node does not know", problem(503, { code: "unavailable", outcome: "unknown", retryable: true })],
  ["too much is going on", problem(429, { code: "resource_exhausted", retryable: true })],
  ["a proxy finds no node", answer(502, "text/html", "<html>Bad Gateway</html>")],
  ["a proxy gives up", answer(504, "text/html", "")],
  ["a proxy has a number of its own", answer(522, "text/html", "")],
];

for (const [what, behaviour] of lost) {
  test(`when ${what}, a keyed command is repeated under the same key with the same body`, async () => {
    await using server = await serve(behaviour, behaviour, value({ balance: 5 }));
    assert.deepEqual(await connect(server.url).to(Account, "alice").deposit({ amount: 5 }), { balance: 5 });
    const [first, ...others] = server.requests;
    assert.equal(others.length, 2);
    assert.equal(new Set(keysOf(server)).size, 1);
    for (const other of others) assert.deepEqual([other.url, other.body], [first!.url, first!.body]);
  });

  test(`when ${what}, a query is repeated`, async () => {
    await using server = await serve(behaviour, value({ balance: 5 }));
    assert.deepEqual(await connect(server.url).to(Account, "alice").balance(), { balance: 5 });
    assert.equal(server.requests.length, 2);
  });
}

test("the caller's own id is kept over repeats", async () => {
  await using server = await serve(reset, unavailable, value({ balance: 5 }));
  await connect(server.url).to(Account, "alice", { id: "order-7" }).deposit({ amount: 5 });
  assert.deepEqual(keysOf(server), ["order-7", "order-7", "order-7"]);
});

test("each repeat is told how much time is left", async () => {
  await using server = await serve(reset, reset, reset, value(1));
  await connect(server.url).to(Mail).count();
  const told = server.requests.map(({ headers }) => Number(headers["request-timeout"]));
  for (const [at, seconds] of told.entries()) if (at > 0) assert.ok(seconds < told[at - 1]!, String(told));
});

test("a stateless command is repeated when it certainly did not happen", async () => {
  await using server = await serve(
    unavailable,
    problem(429, { code: "resource_exhausted", retryable: true }),
    value(1),
  );
  await connect(server.url).to(Mail).send("hello");
  assert.equal(server.requests.length, 3);
  assert.equal(new Set(keysOf(server)).size, 1, "what it calls in its turn is told apart by the key");
});

test("a stateless command that may have happened is not repeated, and says so", async () => {
  const doubtful = problem(503, { code: "unavailable", outcome: "unknown", retryable: true });
  for (const behaviour of [reset, cutInHalf, doubtful, answer(502, "text/html", "")]) {
    await using server = await serve(behaviour, value(1));
    const result = await connect(server.url).to(Mail).send.safe("hello");
    assert.ok(!result.ok);
    assert.deepEqual([result.error.code, result.error.outcome], ["unavailable", "unknown"]);
    assert.equal(server.requests.length, 1);
    if (behaviour !== reset) continue;
    assert.match(
      result.error.message,
      /^the connection to http:\/\/127\.0\.0\.1:\d+ was cut, or there was none \(.+\)$/,
    );
  }
});

test("once an attempt was cut, no later failure says that the command did not happen", async () => {
  const refusals: readonly Behaviour[] = [
    problem(400, { code: "invalid_argument" }),
    problem(409, { code: "failed_precondition" }),
    problem(504, { code: "deadline_exceeded" }),
    problem(401, { code: "unauthenticated" }),
  ];
  for (const behaviour of refusals) {
    await using server = await serve(reset, unavailable, behaviour);
    const result = await connect(server.url).to(Account, "alice").deposit.safe({ amount: 5 });
    assert.ok(!result.ok);
    assert.equal(result.error.outcome, "unknown");
    assert.equal(
      result.error.message,
      "said by the test (the last of 3 attempts, of which an earlier one may have happened)",
    );
    assert.ok(result.error.cause instanceof SynodError && result.error.cause.outcome === "not-happened");
  }
});

test("a recorded reply ends the doubt, be it a value or a declared error", async () => {
  await using paid = await serve(reset, value({ balance: 5 }));
  assert.deepEqual(await connect(paid.url).to(Account, "alice").withdraw({ amount: 1 }), { balance: 5 });
  await using refused = await serve(reset, problem(422, { code: "insufficientFunds", data: { balance: 0 } }));
  const result = await connect(refused.url).to(Account, "alice").withdraw.safe({ amount: 1 });
  assert.ok(!result.ok && result.error.code === "insufficientFunds");
  assert.equal(result.error.outcome, "not-happened");
});

test("a query has no effect that could be in doubt", async () => {
  await using server = await serve(reset, problem(400, { code: "invalid_argument", outcome: "unknown" }));
  const result = await connect(server.url).to(Account, "alice").balance.safe();
  assert.ok(!result.ok && result.error.code === "invalid_argument" && result.error.outcome === "not-happened");
});

test("what will not be better later is not asked for again", async () => {
  await using server = await serve(problem(503, { code: "unavailable", retryable: false }));
  await assert.rejects(connect(server.url).to(Account, "alice").deposit({ amount: 5 }), { code: "unavailable" });
  assert.equal(server.requests.length, 1);
});

test("where nobody listens a command certainly did not happen, and is repeated until its deadline", async () => {
  const { promise: listening, resolve } = Promise.withResolvers<void>();
  const closed = createServer().listen(0, "127.0.0.1", resolve);
  await listening;
  const { port } = closed.address() as { port: number };
  await new Promise((resolve) => closed.close(resolve));
  const result = await connect(`http://127.0.0.1:${port}`).to(Mail, { timeout: 300 }).send.safe("hello");
  assert.ok(!result.ok);
  assert.deepEqual([result.error.code, result.error.outcome], ["unavailable", "not-happened"]);
  assert.match(
    result.error.message,
    new RegExp(
      `^there is no connection to http://127.0.0.1:${port}: is the system running\\? \\(the last of \\d+ attempts\\)$`,
    ),
  );
});
