import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { lockFile } from "./file-lock.ts";

const folder = mkdtempSync(join(tmpdir(), "synod-lock-"));
after(() => rmSync(folder, { recursive: true }));

test("a lock is held once and can be taken again after its release", () => {
  const path = join(folder, "deep", "once.lock");
  const first = lockFile(path);
  assert.ok(first);
  assert.equal(lockFile(path), undefined);
  first.release();
  const second = lockFile(path);
  assert.ok(second);
  second.release();
});

test("a place where there can be no lock is told in one sentence that names it", () => {
  const taken = join(folder, "taken.lock");
  lockFile(taken)!.release();
  for (const [path, reason] of [
    [join(taken, "below.lock"), "EEXIST|ENOTDIR"],
    [folder, "unable to open database file"],
  ] as const) {
    const sentence = new RegExp(
      `^${path} cannot be made \\(.*(?:${reason}).*\\): is .* a folder that .* choose another store$`,
    );
    assert.throws(() => lockFile(path), { name: "SynodError", code: "failed_precondition", message: sentence });
  }
});

test("a lock is freed when the process that holds it is killed", async () => {
  const path = join(folder, "killed.lock");
  const module = JSON.stringify(new URL("./file-lock.ts", import.meta.url).href);
  const script = `const { lockFile } = await import(${module});
    lockFile(${JSON.stringify(path)}); console.log("held"); setInterval(() => {}, 1000);`;
  const holder = spawn(process.execPath, ["--input-type=module", "-e", script], {
    stdio: ["ignore", "pipe", "inherit"],
  });
  try {
    await once(holder.stdout, "data");
    assert.equal(lockFile(path), undefined, "another process holds it");
  } finally {
    holder.kill("SIGKILL");
  }
  await once(holder, "exit");
  const lock = lockFile(path);
  assert.ok(lock, "the dead process holds it no longer");
  lock.release();
});
