/** Leaving: a drain fails no request, and a close leaves nothing behind. */
import assert from "node:assert/strict";
import { once } from "node:events";
import { connect } from "node:net";
import { describe, test } from "node:test";
import {
  connectRaw,
  gate,
  output,
  parseReply,
  problemIn,
  type RunningHttp,
  send,
  startHttp,
  until,
} from "./fixture.test.ts";

const get = "GET /account/a/balance HTTP/1.1\r\nHost: a\r\n\r\n";

async function refusesConnections({ port }: RunningHttp): Promise<boolean> {
  const socket = connect(port, "127.0.0.1");
  const refused = once(socket, "error").then(() => true);
  const connected = once(socket, "connect").then(() => false);
  return Promise.race([refused, connected]).finally(() => socket.destroy());
}

async function settles(promise: Promise<unknown>, withinMs: number): Promise<boolean> {
  const late = new Promise<boolean>((resolve) => setTimeout(resolve, withinMs, false).unref());
  return Promise.race([promise.then(() => true), late]);
}

describe("a drain", () => {
  test("takes no new connections, and finishes the request in progress", async () => {
    const running = gate();
    await using server = await startHttp({ limits: { drainGraceMs: 20 } }, async () => {
      await running.opened;
      return output('"done"');
    });
    using client = await connectRaw(server, get);
    await until(() => server.gateway.calls.length === 1, "the call");
    const drained = server.adapter.drain();
    assert.equal(await refusesConnections(server), true);
    assert.equal(await settles(drained, 60), false, "the drain waits for the request, beyond the grace");
    assert.equal(server.gateway.lastCall.signal?.aborted, false);
    running.open();
    await drained;
    const reply = parseReply(await client.closed);
    assert.deepEqual([reply.status, reply.text, reply.headers.connection], [200, '"done"', "close"]);
    assert.equal(await server.adapter.drain(), undefined, "a second drain is the first");
  });

  test("answers what arrives on open connections in its grace, and asks them to go", async () => {
    await using server = await startHttp({ limits: { drainGraceMs: 5_000 } });
    using used = await connectRaw(server, get);
    using fresh = await connectRaw(server);
    await until(() => used.received().includes("null"), "the first answer");
    assert.doesNotMatch(used.received(), /connection: close/i);
    const drained = server.adapter.drain();
    used.socket.write(get);
    fresh.socket.write("GET /account/a/nothing HTTP/1.1\r\nHost: a\r\n\r\n");
    assert.match(await used.closed, /null.*HTTP\/1.1 200 .*connection: close.*null/s);
    assert.match(await fresh.closed, /^HTTP\/1.1 404 .*connection: close/s);
    assert.ok(await settles(drained, 1_000), "with the last connection the drain is over, before its grace");
  });

  test("closes the connections that stay silent, used or not", async () => {
    await using server = await startHttp({ limits: { drainGraceMs: 20 } });
    using used = await connectRaw(server, get);
    using fresh = await connectRaw(server);
    await until(() => used.received().includes("null"), "the answer");
    assert.ok(await settles(server.adapter.drain(), 1_000));
    assert.equal(await fresh.closed, "");
    await used.closed;
  });

  test("waits for an answer that is read slowly, and then closes its connection, though it promised to stay", async () => {
    const text = JSON.stringify("x".repeat(16 * 1_024 * 1_024));
    await using server = await startHttp({ limits: { drainGraceMs: 20 } }, () => output(text));
    using client = await connectRaw(server);
    client.socket.pause();
    client.socket.write(get);
    await until(() => server.gateway.calls.length === 1, "the call");
    await new Promise(setImmediate);
    const drained = server.adapter.drain();
    assert.equal(await settles(drained, 60), false);
    client.socket.resume();
    assert.ok(await settles(drained, 2_000));
    const { headers, text: read } = parseReply(await client.closed);
    assert.deepEqual([headers.connection, read.length], ["keep-alive", text.length]);
  });

  test("still bounds slow requests", async () => {
    const limits = { drainGraceMs: 20, headersTimeoutMs: 300, requestTimeoutMs: 500 };
    await using server = await startHttp({ limits });
    const head =
      "POST /account/a/deposit HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\nContent-Length: 9\r\n";
    using client = await connectRaw(server, `${get}${head}\r\n{`);
    await until(() => client.received().includes("null"), "the first answer");
    assert.ok(await settles(server.adapter.drain(), 3_000));
    assert.match(await client.closed, /HTTP\/1.1 408 /);
    assert.equal(server.gateway.calls.length, 1);
  });
});

test("while the node drains, every answer closes its connection, and the node is not ready", async () => {
  await using server = await startHttp();
  const connectionOf = async (path: string) =>
    (await send(server, "GET", path, undefined, { headers: { connection: "keep-alive" } })).headers.connection;
  const paths = ["/account/a/balance", "/account/a/nothing", "/healthz", "/readyz", "/openapi.json"];
  for (const path of paths) assert.notEqual(await connectionOf(path), "close");
  server.gateway.state = "draining";
  for (const path of paths) assert.equal(await connectionOf(path), "close");
});

test("readiness follows the gateway, and health does not", async () => {
  await using server = await startHttp();
  const ready = await send(server, "GET", "/readyz");
  assert.deepEqual([ready.status, ready.text], [200, '{"state":"ready"}']);
  for (const state of ["starting", "draining", "stopped"] as const) {
    server.gateway.state = state;
    const problem = problemIn(await send(server, "GET", "/readyz"), 503, "unavailable");
    assert.deepEqual([problem.data, problem.retryable], [{ state }, true]);
    const alive = await send(server, "GET", "/healthz");
    assert.deepEqual([alive.status, alive.text], [200, '{"status":"alive"}']);
  }
});

test("a node whose lease has run out is not ready, so that nobody is led to it", async () => {
  await using server = await startHttp();
  server.gateway.hasLease = false;
  const problem = problemIn(await send(server, "GET", "/readyz"), 503, "unavailable");
  assert.deepEqual(problem.data, { state: "without a lease" });
  server.gateway.hasLease = true;
  assert.equal((await send(server, "GET", "/readyz")).status, 200);
});

test("a close cuts what is left, tells the gateway, and frees the port", async () => {
  await using server = await startHttp({}, async ({ signal }) => {
    await new Promise((resolve) => signal?.addEventListener("abort", () => resolve(undefined)));
    return output("null");
  });
  using client = await connectRaw(server, get);
  await until(() => server.gateway.calls.length === 1, "the call");
  assert.ok(await settles(server.adapter.close(), 1_000));
  assert.equal(await client.closed, "");
  await until(() => server.gateway.lastCall.signal?.aborted === true, "the signal");
  await using next = await startHttp({ port: server.port });
  assert.equal((await send(next, "GET", "/healthz")).status, 200);
  await server.adapter.close();
});
