/** What one call looks like on the wire, and what its answer looks like to the caller. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { type StatusCode, SynodError, statusCodes } from "../errors.ts";
import { timedKeyTime } from "../values/ids.ts";
import { connect } from "./client.ts";
import { Account, answer, type Behaviour, Mail, noContent, problem, serve, value } from "./fixture.test.ts";

test("a command is a POST with its input as JSON, a timed key and the time that it has", async () => {
  await using server = await serve(value({ balance: 5 }));
  const before = Date.now();
  assert.deepEqual(await connect(server.url).to(Account, "alice").deposit({ amount: 5 }), { balance: 5 });
  const [{ method, url, headers, body }] = server.requests as [(typeof server.requests)[0]];
  assert.deepEqual([method, url, body], ["POST", "/account/alice/deposit", '{"amount":5}']);
  assert.equal(headers["content-type"], "application/json");
  const made = timedKeyTime(String(headers["idempotency-key"]));
  assert.ok(made !== null && made >= before && made <= Date.now());
  const seconds = Number(headers["request-timeout"]);
  assert.ok(seconds > 9 && seconds < 10, `${seconds} s of ten, less what the answer may take to come back`);
});

test("a query has no idempotency key, and what has no input has no body", async () => {
  await using server = await serve(value({ balance: 5 }), noContent, value(3));
  const client = connect(server.url);
  assert.deepEqual(await client.to(Account, "alice").balance(), { balance: 5 });
  assert.equal(await client.to(Account, "alice").close(), undefined);
  assert.equal(await client.to(Mail).count(), 3);
  assert.deepEqual(
    server.requests.map(({ url, body, headers }) => [url, body, headers["content-type"], "idempotency-key" in headers]),
    [
      ["/account/alice/balance", "", undefined, false],
      ["/account/alice/close", "", undefined, true],
      ["/mail/count", "", undefined, false],
    ],
  );
});

test("the caller's id is the idempotency key, and a timeout of the call's own is told", async () => {
  await using server = await serve(value({ balance: 5 }));
  const client = connect(server.url, { timeout: "20s" });
  await client.to(Account, "alice", { id: "order-7", timeout: "2s" }).deposit({ amount: 1 });
  await client.to(Account, "alice").deposit({ amount: 1 });
  const [own, other] = server.requests;
  assert.equal(own?.headers["idempotency-key"], "order-7");
  assert.equal(own?.headers["request-timeout"], "1.900");
  const seconds = Number(other?.headers["request-timeout"]);
  assert.ok(seconds > 19 && seconds < 20, String(seconds));
});

test("every call has a key of its own", async () => {
  await using server = await serve(value({ balance: 5 }));
  const alice = connect(server.url).to(Account, "alice");
  await Promise.all(Array.from({ length: 20 }, () => alice.deposit({ amount: 1 })));
  assert.equal(new Set(server.requests.map(({ headers }) => headers["idempotency-key"])).size, 20);
});

test("a key arrives as it is, whatever is in it", async () => {
  await using server = await serve(value({ balance: 5 }));
  const client = connect(`${server.url}/`);
  const keys = ["a/b", "%2F", "ä😀", "..a", "...", " ", "", "?x=1#y", "a\\b", "__proto__", "%2e%2e", "+", "\u0001"];
  for (const key of keys) await client.to(Account, key).balance();
  const sent = server.requests.map(({ url }) => decodeURIComponent(/^\/account\/([^/]*)\/balance$/.exec(url)![1]!));
  assert.deepEqual(sent, keys);
});

test("a key that no URL can say, half a character and no key at all are refused", () => {
  const client = connect("http://127.0.0.1:1");
  for (const key of [".", ".."]) assert.throws(() => client.to(Account, key), /cannot be part of a URL/);
  assert.throws(() => client.to(Account, "a\ud800"), /the key of account contains a lone surrogate/);
  assert.throws(() => (client.to as (callee: unknown) => unknown)(Account), /service account is keyed: give its key/);
});

test("a system may stand behind a path, and an address that is none is refused with the reason", async () => {
  await using server = await serve(value(1));
  await connect(`${server.url}/api/bank/`).to(Mail).count();
  assert.equal(server.requests[0]?.url, "/api/bank/mail/count");
  const refused: readonly (readonly [string, RegExp])[] = [
    ["127.0.0.1:8080", /is not the address of a system, such as http/],
    ["", /"" is not the address/],
    ["ftp://host", /is not the address/],
    ["http://user:secret@host", /the address of host has credentials: put them into headers/],
    ["http://host/?a=1", /has a query or a fragment/],
  ];
  for (const [url, words] of refused) assert.throws(() => connect(url), words, url);
  assert.throws(() => connect("http://host", { timeout: "soon" }), /the client's timeout is "soon"/);
});

test("headers are asked for before each request, and never stand in the way of the client's own", async () => {
  await using server = await serve(value(1));
  let asked = 0;
  const headers = () => ({ Authorization: `Bearer ${++asked}`, "Content-Type": "text/x", "Idempotency-Key": "mine" });
  const client = connect(server.url, { headers });
  await client.to(Mail).send("a");
  await client.to(Mail).send("b");
  const seen = server.requests.map((request) => request.headers);
  assert.deepEqual(
    seen.map(({ authorization }) => authorization),
    ["Bearer 1", "Bearer 2"],
  );
  for (const one of seen) {
    assert.equal(one["content-type"], "application/json");
    assert.notEqual(timedKeyTime(String(one["idempotency-key"])), null);
  }
  await connect(server.url, { headers: { "x-one": "1" } })
    .to(Mail)
    .count();
  assert.equal(server.requests.at(-1)?.headers["x-one"], "1");
});

test("nothing is sent when there are no headers to send", async () => {
  await using server = await serve(value(1));
  const expired = () => {
    throw new Error("the token has expired");
  };
  for (const headers of [expired, { "x-bad": "a\nb" }]) {
    const result = await connect(server.url, { headers }).to(Mail).count.safe();
    assert.ok(!result.ok && result.error.code === "invalid_argument" && result.error.outcome === "not-happened");
    assert.match(result.error.message, /nothing was sent, for want of headers/);
  }
  assert.equal(server.requests.length, 0);
});

test("what cannot be sent is refused before anything is", async () => {
  await using server = await serve(value(1));
  const client = connect(server.url);
  const alice = client.to(Account, "alice");
  await assert.rejects(alice.deposit({ amount: Number.NaN }), /the input of account\.deposit is not JSON: \$\.amount/);
  for (const id of ["", "two words", "ä", "x".repeat(256)]) {
    await assert.rejects(client.to(Account, "alice", { id }).close(), /the id of account\.close must be 1 to 255/);
  }
  await assert.rejects(client.to(Account, "alice", { timeout: 0 }).close(), /must be more than 0/);
  await assert.rejects(client.to(Account, "alice", { timeout: "soon" }).close(), /the timeout of account\.close is/);
  assert.equal(server.requests.length, 0);
});

test("a declared error is thrown, or returned by `safe`, with its data and type", async () => {
  await using server = await serve(problem(422, { code: "insufficientFunds", data: { balance: 3 } }));
  const { withdraw } = connect(server.url).to(Account, "alice");
  const result = await withdraw.safe({ amount: 5 });
  assert.ok(!result.ok && result.error.code === "insufficientFunds");
  assert.equal(result.error.data.balance, 3);
  assert.ok(result.error instanceof SynodError && result.error.declared);
  await assert.rejects(withdraw({ amount: 5 }), { code: "insufficientFunds", data: { balance: 3 } });
  assert.equal(server.requests.length, 2, "a declared error is a reply, and never asked for again");
});

test("a failure is what the problem says: code, outcome, whether to repeat, when, and what is wrong", async () => {
  const violations = [{ path: "$.amount", message: "too small" }];
  for (const code of Object.keys(statusCodes) as StatusCode[]) {
    for (const outcome of ["not-happened", "unknown"] as const) {
      await using server = await serve(problem(statusCodes[code], { code, outcome, violations, retryAfterMs: 30 }));
      const result = await connect(server.url).to(Account, "alice").deposit.safe({ amount: 0 });
      assert.ok(!result.ok);
      const { error } = result;
      assert.deepEqual([error.code, error.outcome, error.retryable, error.retryAfterMs], [code, outcome, false, 30]);
      assert.deepEqual(error.data, { violations });
      assert.equal(error.message, "said by the test");
      assert.equal(server.requests.length, 1);
    }
  }
});

test("an error that the interface here does not declare is not taken for one that it does", async () => {
  const undeclared = problem(422, { code: "limitExceeded", data: {} });
  const elsewhere = problem(500, { code: "insufficientFunds", data: {} });
  for (const behaviour of [undeclared, elsewhere]) {
    await using server = await serve(behaviour);
    const result = await connect(server.url).to(Account, "alice").withdraw.safe({ amount: 1 });
    assert.ok(!result.ok && result.error.code === "unknown" && !result.error.retryable);
    assert.match(
      result.error.message,
      /account\.withdraw answered with \w+, which its interface here does not declare/,
    );
  }
});

const foreign: readonly (readonly [string, Behaviour, StatusCode, RegExp])[] = [
  ["a login page", answer(200, "text/html", "<html>Who are you?</html>"), "unknown", /status 200/],
  ["a page that could be read as JSON", answer(200, "text/html", "404"), "unknown", /status 200/],
  ["a page that calls itself JSON", answer(200, "application/json", "<html>"), "unknown", /status 200/],
  ["JSON with a prototype", answer(200, "application/json", '{"__proto__":{}}'), "unknown", /status 200/],
  ["nothing with status 200", answer(200, "application/json", ""), "unknown", /status 200/],
  ["an acceptance", answer(202, "application/json", "{}"), "unknown", /status 202/],
  ["a page for 404", answer(404, "text/html", "nothing here"), "unimplemented", /status 404/],
  ["a page for 401", answer(401, "text/html", ""), "unauthenticated", /status 401/],
  ["a page for 403", answer(403, "text/html", ""), "permission_denied", /status 403/],
  ["a page for 400", answer(400, "text/html", ""), "internal", /status 400/],
  ["a page for 500", answer(500, "text/html", ""), "unknown", /status 500/],
  ["another problem", answer(409, "application/problem+json", '{"code":17}'), "unknown", /status 409/],
  ["a broken problem", answer(409, "application/problem+json", '{"code":'), "unknown", /status 409/],
  ["another API's error", answer(422, "application/json", '{"code":"insufficientFunds"}'), "unknown", /status 422/],
  ["a redirect", answer(302, "text/html", "", { location: "https://elsewhere/" }), "unknown", /a redirect to https:/],
];

for (const [what, behaviour, code, words] of foreign) {
  test(`${what} is neither a value nor a definite failure, and not asked for again`, async () => {
    await using server = await serve(behaviour);
    const result = await connect(server.url).to(Account, "alice").withdraw.safe({ amount: 1 });
    assert.ok(!result.ok && result.error instanceof SynodError);
    assert.deepEqual([result.error.code, result.error.outcome], [code, "unknown"]);
    assert.match(result.error.message, /does not come from Synod/);
    assert.match(result.error.message, words);
    assert.equal(server.requests.length, 1);
  });
}
