/** Refusals that are held: in the order of their requests, whole, and without what Node keeps of a request. */
import assert from "node:assert/strict";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import { connect } from "node:net";
import { describe, test } from "node:test";
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import type { GatewayError } from "../../ports/gateway.ts";
import { connectRaw, gate, output, parseReply, problemIn, startHttp, until } from "./fixture.test.ts";
import { HeldRefusals } from "./held-refusals.ts";

/** Several times what the share of the processor answers at once (6 ms of it, at a few µs each). */
const many = 10_000;

function refusedAfter(retryAfterMs: number): GatewayError {
  return {
    ...{ code: "resource_exhausted", declared: false, message: "too much to do", outcome: "not-happened" },
    ...{ retryable: true, retryAfterMs },
  };
}

const head = "POST /account/a/close HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n";
const call = `${head}\r\n`;
const health = "GET /healthz HTTP/1.1\r\nHost: a\r\n\r\n";

describe("a refusal that is held", () => {
  test("is answered in the order of the requests of its connection, and before whatever comes after it", async () => {
    await using server = await startHttp();
    server.gateway.busy = true;
    let asked = 0;
    Object.defineProperty(server.gateway, "refused", { get: () => refusedAfter(++asked) });
    using client = await connectRaw(server, call.repeat(many) + health);
    await until(() => client.received().includes('{"status":"alive"}'), "the answer to the last request");
    const told = [...client.received().matchAll(/"retryAfterMs":(\d+)/g)].map(([, index]) => Number(index));
    assert.deepEqual(
      told,
      Array.from({ length: many }, (_, index) => index + 1),
    );
    assert.match(client.received(), /"retryAfterMs":10000[^{]*\{"status":"alive"\}$/);
  });

  for (const [expected, answer] of [
    ["something", /^HTTP\/1.1 417 /],
    ["100-continue", /^HTTP\/1.1 100 /],
  ] as const) {
    test(`goes before what a request behind it hears that expects ${expected}`, async () => {
      await using server = await startHttp();
      server.gateway.busy = true;
      server.gateway.refused = refusedAfter(1_500);
      using client = await connectRaw(server, `${call.repeat(many)}${head}Expect: ${expected}\r\n\r\n`);
      await until(() => /HTTP\/1.1 (?:417|100) /.test(client.received()), "the answer to what was expected");
      const before = client
        .received()
        .split('"retryAfterMs":1500}')
        .slice(0, many + 1);
      assert.equal(before.length, many + 1, "all refusals are there");
      assert.match(before.at(-1)!, answer);
    });
  }

  test("waits for the answer to a request before it that was let in", async () => {
    const running = gate();
    await using server = await startHttp({}, async () => {
      await running.opened;
      return output('"done"');
    });
    using client = await connectRaw(server, call);
    await until(() => server.gateway.calls.length === 1, "the call");
    server.gateway.busy = true;
    server.gateway.refused = refusedAfter(1_500);
    client.socket.write(call + call);
    await until(() => server.gateway.outlines.length === 2, "both to be turned away");
    assert.equal(client.received(), "");
    running.open();
    await until(() => (client.received().match(/"retryAfterMs"/g) ?? []).length === 2, "the refusals");
    assert.match(client.received(), /^HTTP\/1.1 200 .*"done".*HTTP\/1.1 429 .*HTTP\/1.1 429 /s);
  });

  test("has all that an answer has, and the length of its bytes", async () => {
    await using server = await startHttp({ limits: { keepAliveTimeoutMs: 7_000 } });
    server.gateway.busy = true;
    server.gateway.refused = { ...refusedAfter(1_500), message: "zu viel für eine Maschine" };
    using client = await connectRaw(server, call);
    await until(() => client.received().endsWith("}"), "the answer");
    const reply = parseReply(client.received());
    problemIn(reply, 429, "resource_exhausted");
    const { date, "content-length": length, connection, "keep-alive": keepAlive } = reply.headers;
    // What was received is read as Latin-1: a character for each byte.
    assert.deepEqual([length, connection, keepAlive], [String(reply.text.length), "keep-alive", "timeout=7"]);
    assert.ok(Math.abs(Date.parse(date!) - Date.now()) < 60_000, date);
  });

  test("is Node's to answer where the connection is closed after it, and where there is no body", async () => {
    await using server = await startHttp();
    server.gateway.busy = true;
    server.gateway.refused = refusedAfter(1_500);
    using last = await connectRaw(server, `${head}Connection: close\r\n\r\n`);
    assert.match(await last.closed, /^HTTP\/1.1 429 .*connection: close.*retryAfterMs/is);
    using bodiless = await connectRaw(server, `HEAD /account/a/balance HTTP/1.1\r\nHost: a\r\n\r\n${health}`);
    await until(() => bodiless.received().includes('{"status":"alive"}'), "the answer after it");
    assert.match(bodiless.received(), /^HTTP\/1.1 429 [^{]*\r\n\r\nHTTP\/1.1 200 /);
  });

  test("is told before a drain gives its connection away or closes it", async () => {
    await using server = await startHttp({ limits: { drainGraceMs: 1 } });
    server.gateway.busy = true;
    server.gateway.refused = refusedAfter(1_500);
    using client = await connectRaw(server, call.repeat(many));
    await until(() => server.gateway.outlines.length === many, "all to be turned away");
    const before = (client.received().match(/"retryAfterMs"/g) ?? []).length;
    assert.ok(before < many, "some are held");
    let given = 0;
    await server.adapter.drain(async (handle) => {
      given += 1;
      handle.close();
    });
    const received = await client.closed;
    assert.equal((received.match(/"retryAfterMs"/g) ?? []).length, many);
    assert.equal(given, 0, "it was closed after the last of them, which says so");
    assert.match(received, /connection: close[^{]*\{[^{]*$/);
  });

  test("keeps neither its request nor its response in memory", async () => {
    const kept: WeakRef<IncomingMessage | ServerResponse>[] = [];
    const answers: (() => void)[] = [];
    const statuses: number[] = [];
    const nothing = (): void => {};
    const held = new HeldRefusals({ keepAliveTimeoutMs: 60_000, closing: () => false, owed: nothing, paid: nothing });
    await using server = createServer((request, response) => {
      kept.push(new WeakRef(request), new WeakRef(response));
      response.once("close", () => statuses.push(response.statusCode));
      answers.push(held.hold(request, response, refusedAfter(1_500)) ?? assert.fail("it is not held"));
    });
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    const { port } = server.address() as { port: number };
    const socket = connect(port, "127.0.0.1");
    let received = "";
    socket.setEncoding("latin1").on("data", (text) => {
      received += text;
    });
    for (let request = 1; request <= 10; request++) {
      socket.write(call);
      await until(() => answers.length === request, "the request");
    }
    setFlagsFromString("--expose-gc");
    const collect = runInNewContext("gc") as () => void;
    await until(() => {
      collect();
      return kept.every((reference) => reference.deref() === undefined);
    }, "requests and responses to be collected");
    assert.equal(received, "");
    assert.deepEqual(statuses, Array(10).fill(429), "whoever watches responses sees what they will be");
    for (const answer of answers.toReversed()) answer();
    await until(() => (received.match(/"retryAfterMs"/g) ?? []).length === 10, "the answers");
    socket.destroy();
  });
});
