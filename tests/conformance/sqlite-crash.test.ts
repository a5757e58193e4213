/** A process that dies between any two steps of SQLite leaves a store that is whole. */
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { cpus } from "node:os";
import { join } from "node:path";
import { text } from "node:stream/consumers";
import test from "node:test";
import { fileURLToPath } from "node:url";
import { openConnection } from "../../src/adapters/sqlite/connection.ts";
import { leasesOf } from "../../src/adapters/sqlite/leases.ts";
import { readsOf } from "../../src/adapters/sqlite/reads.ts";
import { prepareStore } from "../../src/adapters/sqlite/schema.ts";
import type { ReadResult } from "../../src/ports/store.ts";
import { crashCall, crashKeys, crashService } from "./sqlite-crash-batch.ts";
import { system, temporaryFolder } from "./sqlite-database.ts";

const program = fileURLToPath(new URL("./sqlite-crash-steps.ts", import.meta.url));

/** Runs the program until it kills itself; answers what it said before. */
async function die(path: string, role: "create" | "commit", step?: number): Promise<string> {
  const rest = step === undefined ? [] : [String(step)];
  const child = spawn(process.execPath, [program, path, role, ...rest], { stdio: ["ignore", "pipe", "inherit"] });
  const [said, [, signal]] = await Promise.all([text(child.stdout), once(child, "exit")]);
  assert.equal(signal, "SIGKILL");
  return said;
}

/** Lets the program die before each of its steps, several at a time. */
async function atEachStep(role: "create" | "commit", check: (path: string, step: number) => Promise<void>) {
  await using folder = await temporaryFolder();
  const steps = Number(await die(join(folder.path, "whole.db"), role));
  let next = 1;
  const worker = async (): Promise<void> => {
    for (let step = next++; step <= steps; step = next++) {
      const path = join(folder.path, `${step}.db`);
      await die(path, role, step);
      await check(path, step);
    }
  };
  await Promise.all(cpus().slice(0, 4).map(worker));
  await check(join(folder.path, "whole.db"), steps + 1);
  return steps;
}

test("a commit that dies before any of its steps has happened as a whole or not at all", async () => {
  const versions: number[] = [];
  const steps = await atEachStep("commit", async (path, step) => {
    versions[step] = durableVersion(path);
  });
  assert.ok(steps >= 12, `BEGIN, COMMIT and ten statements between them are ${steps} steps`);
  assert.deepEqual(versions.slice(1), [...Array.from({ length: steps }, () => 1), 2]);
});

/** The version of everything in the store, which must be the same everywhere. */
function durableVersion(path: string): number {
  const database = openConnection(path, "writer");
  try {
    const read = readsOf(database, path);
    const shards = [0, 1].map((number) => ({ service: crashService, number }));
    const rows = shards.flatMap((shard) => crashKeys.map((key) => read({ kind: "entity", shard, key })));
    const version = versionOf(rows[0]!);
    for (const row of rows) assert.equal(versionOf(row), version);
    for (const shard of shards) {
      const isRecorded = (id: string): boolean => {
        const found = read({ kind: "record", shard, id });
        return found.kind === "record" && found.record !== null;
      };
      for (const [at, key] of crashKeys.entries()) {
        for (const each of [1, 2]) {
          assert.equal(isRecorded(`${key}-${each}`), each <= version);
          assert.equal(isRecorded(crashCall(each, at)), each === version, "a floor goes with what it settles");
        }
      }
    }
    const floors = database.prepare("SELECT DISTINCT floor FROM floors").all();
    assert.deepEqual(
      floors.map((row) => Object.values(row)),
      [[version * crashKeys.length]],
    );
    const held = database.prepare("SELECT DISTINCT state_version, timed_records FROM shards WHERE number < 2").all();
    assert.deepEqual(
      held.map((row) => Object.values(row)),
      [[version, version * crashKeys.length]],
    );
    return version;
  } finally {
    database.close();
  }
}

function versionOf(result: ReadResult): number {
  assert.ok(result.kind === "entity" && result.row !== null);
  assert.equal(result.row.state, JSON.stringify(result.row.version));
  return result.row.version;
}

test("a store whose creation died before any of its steps can be created again", async () => {
  const steps = await atEachStep("create", async (path) => {
    const database = openConnection(path, "writer");
    const secret = new Uint8Array(32);
    const identity = prepareStore(database, { path, system, shardsPerService: 4, secret });
    assert.deepEqual(identity, { system, cluster: 1, shardsPerService: 4, secret });
    const { incarnation } = leasesOf(database, 4).join({ node: "node", address: null, hosts: [] });
    assert.equal(incarnation, 1);
    database.close();
  });
  assert.ok(steps >= 8, `looking, creating and looking again are ${steps} steps`);
});
