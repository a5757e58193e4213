/** The bounds of rule S14, reached: each is answered with a problem, and harms nobody else. */
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { connectRaw, gate, output, parseReply, problemIn, send, startHttp, until } from "./fixture.test.ts";

const kilobyte = 1_024;
const depositHead = "POST /account/a/deposit HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\n";
/** Timeouts short enough to be waited for. */
const hasty = { headersTimeoutMs: 300, requestTimeoutMs: 500 };

describe("a body", () => {
  const text = (length: number) => JSON.stringify("x".repeat(length - 2));

  test("of 1 MiB passes, and of one byte more is refused, by default", async () => {
    await using server = await startHttp();
    const bytes = kilobyte * kilobyte;
    assert.equal((await send(server, "POST", "/account/a/deposit", text(bytes))).status, 200);
    assert.equal(server.gateway.lastCall.input?.length, bytes);
    const refused = await send(server, "POST", "/account/a/deposit", text(bytes + 1));
    assert.match(problemIn(refused, 413, "invalid_argument").detail, /over 1048576 bytes/);
    assert.equal(server.gateway.calls.length, 1);
  });

  test("is counted as it streams in when no length announces it", async () => {
    await using server = await startHttp({ limits: { bodyBytesMax: 10 * kilobyte } });
    const headers = { "transfer-encoding": "chunked" };
    const passed = await send(server, "POST", "/account/a/deposit", text(10 * kilobyte), { headers });
    assert.equal(passed.status, 200);
    const refused = await send(server, "POST", "/account/a/deposit", text(10 * kilobyte + 1), { headers });
    problemIn(refused, 413, "invalid_argument");
    assert.equal(server.gateway.calls.length, 1);
  });

  test("that is too large is answered before it has arrived, to a client that is still sending", async () => {
    await using server = await startHttp({ limits: { bodyBytesMax: kilobyte } });
    using client = await connectRaw(server, `${depositHead}Transfer-Encoding: chunked\r\n\r\n`);
    const chunk = `400\r\n${"x".repeat(kilobyte)}\r\n`;
    client.socket.write(chunk + chunk);
    await until(() => client.received().endsWith("}"), "the answer");
    client.socket.write("0\r\n\r\nGET /healthz HTTP/1.1\r\nHost: a\r\n\r\n");
    await until(() => client.received().includes("alive"), "the connection to serve the next request");
    assert.match(client.received(), /^HTTP\/1.1 413 /);
  });

  test("without end is cut, not read for ever", { timeout: 5_000 }, async () => {
    await using server = await startHttp({ limits: { bodyBytesMax: kilobyte } });
    using client = await connectRaw(server, `${depositHead}Transfer-Encoding: chunked\r\n\r\n`);
    const chunk = `4000\r\n${"x".repeat(16 * kilobyte)}\r\n`;
    const sending = setInterval(() => client.socket.writable && client.socket.write(chunk), 1);
    assert.match(await client.closed, /^(HTTP\/1.1 413 |$)/);
    clearInterval(sending);
  });

  test("that is too large is not asked for when the client asks before it sends", async () => {
    await using server = await startHttp({ limits: { bodyBytesMax: kilobyte } });
    const expecting = `${depositHead}Expect: 100-continue\r\nConnection: close\r\nContent-Length: `;
    using large = await connectRaw(server, `${expecting}5000\r\n\r\n`);
    assert.match(await large.closed, /^HTTP\/1.1 413 /);
    using small = await connectRaw(server, `${expecting}2\r\n\r\n`);
    await until(() => small.received() === "HTTP/1.1 100 Continue\r\n\r\n", "the go-ahead");
    small.socket.write("{}");
    assert.match(await small.closed, /HTTP\/1.1 200 /);
  });

  test("that breaks off reaches no service", async () => {
    await using server = await startHttp();
    using client = await connectRaw(server, `${depositHead}Content-Length: 10\r\n\r\n{`);
    client.socket.end();
    problemIn(parseReply(await client.closed), 400, "invalid_argument");
    assert.equal(server.gateway.calls.length, 0);
    assert.deepEqual(server.logged, []);
  });
});

describe("a slow client", { timeout: 10_000 }, () => {
  test("has a bound for its headers", async () => {
    await using server = await startHttp({ limits: hasty });
    using client = await connectRaw(server, "GET /account/a/balance HTTP/1.1\r\n");
    const trickle = setInterval(() => client.socket.writable && client.socket.write("A: b\r\n"), 10);
    const problem = problemIn(parseReply(await client.closed), 408, "deadline_exceeded");
    clearInterval(trickle);
    assert.match(problem.detail, /headers have 300 ms/);
    assert.equal(problem.retryable, true);
  });

  test("has a bound for a request that never begins", async () => {
    await using server = await startHttp({ limits: hasty });
    using client = await connectRaw(server);
    problemIn(parseReply(await client.closed), 408, "deadline_exceeded");
  });

  test("has a bound for its body, and no service hears of it", async () => {
    await using server = await startHttp({ limits: hasty });
    using client = await connectRaw(server, `${depositHead}Content-Length: 1000\r\n\r\n`);
    const trickle = setInterval(() => client.socket.writable && client.socket.write("x"), 10);
    problemIn(parseReply(await client.closed), 408, "deadline_exceeded");
    clearInterval(trickle);
    assert.equal(server.gateway.calls.length, 0);
  });

  test("does not hold up others, and a slow answer is no slow request", async () => {
    const slow = gate();
    await using server = await startHttp({ limits: hasty }, async () => {
      await slow.opened;
      return output("1");
    });
    using lazy = await connectRaw(server, `${depositHead}Content-Length: 5\r\n\r\n{`);
    const answer = send(server, "POST", "/account/a/deposit", "{}");
    problemIn(parseReply(await lazy.closed), 408, "deadline_exceeded");
    slow.open();
    assert.equal((await answer).status, 200);
  });

  test("keeps an idle connection for the keep-alive timeout only", async () => {
    await using server = await startHttp({ limits: { keepAliveTimeoutMs: 50 } });
    using client = await connectRaw(server, "GET /healthz HTTP/1.1\r\nHost: a\r\n\r\n");
    assert.match(await client.closed, /^HTTP\/1.1 200 .*alive"}$/s);
  });
});

describe("headers", () => {
  test("over their limit are refused, the URL included", async () => {
    await using server = await startHttp({ limits: { headerBytesMax: 4 * kilobyte } });
    const headers = { "x-large": "x".repeat(5 * kilobyte) };
    const refused = await send(server, "GET", "/account/a/balance", undefined, { headers });
    assert.match(problemIn(refused, 431, "invalid_argument").detail, /over 4096 bytes/);
    problemIn(await send(server, "GET", `/account/${"k".repeat(5 * kilobyte)}/balance`), 431, "invalid_argument");
    assert.equal(server.gateway.calls.length, 0);
  });

  test("are all read, however many they are", async () => {
    await using server = await startHttp();
    const many = Array.from({ length: 2_500 }, () => "a:\r\n").join("");
    const head = `POST /account/a/close HTTP/1.1\r\nHost: a\r\nConnection: close\r\n${many}`;
    using client = await connectRaw(server, `${head}Idempotency-Key: last\r\n\r\n`);
    assert.match(await client.closed, /^HTTP\/1.1 200 /);
    assert.equal(server.gateway.lastCall.idempotencyKey, "last");
  });
});

describe("connections", () => {
  test("beyond their limit are closed, the others are served, and the operator hears of it once", async () => {
    await using server = await startHttp({ limits: { connectionsMax: 2 } });
    using first = await connectRaw(server);
    using _second = await connectRaw(server);
    for (let more = 0; more < 3; more++) {
      using dropped = await connectRaw(server);
      assert.equal(await dropped.closed, "");
    }
    first.socket.write("GET /healthz HTTP/1.1\r\nHost: a\r\n\r\n");
    await until(() => first.received().includes("alive"), "the answer");
    assert.deepEqual(
      server.logged.map(({ level }) => level),
      ["warn"],
    );
  });

  test("that break while a call runs are cut, never answered as if nothing had happened", async () => {
    const running = gate();
    await using server = await startHttp({}, async () => {
      await running.opened;
      return output("1");
    });
    using client = await connectRaw(server, `${depositHead}Content-Length: 2\r\n\r\n{}`);
    await until(() => server.gateway.calls.length === 1, "the call");
    client.socket.write("this is no request\r\n\r\n");
    assert.equal(await client.closed, "");
    running.open();
  });

  test("serve requests that are sent in one go, in their order", async () => {
    await using server = await startHttp({}, ({ key }) => output(JSON.stringify(key)));
    const get = (key: string, more = "") => `GET /account/${key}/balance HTTP/1.1\r\nHost: a\r\n${more}\r\n`;
    using client = await connectRaw(server, get("x") + get("y") + get("z", "Connection: close\r\n"));
    assert.match(await client.closed, /"x".*"y".*"z"/s);
  });

  test("survive whatever bytes come", async () => {
    await using server = await startHttp();
    for (const bytes of [
      "\0".repeat(100),
      "\r\n\r\n\r\n",
      "\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
      "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
      "CONNECT a:1 HTTP/1.1\r\nHost: a\r\n\r\n",
    ]) {
      using client = await connectRaw(server, bytes);
      client.socket.end();
      await client.closed;
    }
    using upgrade = await connectRaw(
      server,
      "GET /healthz HTTP/1.1\r\nHost: a\r\nConnection: Upgrade, close\r\nUpgrade: websocket\r\n\r\n",
    );
    assert.match(await upgrade.closed, /^HTTP\/1.1 200 /);
    assert.equal((await send(server, "OPTIONS", "*")).status, 404);
    assert.equal((await send(server, "GET", "/healthz")).status, 200);
  });
});
