import assert from "node:assert/strict";
import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import { createServer } from "node:http";
import { type AddressInfo, createServer as createSilence, type Server, type Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
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

/** Listens on loopback until the test ends; gives its URL. */
async function listening(t: TestContext, server: Server): Promise<string> {
  const sockets = new Set<Socket>();
  server.on("connection", (socket: Socket) => sockets.add(socket));
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  t.after(() => {
    for (const socket of sockets) socket.destroy();
    server.close();
  });
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}

/** A store of its own, with admin files beside it. */
function place(t: TestContext): {
  folder: string;
  store: string;
  write: (node: string, url: string, system?: string) => Promise<void>;
} {
  const folder = mkdtempSync(join(tmpdir(), "synod-running-"));
  t.after(() => rmSync(folder, { recursive: true, force: true }));
  return {
    folder,
    store: `sqlite:${folder}/.synod/bank.db`,
    write: (node, url, system = "bank") =>
      writeAdminFile(join(folder, `.synod/bank.${node}.admin.json`), { system, url, token: "a-token-for-all", pid: 7 }),
  };
}

test("another program at the address of a system that is gone is nobody", async (t) => {
  const { store, write } = place(t);
  for (const [status, body] of [
    [404, '{"error":"x"}'],
    [500, '"no"'],
    [500, "null"],
    [200, '{"status":"fine"}'],
  ] as const) {
    const other = createServer((_, response) => response.writeHead(status).end(body));
    await write("node-a", await listening(t, other));
    await assert.rejects(findRunning({ store }), NothingRunsError, body);
  }
});

test("a system that does not answer is left out where another part of it does, and else it is told of", async (t) => {
  const said = t.mock.method(process.stderr, "write", () => true);
  const silent = await listening(t, createSilence());
  const [own, alone, others] = [place(t), place(t), place(t)];
  for (const { store, write } of [own, others]) {
    const server = await serve(store, "a-token-for-all", [nodeReport("node-b", "ready")]);
    t.after(() => server.close());
    await write("node-b", server.url);
  }
  await own.write("node-c", silent);
  await alone.write("node-c", silent);
  await others.write("node-c", silent, "shop");
  const before = process.cwd();
  process.chdir(others.folder);
  t.after(() => process.chdir(before));
  await Promise.all([
    findRunning({ store: own.store }).then(({ report }) => assert.equal(report.nodes[0]!.id, "node-b")),
    assert.rejects(findRunning({ store: alone.store }), /did not answer in time/),
    // It is not for us to say which of two systems was meant.
    assert.rejects(
      findRunning({}),
      (error) => error instanceof UsageError && /bank \(.*\), shop \(does not answer\)/.test(error.message),
    ),
  ]);
  assert.equal(said.mock.callCount(), 1);
  assert.match(String(said.mock.calls[0]!.arguments[0]), new RegExp(`${silent}.*did not answer in time`));
});
