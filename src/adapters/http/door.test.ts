/** The door: while a node is busy, whom it turns away, and that doing so costs neither a body nor a connection. */
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import type { GatewayError } from "../../ports/gateway.ts";
import { connectRaw, parseReply, problemIn, send, startHttp, until } from "./fixture.test.ts";

const refused: GatewayError = {
  ...{ code: "resource_exhausted", declared: false, message: "too much to do", outcome: "not-happened" },
  ...{ retryable: true, retryAfterMs: 1_500 },
};

describe("the door of a busy node", () => {
  test("turns a call away before its body has come, says when to come back, and keeps the connection", async () => {
    await using server = await startHttp();
    server.gateway.busy = true;
    server.gateway.refused = refused;
    const head =
      "POST /account/a/deposit HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\nContent-Length: 5\r\n\r\n";
    using client = await connectRaw(server, head);
    await until(() => client.received().endsWith("}"), "the answer to a head");
    const problem = problemIn(parseReply(client.received()), 429, "resource_exhausted");
    assert.deepEqual([problem.outcome, problem.retryable, problem.retryAfterMs], ["not-happened", true, 1_500]);
    assert.equal(parseReply(client.received()).headers["retry-after"], "2");
    client.socket.write("[1,2]GET /healthz HTTP/1.1\r\nHost: a\r\n\r\n");
    await until(() => client.received().includes("alive"), "the connection to serve the next request");
    assert.equal(server.gateway.calls.length, 0);
  });

  test("asks for the call's own entity, operation, priority and time", async () => {
    await using server = await startHttp();
    server.gateway.busy = true;
    const headers = { "synod-priority": "background", "request-timeout": "2.5" };
    assert.equal((await send(server, "POST", "/account/a%2Fb/deposit", "1", { headers })).status, 200);
    const [outline] = server.gateway.outlines;
    assert.deepEqual(outline, {
      ...{ service: "account", key: "a/b", operation: "deposit" },
      ...{ caller: "127.0.0.1", priority: "background", timeoutMs: 2_500 },
    });
    assert.equal(server.gateway.lastCall.priority, "background");
    assert.equal(server.gateway.lastCall.caller, "127.0.0.1");
  });

  test("takes whoever last authenticated on a connection for its caller", async () => {
    await using server = await startHttp({ authenticate: () => "alice" });
    const { Agent } = await import("node:http");
    const agent = new Agent({ keepAlive: true, maxSockets: 1 });
    await send(server, "POST", "/account/a/deposit", "1", { agent });
    server.gateway.busy = true;
    await send(server, "POST", "/account/a/deposit", "1", { agent });
    agent.destroy();
    assert.equal(server.gateway.outlines[0]?.caller, "alice");
    assert.equal(server.gateway.lastCall.principal, "alice");
  });

  test("lets everything through that is no call, or not in order, to be answered as always", async () => {
    await using server = await startHttp();
    server.gateway.busy = true;
    server.gateway.refused = refused;
    assert.equal((await send(server, "GET", "/healthz")).status, 200);
    assert.equal((await send(server, "GET", "/readyz")).status, 200);
    assert.equal((await send(server, "POST", "/account/a/nothing", "1")).status, 404);
    assert.equal((await send(server, "OPTIONS", "/account/a/deposit")).status, 204);
  });

  test("is not asked while the node has time", async () => {
    await using server = await startHttp();
    server.gateway.refused = refused;
    assert.equal((await send(server, "POST", "/account/a/deposit", "1")).status, 200);
    assert.deepEqual(server.gateway.outlines, []);
  });
});

test("a priority that there is not is refused", async () => {
  await using server = await startHttp();
  const headers = { "synod-priority": "urgent" };
  const problem = problemIn(
    await send(server, "POST", "/account/a/deposit", "1", { headers }),
    400,
    "invalid_argument",
  );
  assert.match(problem.detail, /Synod-Priority must be critical, normal, background, not "urgent"/);
});
