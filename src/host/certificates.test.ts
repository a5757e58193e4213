/** An authority that is there is never replaced: running nodes would trust the new one at once, and each other no more. */
import assert from "node:assert/strict";
import { existsSync, mkdtempSync, readFileSync, renameSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { SynodError } from "../errors.ts";
import { makeCertificates } from "./certificates.ts";

test("an authority of which a half is missing is left alone, and the missing half is named", async (t) => {
  const folder = mkdtempSync(join(tmpdir(), "synod-certificates-"));
  t.after(() => rmSync(folder, { recursive: true, force: true }));
  const make = (...nodes: string[]) => makeCertificates({ folder, system: "bank", nodes, days: 1 });
  assert.equal((await make("a")).caMade, true);
  const [certificate, key, aside] = ["ca.pem", "ca-key.pem", "elsewhere"].map((name) => join(folder, name));
  const before = readFileSync(certificate!, "utf8");
  for (const [missing, sentence] of [
    [key!, /ca\.pem is there, its key ca-key\.pem is not: put it there, or choose another folder/],
    [certificate!, /ca-key\.pem is there, its certificate ca\.pem is not: put it there, or choose another folder/],
  ] as const) {
    renameSync(missing, aside!);
    await assert.rejects(
      make("b"),
      (error) => error instanceof SynodError && error.code === "failed_precondition" && sentence.test(error.message),
    );
    assert.ok(!existsSync(missing) && !existsSync(join(folder, "b.pem")));
    renameSync(aside!, missing);
  }
  assert.equal((await make("b")).caMade, false);
  assert.equal(readFileSync(certificate!, "utf8"), before);
});
