/** The README of the bank promises what its commands print: here they are run as they are written. */
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { mkdirSync, readFileSync, symlinkSync, writeFileSync } from "node:fs";
import { delimiter, dirname, join } from "node:path";
import { test } from "node:test";
import { bin, finished, root, startUp, temporaryFolder } from "./running-system.ts";

/** The commands of the README's console blocks, each with what it prints. */
function promises(readme: string): { command: string; printed: string }[] {
  const blocks = [...readme.matchAll(/```console\n([\s\S]*?)```/g)].map((match) => match[1]!);
  return blocks.flatMap((block) =>
    block
      .split(/^\$ /m)
      .slice(1)
      .map((text) => ({
        command: text.slice(0, text.indexOf("\n")),
        printed: text.slice(text.indexOf("\n") + 1).trim(),
      })),
  );
}

test("every command of the bank's README prints what the README says", async () => {
  const all = promises(readFileSync(join(root, "examples/bank/README.md"), "utf8"));
  assert.ok(all.length >= 8, "the README has commands");
  using folder = temporaryFolder();
  // Only the address differs, because tests take free ports; `npx` finds this package by its bin.
  mkdirSync(join(folder.path, "node_modules/.bin"), { recursive: true });
  symlinkSync(bin, join(folder.path, "node_modules/.bin/synod"));
  writeFileSync(join(folder.path, "package.json"), "{}");
  const path = [dirname(process.execPath), process.env.PATH].join(delimiter);
  await using up = await startUp(folder.path);
  for (const { command, printed } of all) {
    const line = command.replaceAll("http://127.0.0.1:8080", up.ready.http);
    const child = spawn("sh", ["-c", line], {
      cwd: folder.path,
      env: { ...process.env, PATH: path },
      stdio: ["ignore", "pipe", "pipe"],
    });
    const { code, stdout, stderr } = await finished(child);
    assert.equal(code, 0, `${command}\n${stderr}`);
    assert.equal(stdout.trim(), printed, command);
  }
});
