import assert from "node:assert/strict";
import { once } from "node:events";
import { request } from "node:http";
import type { AddressInfo } from "node:net";
import { createServer } from "node:net";
import { after, before, describe, test } from "node:test";
import { SynodError } from "../errors.ts";
import { adminClient, NobodyAnswers } from "./client.ts";
import { type AdminServer, startAdminServer } from "./server.ts";
import type { AdminTarget, SystemReport } from "./target.ts";

const report: SystemReport = {
  system: "bank",
  store: "memory:",
  http: null,
  drills: false,
  supervisorPid: 1,
  services: [{ name: "account", keyed: true, operations: ["deposit"] }],
  nodes: [],
};
const token = "correct-horse";
let calls: unknown[] = [];

const target: AdminTarget = {
  availability: async () => {
    throw new SynodError("failed_precondition", "nothing is promised");
  },
  report: async () => report,
  meters: async () => [],
  inspect: async (service) => {
    throw new SynodError("not_found", `there is no service ${service}`);
  },
  work: async (query) => {
    calls.push(query);
    return { work: [], damaged: [], next: null };
  },
  strike: async (order) => {
    calls.push(order);
  },
  workDetails: async (id) => {
    throw new SynodError("not_found", `there is no pending work ${id}`);
  },
  operate: async (id, action) => {
    calls.push({ id, action });
  },
  drain: async () => {},
  restart: async () => {},
  call: async (call) => {
    calls.push(call);
    return { ok: true, output: "1", replayed: false };
  },
};

describe("the admin API", () => {
  let server: AdminServer;
  before(async () => {
    server = await startAdminServer({ port: 0, token, target });
  });
  after(() => server.close());

  const change = { "content-type": "application/json", "synod-admin": "1" };

  /** Unlike fetch, node:http lets a test say any Host and Origin. */
  async function ask(method: string, path: string, headers: Record<string, string>, body = "") {
    const call = request(new URL(path, server.url), {
      method,
      headers: { authorization: `Bearer ${token}`, ...headers },
    });
    call.end(body);
    const [response] = (await once(call, "response")) as [import("node:http").IncomingMessage];
    let text = "";
    for await (const chunk of response) text += chunk;
    return {
      status: response.statusCode,
      headers: response.headers,
      body: JSON.parse(text) as Record<string, unknown>,
    };
  }

  test("answers whoever knows the token, with headers that keep pages away", async () => {
    const { status, headers, body } = await ask("GET", "/v1/status", {});
    assert.deepEqual([status, body], [200, report]);
    assert.match(String(headers["content-security-policy"]), /frame-ancestors 'none'/);
    assert.equal(headers["cache-control"], "no-store");
  });

  test("refuses a request without the token, with a wrong one, or with a part of it", async () => {
    for (const authorization of ["", "Bearer wrong-horses", "Bearer correct", token]) {
      assert.equal((await ask("GET", "/v1/status", { authorization })).status, 401);
    }
  });

  test("refuses another Host and another Origin, even with the token", async () => {
    assert.equal((await ask("GET", "/v1/status", { host: "evil.example" })).status, 403);
    assert.equal((await ask("GET", "/v1/status", { host: "127.0.0.1" })).status, 403);
    assert.equal((await ask("GET", "/v1/status", { origin: "http://evil.example" })).status, 403);
    assert.equal((await ask("GET", "/v1/status", { origin: "null" })).status, 403);
    assert.equal((await ask("GET", "/v1/status", { origin: server.url })).status, 200);
  });

  test("takes a change only as JSON with a header of its own", async () => {
    calls = [];
    const body = JSON.stringify({ service: "account", operation: "deposit" });
    assert.equal((await ask("POST", "/v1/call", { "content-type": "application/json" }, body)).status, 400);
    assert.equal(
      (await ask("POST", "/v1/call", { "content-type": "text/plain", "synod-admin": "1" }, body)).status,
      400,
    );
    assert.equal((await ask("GET", "/v1/call", change)).status, 404);
    assert.deepEqual(calls, []);
    assert.equal((await ask("POST", "/v1/call", change, body)).status, 200);
    assert.equal(calls.length, 1);
  });

  test("refuses a body that is no JSON object, has wrong types, or is too large", async () => {
    calls = [];
    for (const body of [
      "",
      "{",
      "1",
      "null",
      '{"service":1,"operation":"x"}',
      '{"service":"a","operation":"b","timeoutMs":"1"}',
    ]) {
      assert.equal((await ask("POST", "/v1/call", change, body)).status, 400, body);
    }
    assert.equal((await ask("POST", "/v1/call", { ...change, "content-length": "99999999" })).status, 400);
    assert.deepEqual(calls, []);
  });

  test("tells its client what went wrong, and that another program answers there", async () => {
    const file = { system: "bank", url: server.url, token, pid: 1 };
    assert.deepEqual(await adminClient(file).report(), report);
    await assert.rejects(adminClient(file).inspect("shop", "x"), /there is no service shop/);
    await assert.rejects(adminClient({ ...file, token: "old" }).report(), NobodyAnswers);
    await assert.rejects(adminClient({ ...file, url: "http://127.0.0.1:1" }).report(), NobodyAnswers);
  });
});

test("a port in use is refused in one sentence", async () => {
  const other = createServer().listen(0, "127.0.0.1");
  await once(other, "listening");
  try {
    const { port } = other.address() as AddressInfo;
    await assert.rejects(startAdminServer({ port, token, target }), /The admin port \d+ is in use by another program/);
  } finally {
    other.close();
  }
});

test("what was asked before the end is answered, and nothing after it", async () => {
  const [asked, mayAnswer] = [Promise.withResolvers<void>(), Promise.withResolvers<void>()];
  const drain = async (): Promise<void> => {
    asked.resolve();
    await mayAnswer.promise;
  };
  const server = await startAdminServer({ port: 0, token, target: { ...target, drain } });
  const client = adminClient({ system: "bank", url: server.url, token, pid: 1 });
  const drained = client.drain("node-1");
  await asked.promise;
  const closed = server.close();
  mayAnswer.resolve();
  await Promise.all([drained, closed]);
  await assert.rejects(client.report(), NobodyAnswers);
});
