/** The admin API of `synod node`: two nodes on one store and no supervisor, and what commands can do all the same. */
import assert from "node:assert/strict";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { type AdminFile, readAdminFile } from "../../src/admin/admin-file.ts";
import { adminClient } from "../../src/admin/client.ts";
import type { AdminTarget, EntityReport, SystemReport, WorkPage } from "../../src/admin/target.ts";
import { office as source } from "./office-system.ts";
import { project } from "./project.ts";
import { nodeWords, RunningNode } from "./running-node.ts";
import { post, synod, until } from "./running-system.ts";

/** In the folder where commands look without being told. */
const store = "sqlite:.synod/office.db";

type Name = "node-a" | "node-b";

async function fileOf(folder: string, node: string): Promise<AdminFile> {
  return await until(`${node} can be found`, () => readAdminFile(join(folder, `.synod/office.${node}.admin.json`)));
}

function running(folder: string, id: string): RunningNode {
  return new RunningNode({ folder, words: [...nodeWords("system.ts", id, store), "--admin-port", "0"] });
}

/** An owner, and the other one, which is asked. */
const pairs = [
  ["node-a", "node-b"],
  ["node-b", "node-a"],
] as const;

describe("nodes without a supervisor", () => {
  const office = project(source);
  const folder = office.path;
  const a = running(folder, "node-a");
  const b = running(folder, "node-b");
  let http: string;
  let files: Record<Name, AdminFile>;
  let clients: Record<Name, AdminTarget>;
  before(async () => {
    [http] = (await Promise.all([a.url(), b.url()])) as [string, string];
    files = { "node-a": await fileOf(folder, "node-a"), "node-b": await fileOf(folder, "node-b") };
    clients = { "node-a": adminClient(files["node-a"]), "node-b": adminClient(files["node-b"]) };
    await until("both own shards", async () => {
      const { nodes } = await clients["node-a"].report();
      return nodes[0]!.status?.members.filter(({ shardsOwned }) => shardsOwned > 0).length === 2;
    });
  });
  after(async () => {
    await Promise.all([a[Symbol.asyncDispose](), b[Symbol.asyncDispose]()]);
    office[Symbol.dispose]();
  });

  async function run(...words: string[]): Promise<string> {
    const { code, stdout, stderr } = await synod(folder, words);
    assert.deepEqual([code, stderr], [0, ""], words.join(" "));
    return stdout;
  }

  async function inspected(keys: readonly string[], node: Name): Promise<readonly EntityReport[]> {
    return await Promise.all(keys.map((key) => clients[node].inspect("contract", key)));
  }

  test("what is parked is found, shown and tried again through any of them, whichever owns it", async () => {
    const keys = ["k1", "k2", "k3", "k4", "k5", "k6"];
    for (const key of keys) {
      assert.equal((await post(http, `/contract/${key}/sign`, "x", { prefer: "respond-async" })).status, 202);
    }
    const dead = await until("all are parked", async () => {
      const { work } = await clients["node-b"].work({ boxes: ["inbox"], parked: true });
      return work.length === keys.length && work;
    });
    const listed = JSON.parse(await run("dead", "list", "--json")) as WorkPage;
    assert.deepEqual(listed.work, dead, "whoever is asked");
    const [entities, others] = await Promise.all([inspected(keys, "node-a"), inspected(keys, "node-b")]);
    assert.deepEqual(entities.map(stored), others.map(stored), "both nodes tell the same");
    assert.ok(
      entities.every(({ active, owner }) => active === (owner === "node-a")),
      "and of its own memory each",
    );
    const owned = (node: Name): string[] => entities.filter(({ owner }) => owner === node).map(({ key }) => key);
    assert.ok(owned("node-a").length > 0 && owned("node-b").length > 0, "the keys are spread over the nodes");
    const asked = JSON.parse(await run("inspect", "contract", owned("node-b")[0]!, "--json")) as EntityReport;
    assert.deepEqual([asked.node, asked.active], ["node-b", true], "of nodes on one machine the owner is asked");

    writeFileSync(join(folder, "go"), "");
    for (const [owner, other] of pairs) {
      const { id, key } = dead.find((work) => owned(owner).includes(work.key))!;
      const { journal } = await clients[other].workDetails(id);
      assert.deepEqual(
        journal.map(({ name }) => name),
        ["count/signatures.add"],
        "what it has done so far",
      );
      assert.equal(await run("dead", "retry", id, "--admin", files[other].url), `${id} retried\n`);
      await until(`${key} is signed`, async () => {
        const { work } = await clients[other].work({ boxes: ["inbox"], service: "contract", key });
        return work.length === 0;
      });
    }
    assert.equal((await run("dead", "drop", "--all")).split("\n").length - 1, keys.length - 2);
    assert.equal((await run("call", "count", "signatures", "read")).trim(), "6", "each has signed once");
  });

  test("each tells of itself, and of the others what the membership says", async () => {
    const report = JSON.parse(await run("status", "--json")) as SystemReport;
    assert.deepEqual([report.system, report.supervisorPid], ["office", null]);
    assert.deepEqual(
      report.nodes.map(({ id, pid, state }) => [id, pid, state]),
      [
        ["node-a", a.pid, "ready"],
        ["node-b", b.pid, "ready"],
      ],
      "nodes of one machine are asked together",
    );
    const { nodes } = await clients["node-a"].report();
    assert.deepEqual(nodes.map(({ id, state }) => `${id} ${state}`).sort(), ["node-a ready", "node-b member"]);
    const metrics = (token: string): Promise<Response> =>
      fetch(new URL("/metrics", files["node-a"].url), { headers: { authorization: `Bearer ${token}` } });
    const text = await (await metrics(files["node-a"].token)).text();
    assert.match(text, /^synod_resident_memory_bytes\{node="node-a"\} \d{7,}$/m);
    assert.doesNotMatch(text, /\{node="node-b"/);
    assert.equal((await metrics(files["node-b"].token)).status, 401, "each has a token of its own");
  });

  test("what takes a supervisor is refused in a sentence, and a node that is told to drain ends in order", async () => {
    await assert.rejects(clients["node-a"].restart("node-a"), /node-a has no supervisor/);
    await assert.rejects(clients["node-a"].availability(), /Nobody measures the availability here/);
    await assert.rejects(clients["node-a"].drain("node-b"), /node-a ends nobody but itself: say `synod drain node-b`/);
    assert.match(await run("drain", "node-b"), /^node-b drained in \d+\.\d s\n$/);
    assert.equal((await b.ended).code, 0);
    assert.equal(await readAdminFile(join(folder, ".synod/office.node-b.admin.json")), undefined);
    await assert.rejects(clients["node-a"].drain("node-a"), /No other node serves that could take over from node-a/);
    assert.equal((await post(http, "/count/signatures/read")).status, 200);
  });
});

function stored({ key, owner, version, state }: EntityReport): unknown {
  return { key, owner, version, state };
}
