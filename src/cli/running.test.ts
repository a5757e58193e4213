import assert from "node:assert/strict";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { writeAdminFile } from "../admin/admin-file.ts";
import { type AdminServer, startAdminServer } from "../admin/server.ts";
import type { AdminTarget, NodeReport } from "../admin/target.ts";
import { NothingRunsError, UsageError } from "./exit.ts";
import { findRunning } from "./running.ts";

/** An admin API that knows what it reports, and nothing else. */
async function serve(store: string, token: string, nodes: readonly NodeReport[]): Promise<AdminServer> {
  const report = { system: "bank", store, http: null, supervisorPid: null, drills: false, services: [], nodes };
  return await startAdminServer({ port: 0, token, target: { report: async () => report } as unknown as AdminTarget });
}

function nodeReport(id: string, state: string): NodeReport {
  return { id, address: null, state, restarts: 0 };
}

test("--admin is asked with the token of the file that names it, or of the environment, and of this machine only", async (t) => {
  const folder = mkdtempSync(join(tmpdir(), "synod-running-"));
  t.after(() => rmSync(folder, { recursive: true, force: true }));
  const store = `sqlite:${folder}/bank.db`;
  const [file, token] = [join(folder, "bank.node-a.admin.json"), "a-token-of-its-own"];
  const server = await serve(store, token, [nodeReport("node-a", "ready")]);
  t.after(() => server.close());
  const find = (admin: string, system?: string) => findRunning({ store, admin, ...(system && { system }) });
  await assert.rejects(
    find(server.url),
    (error) => error instanceof UsageError && /SYNOD_ADMIN_TOKEN/.test(error.message),
  );
  await writeAdminFile(file, { system: "bank", url: server.url, token, pid: 1 });
  for (const url of [server.url, server.url.replace("127.0.0.1", "localhost")]) {
    assert.equal((await find(url)).report.system, "bank");
  }
  await assert.rejects(find(server.url, "shop"), /runs bank, not shop/);
  await writeAdminFile(file, { system: "bank", url: server.url, token: "the-token-of-another", pid: 1 });
  await assert.rejects(
    find(server.url),
    (error) => error instanceof NothingRunsError && /knows the token/.test(error.message),
  );
  for (const url of ["http://db.example:9470", "https://127.0.0.1:9470", "9470", "ftp://127.0.0.1"]) {
    await assert.rejects(
      find(url),
      (error) => error instanceof UsageError && /is no admin API of this machine/.test(error.message),
      url,
    );
  }
});

test("nodes of one system are asked together, each once and as it tells of itself", async (t) => {
  const folder = mkdtempSync(join(tmpdir(), "synod-running-"));
  t.after(() => rmSync(folder, { recursive: true, force: true }));
  const store = `sqlite:${folder}/bank.db`;
  const token = "a-token-for-both-of-them";
  const a = [nodeReport("node-a", "ready"), nodeReport("node-b", "member"), nodeReport("node-c", "member")];
  const b = [nodeReport("node-b", "draining"), nodeReport("node-a", "member"), nodeReport("node-c", "member")];
  for (const [id, nodes] of Object.entries({ "node-b": b, "node-a": a })) {
    const server = await serve(store, token, nodes);
    t.after(() => server.close());
    await writeAdminFile(join(folder, `bank.${id}.admin.json`), { system: "bank", url: server.url, token, pid: 1 });
  }
  // Of another store, which lies beside.
  const other = await serve(`sqlite:${folder}/bank.old.db`, token, [nodeReport("node-x", "ready")]);
  t.after(() => other.close());
  await writeAdminFile(join(folder, "bank.old.admin.json"), { system: "bank", url: other.url, token, pid: 1 });
  const { report, client } = await findRunning({ store });
  for (const { nodes } of [report, await client.report()]) {
    assert.deepEqual(
      nodes.map(({ id, state }) => `${id} ${state}`),
      ["node-a ready", "node-b draining", "node-c member"],
    );
  }
});
