import assert from "node:assert/strict";
import { once } from "node:events";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import type { IncomingMessage } from "node:http";
import { request } from "node:https";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { TlsIdentity } from "../adapters/tcp/identity.ts";
import type { AdminTarget } from "../admin/target.ts";
import { SynodError } from "../errors.ts";
import { makeCertificates } from "../host/certificates.ts";
import type { Log } from "../ports/log.ts";
import { UsageError } from "./exit.ts";
import { startNodeMetrics } from "./node-metrics.ts";

const nothing = (): void => {};
const log: Log = { debug: nothing, info: nothing, warn: nothing, error: nothing };
const token = "the-token-of-scrapers";
const target = {
  meters: async () => [],
  availability: async () => {
    throw new SynodError("failed_precondition", "nobody measures it");
  },
} as unknown as AdminTarget;

test("beyond loopback the meters take a certificate and a token, and nothing else is there", async (t) => {
  const before = process.env.SYNOD_ADMIN_TOKEN;
  const folder = mkdtempSync(join(tmpdir(), "synod-metrics-"));
  t.after(() => {
    if (before === undefined) delete process.env.SYNOD_ADMIN_TOKEN;
    else process.env.SYNOD_ADMIN_TOKEN = before;
    rmSync(folder, { recursive: true, force: true });
  });
  const { ca, nodes } = await makeCertificates({ folder, system: "bank", nodes: ["node-a"], days: 1 });
  const [{ cert, key }] = nodes as [(typeof nodes)[number]];
  using identity = new TlsIdentity({ cert, key, ca }, "node-a", log);
  const beyond = "0.0.0.0:0";
  const listen = "127.0.0.1:0";
  const refused = (options: Parameters<typeof startNodeMetrics>[0], sentence: RegExp): Promise<void> =>
    assert.rejects(startNodeMetrics(options), (error) => error instanceof UsageError && sentence.test(error.message));
  delete process.env.SYNOD_ADMIN_TOKEN;
  await refused({ listen, identity, target }, /say one as SYNOD_ADMIN_TOKEN/);
  process.env.SYNOD_ADMIN_TOKEN = token;
  await refused({ listen: beyond, identity: undefined, target }, /0\.0\.0\.0:0 is beyond this machine.*--tls-cert/);
  assert.equal(await startNodeMetrics({ listen: undefined, identity, target }), undefined);

  const server = (await startNodeMetrics({ listen, identity, target }))!;
  t.after(() => server.close());
  const { port } = new URL(server.url);
  const tls = { ca: readFileSync(ca), servername: "node-a", agent: false };
  const ask = async (method: string, path: string, given: string) => {
    const headers = { authorization: `Bearer ${given}` };
    const asked = request(`https://127.0.0.1:${port}${path}`, { method, headers, ...tls });
    asked.end();
    const [response] = (await once(asked, "response")) as [IncomingMessage];
    let text = "";
    for await (const chunk of response) text += chunk;
    return { status: response.statusCode, type: String(response.headers["content-type"]), text };
  };
  const scraped = await ask("GET", "/metrics", token);
  assert.equal(scraped.status, 200, scraped.text);
  assert.match(scraped.type, /^text\/plain; version=0\.0\.4/);
  for (const wrong of ["", "wrong", `${token}x`]) assert.equal((await ask("GET", "/metrics", wrong)).status, 401);
  for (const [method, path] of [
    ["GET", "/v1/status"],
    ["POST", "/v1/call"],
    ["POST", "/metrics"],
  ] as const) {
    assert.equal((await ask(method, path, token)).status, 404, `${method} ${path}`);
  }
  await assert.rejects(fetch(`http://127.0.0.1:${port}/metrics`), "not without TLS");
});
