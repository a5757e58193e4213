import assert from "node:assert/strict";
import { existsSync, mkdirSync, mkdtempSync, realpathSync, rmSync, statfsSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import test, { type TestContext } from "node:test";
import { networkFileSystem, preparePlace } from "./file-system.ts";

function temporaryFolder(t: TestContext): string {
  const folder = mkdtempSync(join(realpathSync(tmpdir()), "synod-place-"));
  t.after(() => rmSync(folder, { recursive: true }));
  return folder;
}

test("the folders of a store are made", (t) => {
  const folder = temporaryFolder(t);
  preparePlace(join(folder, "a", "b", "store.db"));
  preparePlace(join(folder, "a", "b", "store.db"));
  assert.ok(existsSync(join(folder, "a", "b")));
  assert.ok(!existsSync(join(folder, "a", "b", "store.db")));
});

test("a place where no store can be is refused with one sentence that names it", (t) => {
  const folder = temporaryFolder(t);
  const file = join(folder, "file");
  const directory = join(folder, "directory");
  writeFileSync(file, "");
  mkdirSync(directory);
  const refused = (path: string, message: string) =>
    assert.throws(() => preparePlace(path), { name: "SynodError", code: "failed_precondition", message });

  refused(directory, `${directory} is a directory: name a file in it, such as ${directory}/store.db`);
  const below = join(file, "store.db");
  refused(below, `${below} cannot be created, because its folder cannot (EEXIST): choose another path`);
  const deeper = join(file, "a", "store.db");
  refused(deeper, `${deeper} cannot be created, because its folder cannot (ENOTDIR): choose another path`);
});

test("network file systems are told by their number, on Linux only", () => {
  assert.equal(networkFileSystem(0x6969, "linux"), "NFS");
  assert.equal(networkFileSystem(0xff534d42, "linux"), "CIFS");
  assert.equal(networkFileSystem(0xff534d42 | 0, "linux"), "CIFS");
  assert.equal(networkFileSystem(0xef53, "linux"), undefined);
  assert.equal(networkFileSystem(0x01021994, "linux"), undefined);
  assert.equal(networkFileSystem(0x6969, "darwin"), undefined);
  assert.equal(networkFileSystem(statfsSync(tmpdir()).type), undefined);
});
