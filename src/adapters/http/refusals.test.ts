/** Requests that are not in order: each gets a clear problem, and no service hears of it. */
import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import {
  connectRaw,
  parseReply,
  problemIn,
  type Reply,
  type RunningHttp,
  send,
  startHttp,
  until,
} from "./fixture.test.ts";

describe("a request that is refused", () => {
  let server: RunningHttp;
  before(async () => {
    server = await startHttp();
  });
  after(async () => {
    await server.adapter.close();
    assert.equal(server.gateway.calls.length, 0, "no refused request reached the gateway");
    assert.deepEqual(
      server.logged.filter(({ level }) => level === "error"),
      [],
    );
  });

  const refuses = (name: string, request: () => Promise<Reply>, status: number, code: string, detail: RegExp) =>
    test(name, async () => {
      const problem = problemIn(await request(), status, code);
      assert.match(problem.detail, detail);
      assert.equal(problem.outcome, "not-happened");
    });
  const post = (path: string, body: string | Buffer | undefined, headers: Record<string, string | string[]> = {}) =>
    send(server, "POST", path, body, { headers });
  const deposit = (headers: Record<string, string | string[]>, body: string | Buffer = "{}") =>
    post("/account/a/deposit", body, headers);

  const notFound = (name: string, path: string, detail: RegExp) =>
    refuses(name, () => send(server, "GET", path), 404, "not_found", detail);
  notFound("because its service is unknown, hears what there is", "/nothing/a/b", /"nothing".*account, rates/);
  notFound("because its service is misspelt, hears a suggestion", "/acount/a/balance", /did you mean "account"/);
  notFound("because its operation is misspelt, hears a suggestion", "/account/a/balence", /did you mean "balance"/);
  notFound(
    "because its operation is unknown, hears what there is",
    "/account/a/zzz",
    /deposit, withdraw, close, balance/,
  );
  notFound("because the key is missing, hears the form", "/account/balance", /\/account\/\{key\}\/\{operation\}.*%2F/);
  notFound("because the service has no key, hears the form", "/rates/eur/latest", /\/rates\/\{operation\}/);
  notFound("because a key's slash is not encoded, hears the form", "/account/a/b/balance", /percent-encoded/);
  notFound("because it ends in a slash, hears the form", "/account/a/balance/", /\/account\/\{key\}/);
  notFound("because it asks for the root, hears what there is", "/", /account, rates/);
  for (const name of ["__proto__", "constructor", "toString", "%5F_proto__"]) {
    notFound(`because ${name} is no service`, `/${name}/a/b`, /no service/);
    notFound(`because ${name} is no operation`, `/account/a/${name}`, /has no operation/);
  }

  test("because a command was asked by GET hears which methods there are", async () => {
    for (const method of ["GET", "HEAD", "PUT", "DELETE", "PATCH", "TRACE", "PROPFIND", "QUERY"]) {
      const reply = await send(server, method, "/account/a/deposit");
      assert.deepEqual([reply.status, reply.headers.allow], [405, "POST, OPTIONS"], method);
      if (method !== "HEAD")
        assert.match(problemIn(reply, 405, "unimplemented").detail, /account.deposit is a command/);
    }
    const own = await send(server, "POST", "/healthz", "{}");
    assert.deepEqual([own.status, own.headers.allow], [405, "GET, HEAD"]);
  });

  for (const path of [
    "/account/%/balance",
    "/account/%zz/balance",
    "/account/%ff/balance",
    "/account/%E0%A4%A/balance",
    "/%c0%ae",
  ]) {
    refuses(
      `for malformed percent-encoding: ${path}`,
      () => send(server, "GET", path),
      400,
      "invalid_argument",
      /percent-encoded UTF-8/,
    );
  }
  const input = (query: string) => () => send(server, "GET", `/account/a/history?${query}`);
  refuses(
    "for malformed percent-encoding in the input",
    input("input=%E0%A4"),
    400,
    "invalid_argument",
    /percent-encoded/,
  );
  refuses("for two inputs", input("input=1&input=2"), 400, "invalid_argument", /only query parameter is input, once/);
  refuses("for an unknown query parameter", input("inptu=1"), 400, "invalid_argument", /only query parameter is input/);
  refuses(
    "for input in the URL of a POST",
    () => post("/account/a/history?input=1", "1"),
    400,
    "invalid_argument",
    /in its body/,
  );
  refuses(
    "for a GET with a body",
    () => send(server, "GET", "/account/a/history", "{}", { headers: { "content-length": "2" } }),
    400,
    "invalid_argument",
    /GET takes no body/,
  );
  refuses(
    "for input where there is none",
    () => post("/account/a/close", '{"a":1}'),
    400,
    "invalid_argument",
    /takes no input/,
  );
  refuses(
    "for input in the URL where there is none",
    () => send(server, "GET", "/account/a/balance?input=1"),
    400,
    "invalid_argument",
    /takes no input/,
  );

  for (const type of [
    "text/plain",
    "application/xml",
    "application/json; charset=latin1",
    "application/jsonx",
    "multipart/form-data; boundary=x",
    ";;",
  ]) {
    refuses(
      `for the content type ${type}`,
      () => deposit({ "content-type": type }),
      415,
      "invalid_argument",
      /application\/json/,
    );
  }
  refuses(
    "for a body without a content type",
    () =>
      send(server, "POST", "/account/a/deposit", undefined, {
        headers: { "transfer-encoding": "chunked" },
      }),
    415,
    "invalid_argument",
    /no content type/,
  );
  refuses(
    "for a compressed body",
    () => deposit({ "content-encoding": "gzip" }),
    415,
    "invalid_argument",
    /as it is, not as "gzip"/,
  );
  refuses(
    "for a body that is not UTF-8",
    () => deposit({}, Buffer.from([0x22, 0xff, 0x22])),
    400,
    "invalid_argument",
    /not UTF-8/,
  );

  const keys = {
    empty: "",
    "of spaces": "   ",
    "of 256 characters": "k".repeat(256),
    "of 10 KiB": "k".repeat(10_240),
    "with a space": "a b",
    "with a tab": "a\tb",
    "beyond ASCII": "\u00e4",
  };
  for (const [name, key] of Object.entries(keys)) {
    refuses(
      `for an idempotency key ${name}`,
      () => deposit({ "idempotency-key": key }),
      400,
      "invalid_argument",
      /1 to 255 visible ASCII/,
    );
  }
  refuses(
    "for two idempotency keys",
    () => deposit({ "idempotency-key": ["a", "a"] }),
    400,
    "invalid_argument",
    /one header/,
  );

  for (const timeout of [
    "0",
    "0.0",
    "-1",
    "NaN",
    "Infinity",
    "1e309",
    "1e1",
    "abc",
    "",
    "5.001",
    "9".repeat(400),
    "0x1",
    "1,5",
  ]) {
    refuses(
      `for the timeout ${timeout.slice(0, 10)}`,
      () => deposit({ "request-timeout": timeout }),
      400,
      "invalid_argument",
      /above 0 and up to 5,/,
    );
  }
  refuses("for two timeouts", () => deposit({ "request-timeout": ["1", "2"] }), 400, "invalid_argument", /up to 5/);

  for (const site of ["cross-site", "same-site"]) {
    refuses(
      `because a browser posts it for a page elsewhere (${site})`,
      () => post("/account/a/close", undefined, { "sec-fetch-site": site }),
      403,
      "permission_denied",
      /another origin/,
    );
  }

  test("because it has no Host, or expects what cannot be", async () => {
    using hostless = await connectRaw(server, "GET /account/a/balance HTTP/1.1\r\nConnection: close\r\n\r\n");
    assert.match(problemIn(parseReply(await hostless.closed), 400, "invalid_argument").detail, /Host header/);
    const expecting = await send(server, "POST", "/account/a/deposit", "{}", { headers: { expect: "the-unexpected" } });
    assert.match(problemIn(expecting, 417, "unimplemented").detail, /only 100-continue/);
  });

  test("because its URL has raw bytes beyond ASCII", async () => {
    using client = await connectRaw(
      server,
      "GET /account/\xc3\xbc/balance HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n",
    );
    problemIn(parseReply(await client.closed), 400, "invalid_argument");
  });

  test("with a body does not break the connection for the next request", async () => {
    const refused = "POST /nothing/b HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhello";
    using client = await connectRaw(server, `${refused}GET /healthz HTTP/1.1\r\nHost: a\r\n\r\n`);
    await until(() => client.received().includes("alive"), "the second answer");
    assert.match(client.received(), /^HTTP\/1.1 404 .*HTTP\/1.1 200 /s);
  });

  const malformed = {
    "that is not HTTP": "hello\r\n\r\n",
    "with an unknown method": "BREW /account/a/balance HTTP/1.1\r\nHost: a\r\n\r\n",
    "with a broken header": "GET / HTTP/1.1\r\nHost: a\r\nno colon\r\n\r\n",
    "with two different lengths":
      "POST /account/a/deposit HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\nContent-Length: 3\r\n\r\n{}",
    "with a length and chunks":
      "POST /account/a/deposit HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\nContent-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    "with a broken chunk":
      "POST /account/a/deposit HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
    "with a negative length": "POST /account/a/deposit HTTP/1.1\r\nHost: a\r\nContent-Length: -1\r\n\r\n",
  };
  for (const [name, bytes] of Object.entries(malformed)) {
    test(`because it is malformed: a request ${name}`, async () => {
      using client = await connectRaw(server, bytes);
      client.socket.end();
      const reply = parseReply(await client.closed);
      assert.match(problemIn(reply, 400, "invalid_argument").detail, /not HTTP/);
      assert.equal(reply.headers.connection, "close");
    });
  }
});

test("a malformed trace context is ignored, and one of a later version is passed on", async () => {
  await using server = await startHttp();
  const trace = "4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
  const good = [`00-${trace}`, `01-${trace}`, `01-${trace}-more`, `01-${trace}-${"a".repeat(200)}`];
  const bad = [
    `ff-${trace}`,
    `00-${trace}-more`,
    `00-${trace.toUpperCase()}`,
    "00-",
    "",
    `00-${"0".repeat(32)}-00f067aa0ba902b7-01`,
    // No link carries more than 256 bytes of it.
    `01-${trace}-${"a".repeat(201)}`,
    `01-${trace}-${"é".repeat(101)}`,
  ];
  for (const traceparent of [...good, ...bad]) {
    assert.equal(
      (await send(server, "GET", "/account/a/balance", undefined, { headers: { traceparent } })).status,
      200,
    );
    assert.equal(server.gateway.lastCall.traceparent, good.includes(traceparent) ? traceparent : undefined);
  }
});
