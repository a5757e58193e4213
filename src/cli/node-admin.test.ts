import assert from "node:assert/strict";
import { once } from "node:events";
import { existsSync, mkdtempSync, rmSync, statSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { readAdminFile } from "../admin/admin-file.ts";
import { adminClient } from "../admin/client.ts";
import { adminPortDefault } from "../admin/server.ts";
import type { AdminTarget } from "../admin/target.ts";
import type { Log } from "../ports/log.ts";
import { type NodeAdminOptions, startNodeAdmin } from "./node-admin.ts";

/** Somewhere for a store's file, and what a node says in its log. */
function place(t: TestContext) {
  const folder = mkdtempSync(join(tmpdir(), "synod-admin-"));
  t.after(() => rmSync(folder, { recursive: true, force: true }));
  const said: string[] = [];
  const say = (message: string): void => void said.push(message);
  const log: Log = { debug: say, info: say, warn: say, error: say };
  const report = {
    system: "bank",
    store: "x",
    http: null,
    supervisorPid: null,
    drills: false,
    services: [],
    nodes: [],
  };
  const options: NodeAdminOptions = {
    node: "node-a",
    system: "bank",
    store: { kind: "sqlite", path: join(folder, "bank.db") },
    port: "0",
    target: { report: async () => report } as unknown as AdminTarget,
    log,
  };
  return { options, said, report, folder, file: join(folder, "bank.node-a.admin.json") };
}

test("whoever may read the file beside the store may talk to the node, until it ends", async (t) => {
  const { options, report, file } = place(t);
  const admin = (await startNodeAdmin(options))!;
  assert.ok(!existsSync(file), "not before the node's name is its own");
  const url = (await admin.publish())!;
  assert.equal(statSync(file).mode & 0o777, 0o600);
  assert.deepEqual(await adminClient((await readAdminFile(file))!).report(), report);
  await admin.close();
  assert.ok(!existsSync(file));
  await assert.rejects(fetch(url));
});

test("a node that ends leaves the file of the one that came after it under its name", async (t) => {
  const { options, file } = place(t);
  const [former, later] = [(await startNodeAdmin(options))!, (await startNodeAdmin(options))!];
  await former.publish();
  const url = await later.publish();
  await former.close();
  assert.equal((await readAdminFile(file))?.url, url);
  await later.close();
});

test("a port that was asked for and is taken is refused, the usual one gives way to a free one, and off is off", async (t) => {
  const { options } = place(t);
  const taken = createServer().listen(0, "127.0.0.1");
  // Whether this test holds the usual port or somebody else of this machine does.
  const usual = createServer().listen(adminPortDefault, "127.0.0.1");
  await Promise.all([once(taken, "listening"), Promise.race([once(usual, "listening"), once(usual, "error")])]);
  t.after(() => [taken, usual].map((server) => server.close()));
  const { port } = taken.address() as { port: number };
  await assert.rejects(startNodeAdmin({ ...options, port: String(port) }), /admin port \d+ is in use.*--admin-port/);
  const admin = (await startNodeAdmin({ ...options, port: undefined }))!;
  assert.notEqual(new URL((await admin.publish())!).port, String(adminPortDefault));
  await admin.close();
  assert.equal(await startNodeAdmin({ ...options, port: "off" }), undefined);
  await assert.rejects(startNodeAdmin({ ...options, port: "http" }), /"http".*from 0 to 65535, or off/);
});

test("where its file cannot be written there is no admin API, unless the operator has a token of his own", async (t) => {
  const { options, said, report, folder } = place(t);
  const before = process.env.SYNOD_ADMIN_TOKEN;
  t.after(() => {
    if (before === undefined) delete process.env.SYNOD_ADMIN_TOKEN;
    else process.env.SYNOD_ADMIN_TOKEN = before;
  });
  writeFileSync(join(folder, "file"), "");
  const store = { kind: "sqlite", path: join(folder, "file/bank.db") } as const;
  delete process.env.SYNOD_ADMIN_TOKEN;
  const none = (await startNodeAdmin({ ...options, store }))!;
  assert.equal(await none.publish(), null);
  assert.match(said.pop()!, /there is no admin API.*SYNOD_ADMIN_TOKEN says none/);
  await none.close();

  const token = "the-token-of-operators";
  process.env.SYNOD_ADMIN_TOKEN = token;
  const admin = (await startNodeAdmin({ ...options, store }))!;
  const url = (await admin.publish())!;
  assert.match(said.pop()!, /by --admin and SYNOD_ADMIN_TOKEN only/);
  assert.deepEqual(await adminClient({ system: "bank", url, token, pid: 0 }).report(), report);
  await admin.close();
  process.env.SYNOD_ADMIN_TOKEN = "short";
  await assert.rejects(startNodeAdmin(options), /SYNOD_ADMIN_TOKEN is no admin token: give 16 to 256 characters/);
});
