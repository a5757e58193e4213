/** What the writing thread does when the log cannot be copied into the database. */
import assert from "node:assert/strict";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import test, { type TestContext } from "node:test";
import { openWriter } from "./writer.ts";

/** The extended result code of a sync of the database that failed. */
const failedSync = 1034;
const busy = 5;
const full = 13;

/** A writer of a new store whose log cannot be copied, for the reason that SQLite has this code for. */
function writerThatFails(t: TestContext, errcode: number) {
  const folder = mkdtempSync(join(tmpdir(), "synod-writer-"));
  let copies = 0;
  const maintain = (): number => {
    copies += 1;
    throw Object.assign(new Error("it cannot be copied"), { errcode });
  };
  const creation = { path: join(folder, "store.db"), system: "s", shardsPerService: 64, bytesMax: undefined };
  const secret = new Uint8Array(32);
  const writer = openWriter({ ...creation, secret }, () => ({ maintain, obstacle: () => undefined }));
  t.after(() => {
    writer.operations.close(undefined);
    rmSync(folder, { recursive: true });
  });
  const batch = {} as Parameters<typeof writer.operations.commit>[0];
  return {
    writer,
    copies: () => copies,
    renew: () => writer.operations.renew({ incarnation: 1, draining: false, knownRevision: 0 }),
    commit: () => writer.operations.commit(batch),
  };
}

test("a store whose log could not be synced into it is not used again: what was copied may never have reached the disk", (t) => {
  const { writer, copies, renew, commit } = writerThatFails(t, failedSync);
  const { trouble } = writer.afterwards();
  assert.match(trouble!, /store\.db failed while its write-ahead log was copied .*: stop all nodes, check its disk/);
  const answer = commit();
  assert.equal(answer.status, "broken");
  assert.throws(renew, /recent commits may be missing/);
  assert.equal(writer.broken()?.outcome, "unknown");

  writer.afterwards();
  assert.equal(copies(), 1, "the log is left as it is: another pass would let it be used again");
});

for (const errcode of [busy, full]) {
  test(`a log that cannot be copied now (SQLite says ${errcode}) is copied another time`, (t) => {
    const { writer, copies, renew } = writerThatFails(t, errcode);
    assert.equal(writer.afterwards().trouble, "it cannot be copied");
    assert.equal(writer.broken(), undefined);
    assert.equal(renew().status, "ended", "there is no such lease");
    writer.afterwards();
    assert.equal(copies(), 2);
  });
}
