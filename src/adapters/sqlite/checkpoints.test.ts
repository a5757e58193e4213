import assert from "node:assert/strict";
import { mkdtempSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import test, { type TestContext } from "node:test";
import { Worker } from "node:worker_threads";
import { type CheckpointBounds, checkpointsOf } from "./checkpoints.ts";
import { openConnection, useWriteAheadLog } from "./connection.ts";

const kib = 1024;

function open(t: TestContext, bounds: CheckpointBounds) {
  const folder = mkdtempSync(join(tmpdir(), "synod-log-"));
  const path = join(folder, "store.db");
  const writer = openConnection(path, "writer");
  useWriteAheadLog(writer);
  writer.exec("CREATE TABLE things (thing BLOB)");
  const reader = openConnection(path, "reader");
  t.after(() => {
    reader.close();
    writer.close();
    rmSync(folder, { recursive: true });
  });
  const insert = writer.prepare("INSERT INTO things VALUES (zeroblob(?))");
  const logOnDisk = (): number => statSync(`${path}-wal`).size;
  return {
    path,
    reader,
    checkpoints: checkpointsOf(writer, path, bounds),
    write: (bytes: number) => insert.run(bytes),
    logOnDisk,
  };
}

test("the log is copied back when it is long, and then used again from its start", (t) => {
  const { checkpoints, write, logOnDisk } = open(t, { checkpointFromBytes: 256 * kib, walBytesMax: 1024 * kib });
  let longest = 0;
  for (let commit = 0; commit < 200; commit++) {
    write(32 * kib);
    longest = Math.max(longest, checkpoints.maintain());
    assert.equal(checkpoints.obstacle(), undefined);
  }
  assert.ok(longest >= 256 * kib && longest < 512 * kib, `${longest} bytes at the longest`);
  assert.ok(logOnDisk() < 512 * kib);
});

/** Another node: commits all the time, and leaves the log to others. */
const otherNode = `
  const { workerData } = require("node:worker_threads");
  const { DatabaseSync } = require("node:sqlite");
  const database = new DatabaseSync(workerData.path, { timeout: 5_000 });
  database.exec("PRAGMA wal_autocheckpoint = 0; PRAGMA synchronous = OFF");
  const insert = database.prepare("INSERT INTO things VALUES (zeroblob(4000))");
  const commits = new Int32Array(workerData.commits);
  while (Atomics.load(commits, 1) === 0) {
    insert.run();
    Atomics.add(commits, 0, 1);
    Atomics.wait(commits, 1, 0, 0.5);
  }
  database.close();
`;

test("the log is used again from its start although another node never stops committing", async (t) => {
  const bounds = { checkpointFromBytes: 256 * kib, walBytesMax: 64 * 1024 * kib };
  const { path, checkpoints, logOnDisk } = open(t, bounds);
  const commits = new Int32Array(new SharedArrayBuffer(8));
  const node = new Worker(otherNode, { eval: true, workerData: { path, commits: commits.buffer } });
  const ended = new Promise((resolve, reject) => node.once("exit", resolve).once("error", reject));
  try {
    const deadline = performance.now() + 20_000;
    // So many commits of two pages and more are far more than the log may become.
    while (Atomics.load(commits, 0) < 1_500) {
      assert.ok(performance.now() < deadline, "the other node commits");
      await new Promise((resolve) => setTimeout(resolve, 1));
      checkpoints.maintain();
    }
  } finally {
    Atomics.store(commits, 1, 1);
    await ended;
  }
  assert.ok(logOnDisk() < 2 * 1024 * kib, `${logOnDisk()} bytes of ${1_500 * 2 * 4 * kib}`);
});

test("a reader that never ends lets the log grow to its bound, and no further", (t) => {
  const { reader, checkpoints, write, logOnDisk } = open(t, {
    checkpointFromBytes: 256 * kib,
    walBytesMax: 1024 * kib,
  });
  reader.exec("BEGIN");
  reader.prepare("SELECT count(*) FROM things").get();
  let commits = 0;
  while (checkpoints.obstacle() === undefined) {
    write(32 * kib);
    checkpoints.maintain();
    assert.ok(++commits < 100, "the bound is reached");
  }
  assert.ok(logOnDisk() >= 1024 * kib && logOnDisk() < 1200 * kib);
  assert.match(checkpoints.obstacle()!.message, /write-ahead log of .*store\.db is full: end the program/);
  assert.equal(checkpoints.obstacle()!.code, "unavailable");

  reader.exec("COMMIT");
  assert.equal(checkpoints.obstacle(), undefined);
  write(32 * kib);
  assert.ok(checkpoints.maintain() < 256 * kib);
});
