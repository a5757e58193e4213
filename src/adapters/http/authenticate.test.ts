/** Who calls: what the adapter asks, and what it does with the answers. */
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { SynodError } from "../../errors.ts";
import { problemIn, send, startHttp } from "./fixture.test.ts";
import { outcomeLocation } from "./outcomes.ts";

describe("authenticate", () => {
  test("says who the principal is, at once or later, from the head of the request", async () => {
    const seen: string[] = [];
    await using server = await startHttp({
      authenticate({ method, url, headers }) {
        seen.push(`${method} ${url}`);
        return headers.later === undefined ? `user:${headers.authorization}` : Promise.resolve("later");
      },
    });
    await send(server, "GET", "/account/a%2Fb/balance", undefined, { headers: { authorization: "ann" } });
    assert.equal(server.gateway.lastCall.principal, "user:ann");
    await send(server, "POST", "/account/a/deposit", "{}", { headers: { later: "1" } });
    assert.equal(server.gateway.lastCall.principal, "later");
    assert.deepEqual(seen, ["GET /account/a%2Fb/balance", "POST /account/a/deposit"]);
  });

  test("that throws or rejects is 401 with a challenge, before anything else is told about the system", async () => {
    const secret = new Error("the secret is 1234");
    for (const authenticate of [
      () => {
        throw secret;
      },
      () => Promise.reject(secret),
    ]) {
      await using server = await startHttp({ authenticate, challenge: "Key" });
      for (const path of ["/account/a/balance", "/nothing/at/all", "/openapi.json"]) {
        const reply = await send(server, "GET", path);
        const problem = problemIn(reply, 401, "unauthenticated");
        assert.equal(problem.outcome, "not-happened");
        assert.equal(reply.headers["www-authenticate"], "Key");
        assert.doesNotMatch(reply.text, /1234|account/);
      }
      assert.equal((await send(server, "GET", "/healthz")).status, 200);
      assert.equal((await send(server, "GET", "/readyz")).status, 200);
      assert.equal(server.gateway.calls.length, 0);
    }
  });

  test("that throws a SynodError is answered with its code", async () => {
    await using server = await startHttp({
      authenticate: ({ headers }) => {
        throw new SynodError(String(headers.code), "said by the system", { retryAfterMs: 100 });
      },
    });
    const answer = (code: string) => send(server, "GET", "/account/a/balance", undefined, { headers: { code } });
    const denied = await answer("permission_denied");
    assert.equal(problemIn(denied, 403, "permission_denied").detail, "said by the system");
    const unavailable = await answer("unavailable");
    assert.equal(problemIn(unavailable, 503, "unavailable").retryable, true);
    assert.equal(unavailable.headers["retry-after"], "1");
    const unauthenticated = await answer("unauthenticated");
    assert.equal(problemIn(unauthenticated, 401, "unauthenticated").detail, "said by the system");
    assert.equal(unauthenticated.headers["www-authenticate"], "Bearer");
    problemIn(await answer("ownInvention"), 401, "unauthenticated");
  });

  test("that names nobody is 401, and the operator hears of the mistake", async () => {
    for (const principal of ["", undefined, 7]) {
      await using server = await startHttp({ authenticate: () => principal as string });
      problemIn(await send(server, "GET", "/account/a/balance"), 401, "unauthenticated");
      assert.deepEqual(
        server.logged.map(({ level }) => level),
        ["error"],
      );
    }
  });

  test("that names somebody at greater length than links carry is 401, and the operator hears of it", async () => {
    for (const [principal, status] of [
      ["a".repeat(1_024), 200],
      ["a".repeat(1_025), 401],
      ["é".repeat(513), 401],
    ] as const) {
      await using server = await startHttp({ authenticate: () => principal });
      assert.equal((await send(server, "GET", "/account/a/balance")).status, status);
      const errors = server.logged.filter(({ level }) => level === "error");
      assert.equal(errors.length, status === 200 ? 0 : 1);
    }
  });

  test("takes of the time that the caller has, for a call and for an outcome", async () => {
    await using server = await startHttp({
      authenticate: () => new Promise((resolve) => setTimeout(() => resolve("alice"), 100)),
    });
    const headers = { "request-timeout": "0.05" };
    const outcome = outcomeLocation({
      ...{ service: "account", key: "a", operation: "deposit", idempotencyKey: "k", principal: "alice" },
    });
    for (const [method, path] of [
      ["POST", "/account/a/close"],
      ["GET", outcome],
    ] as const) {
      problemIn(await send(server, method, path, undefined, { headers }), 504, "deadline_exceeded");
    }
    assert.equal(server.gateway.calls.length, 0);
  });

  test("that never answers is given up", async () => {
    await using server = await startHttp({
      authenticate: () => new Promise<string>(() => {}),
      limits: { authenticateTimeoutMs: 20 },
    });
    problemIn(await send(server, "GET", "/account/a/balance"), 503, "unavailable");
  });
});
