/** Requests that are in order: what the gateway is asked, and how its replies come back. */
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { statusCodes } from "../../errors.ts";
import type { GatewayError } from "../../ports/gateway.ts";
import { connectRaw, output, problemIn, send, startHttp, until } from "./fixture.test.ts";

function failure(error: Partial<GatewayError>): () => { ok: false; error: GatewayError; replayed: boolean } {
  const whole = {
    code: "internal",
    declared: false,
    message: "it failed",
    outcome: "unknown",
    retryable: false,
  } as const;
  return () => ({ ok: false, error: { ...whole, ...error }, replayed: false });
}

describe("a call over HTTP", () => {
  test("reaches a keyed service with its text as it was sent, and the output comes back as it was recorded", async () => {
    await using server = await startHttp({}, () => output('{ "balance" : 5.0 }'));
    const reply = await send(server, "POST", "/account/alice/deposit", ' { "amount": 1e0, "__proto__": 1 } ');
    assert.equal(reply.status, 200);
    assert.equal(reply.text, '{ "balance" : 5.0 }');
    assert.match(String(reply.headers["content-type"]), /^application\/json/);
    const { service, key, operation, input, principal, idempotencyKey, timeoutMs, traceparent } =
      server.gateway.lastCall;
    assert.deepEqual(
      { service, key, operation, input, principal, idempotencyKey, timeoutMs, traceparent },
      {
        service: "account",
        key: "alice",
        operation: "deposit",
        input: ' { "amount": 1e0, "__proto__": 1 } ',
        principal: "anonymous",
        idempotencyKey: undefined,
        timeoutMs: undefined,
        traceparent: undefined,
      },
    );
  });

  test("reaches a stateless service without a key", async () => {
    await using server = await startHttp();
    assert.equal((await send(server, "POST", "/rates/latest", '"EUR"')).status, 200);
    assert.equal(server.gateway.lastCall.key, undefined);
    assert.equal(server.gateway.lastCall.input, '"EUR"');
  });

  test("reaches a service that only another node hosts, by POST alone", async () => {
    await using server = await startHttp({}, () => output("1"));
    assert.equal((await send(server, "POST", "/transfer/t1/start", '{"amount":1}')).status, 404);
    server.gateway.elsewhere.add("transfer");
    assert.equal((await send(server, "POST", "/transfer/t1/start", '{"amount":1}')).status, 200);
    const { service, key, operation, input } = server.gateway.lastCall;
    assert.deepEqual([service, key, operation, input], ["transfer", "t1", "start", '{"amount":1}']);
    assert.equal((await send(server, "POST", "/transfer/list")).status, 200);
    assert.equal(server.gateway.lastCall.key, undefined);
    // What is not known to be a query could be a command, which no link may start.
    assert.equal((await send(server, "GET", "/transfer/t1/start")).status, 405);
    assert.equal(server.gateway.calls.length, 2);
  });

  test("asks a query by GET with the input in the URL, and forbids caches to keep the answer", async () => {
    await using server = await startHttp({}, () => output("1"));
    const input = '{"of": "ä & + %"}';
    const reply = await send(server, "GET", `/account/a/history?input=${encodeURIComponent(input)}`);
    assert.equal(reply.status, 200);
    assert.equal(reply.headers["cache-control"], "no-store");
    assert.equal(server.gateway.lastCall.input, input);
    await send(server, "GET", "/account/a/history?input=%5B+%5D");
    assert.equal(server.gateway.lastCall.input, "[ ]");
    await send(server, "GET", "/account/a/history");
    assert.equal(server.gateway.lastCall.input, undefined);
  });

  test("answers HEAD with the headers of GET and OPTIONS with what is allowed", async () => {
    await using server = await startHttp({}, () => output("12345"));
    const head = await send(server, "HEAD", "/account/a/balance");
    assert.deepEqual([head.status, head.text, head.headers["content-length"]], [200, "", "5"]);
    const query = await send(server, "OPTIONS", "/account/a/balance");
    assert.deepEqual([query.status, query.headers.allow], [204, "GET, HEAD, POST, OPTIONS"]);
    const command = await send(server, "OPTIONS", "/account/a/deposit");
    assert.deepEqual([command.status, command.headers.allow], [204, "POST, OPTIONS"]);
    assert.equal(server.gateway.calls.length, 1);
  });

  test("answers a void output with 204 and no body", async () => {
    await using server = await startHttp({}, () => output(undefined));
    const reply = await send(server, "POST", "/account/a/close");
    assert.deepEqual([reply.status, reply.text], [204, ""]);
  });

  test("takes an empty body, null and {} for an operation without input, whatever the type of the empty body", async () => {
    await using server = await startHttp({}, () => output(undefined));
    for (const body of [undefined, "", "null", "{}", " { } "]) {
      assert.equal((await send(server, "POST", "/account/a/close", body)).status, 204);
      assert.equal(server.gateway.lastCall.input, undefined);
    }
    const headers = { "content-type": "application/x-www-form-urlencoded", "content-length": "0" };
    assert.equal((await send(server, "POST", "/account/a/close", undefined, { headers })).status, 204);
  });

  test("passes idempotency key, timeout and trace context on", async () => {
    await using server = await startHttp();
    const traceparent = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
    const headers = { "idempotency-key": ` ${"k".repeat(255)} `, "request-timeout": "2.5", traceparent };
    await send(server, "POST", "/account/a/deposit", "{}", { headers });
    const call = server.gateway.lastCall;
    assert.equal(call.idempotencyKey, "k".repeat(255));
    assert.equal(call.traceparent, traceparent);
    assert.ok(call.timeoutMs !== undefined && call.timeoutMs > 0 && call.timeoutMs <= 2_500);
    await send(server, "POST", "/account/a/balance", undefined, { headers });
    assert.equal(server.gateway.lastCall.idempotencyKey, undefined, "a query has no idempotency key");
  });

  test("counts the timeout from the head of the request, so that a slow body uses it up", async () => {
    await using server = await startHttp();
    const head =
      "POST /account/a/deposit HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\nContent-Length: 2\r\n";
    using client = await connectRaw(server, `${head}Request-Timeout: 0.05\r\n\r\n{`);
    const sentAt = performance.now();
    await until(() => performance.now() - sentAt > 80, "the timeout to pass");
    client.socket.write("}");
    await until(() => client.received().endsWith("}"), "the answer");
    assert.match(client.received(), /^HTTP\/1.1 504 .*"outcome":"not-happened"/s);
    assert.equal(server.gateway.calls.length, 0);
  });

  test("says when a reply was replayed, for a value and for a declared error", async () => {
    await using server = await startHttp({}, () => output("1", true));
    assert.equal((await send(server, "POST", "/account/a/deposit", "{}")).headers["idempotent-replayed"], "true");
    server.gateway.answer = () => ({ ...failure({ code: "insufficientFunds", declared: true })(), replayed: true });
    const replayed = await send(server, "POST", "/account/a/withdraw", "{}");
    assert.deepEqual([replayed.status, replayed.headers["idempotent-replayed"]], [422, "true"]);
    server.gateway.answer = () => output("1");
    assert.equal((await send(server, "POST", "/account/a/deposit", "{}")).headers["idempotent-replayed"], undefined);
  });

  test("accepts a target with scheme and host, as a proxy may send it", async () => {
    await using server = await startHttp();
    assert.equal((await send(server, "GET", "http://bank.example/account/a/balance")).status, 200);
    assert.equal(server.gateway.lastCall.key, "a");
  });

  test("tells the gateway when the caller has gone", async () => {
    await using server = await startHttp({}, async ({ signal }) => {
      await new Promise((resolve) => signal?.addEventListener("abort", () => resolve(undefined)));
      return output("null");
    });
    const client = await connectRaw(server, "GET /account/a/balance HTTP/1.1\r\nHost: a\r\n\r\n");
    await until(() => server.gateway.calls.length === 1, "the call");
    assert.equal(server.gateway.lastCall.signal?.aborted, false);
    client.socket.destroy();
    await until(() => server.gateway.lastCall.signal?.aborted === true, "the signal");
  });

  test("leaves the signal alone when the caller got its answer", async () => {
    await using server = await startHttp();
    await send(server, "GET", "/account/a/balance");
    await send(server, "GET", "/account/a/balance");
    assert.deepEqual(
      server.gateway.calls.map(({ signal }) => signal?.aborted),
      [false, false],
    );
  });
});

describe("a key in the URL", () => {
  const keys = [
    "alice",
    "a/b",
    "a%2Fb",
    "%",
    "100%25",
    "日本 – ü",
    "😀",
    "__proto__",
    "constructor",
    "toString",
    "..",
    ".",
    "",
  ];
  for (const key of [...keys, " ", "a+b", "a?b#c", ";x=1", "k".repeat(1_000)]) {
    test(`is decoded exactly once: ${JSON.stringify(key.slice(0, 20))}`, async () => {
      await using server = await startHttp();
      assert.equal((await send(server, "GET", `/account/${encodeURIComponent(key)}/balance`)).status, 200);
      assert.equal(server.gateway.lastCall.key, key);
    });
  }

  test("is decoded in full when every byte of it is percent-encoded", async () => {
    await using server = await startHttp();
    await send(server, "GET", "/account/%2e%2E/balance");
    assert.equal(server.gateway.lastCall.key, "..");
    await send(server, "GET", "/account/%5f%5Fproto__/balance");
    assert.equal(server.gateway.lastCall.key, "__proto__");
  });
});

describe("an error of the gateway", () => {
  for (const [code, status] of Object.entries(statusCodes)) {
    test(`with the code ${code} is a problem with the status ${status}`, async () => {
      await using server = await startHttp({}, failure({ code, outcome: "not-happened", retryable: true }));
      const problem = problemIn(await send(server, "GET", "/account/a/balance"), status, code);
      assert.deepEqual([problem.detail, problem.outcome, problem.retryable], ["it failed", "not-happened", true]);
      assert.equal(problem.type, "about:blank");
    });
  }

  test("that the operation declares is 422 with its data as it was encoded", async () => {
    const declared = { code: "insufficientFunds", declared: true, data: '{"balance": 1.50}' };
    await using server = await startHttp({}, failure(declared));
    const reply = await send(server, "POST", "/account/a/withdraw", "{}");
    assert.deepEqual(problemIn(reply, 422, "insufficientFunds").data, { balance: 1.5 });
    assert.ok(reply.text.includes('"data":{"balance": 1.50}'));
  });

  test("lists all violations with their paths", async () => {
    const violations = [
      { path: "$.amount", message: "must be positive" },
      { path: "$.note", message: "too long" },
    ];
    await using server = await startHttp({}, failure({ code: "invalid_argument", violations }));
    const reply = await send(server, "POST", "/account/a/deposit", "{}");
    assert.deepEqual(problemIn(reply, 400, "invalid_argument").violations, violations);
  });

  test("says how long to wait, in the header in whole seconds, rounded up", async () => {
    await using server = await startHttp({}, failure({ code: "unavailable", retryAfterMs: 1_001 }));
    const reply = await send(server, "POST", "/account/a/deposit", "{}");
    assert.equal(problemIn(reply, 503, "unavailable").retryAfterMs, 1_001);
    assert.equal(reply.headers["retry-after"], "2");
  });
});
