/** READMEs promise what their commands print: here they are run as they are written, and their programs too. */
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { existsSync, mkdirSync, readFileSync, symlinkSync, writeFileSync } from "node:fs";
import { delimiter, dirname, join } from "node:path";
import { test } from "node:test";
import { project } from "./project.ts";
import { bank, bin, type Finished, finished, root, startUp, temporaryFolder, until } from "./running-system.ts";

interface Promised {
  readonly command: string;
  readonly printed: string;
}

/** The blocks of a README in one language, in order. */
function blocks(readme: string, language: string): string[] {
  return [...readme.matchAll(new RegExp(`\`\`\`${language}\\n([\\s\\S]*?)\`\`\``, "g"))].map((match) => match[1]!);
}

/** The commands of console blocks, each with what it prints. */
function promises(texts: readonly string[]): readonly Promised[] {
  return texts.flatMap((block) =>
    block
      .split(/^\$ /m)
      .slice(1)
      .map((text) => ({
        command: text.slice(0, text.indexOf("\n")),
        printed: text.slice(text.indexOf("\n") + 1).trim(),
      })),
  );
}

/** How long something took differs each time, and npm has warnings of its own. */
function comparable(printed: string): string {
  return printed
    .replaceAll(/^npm warn .*\n/gm, "")
    .replaceAll(/\d+\.\d s$/gm, "N s")
    .trim();
}

/** Runs the commands in the folder of a running system; only the address differs, because tests take free ports. */
async function keep(folder: string, promised: readonly Promised[], url: string): Promise<void> {
  // `npx` finds this package by its bin.
  mkdirSync(join(folder, "node_modules/.bin"), { recursive: true });
  symlinkSync(bin, join(folder, "node_modules/.bin/synod"));
  for (const { command, printed } of promised) {
    const { code, stdout, stderr } = await shell(folder, command.replaceAll(/http:\/\/127\.0\.0\.1:80\d\d/g, url));
    const said = code === 4 ? stderr : stdout;
    assert.ok(code === 0 || code === 4, `${command}\n${stderr}`);
    assert.equal(comparable(said), comparable(printed), command);
  }
}

async function shell(cwd: string, line: string): Promise<Finished> {
  const path = [dirname(process.execPath), process.env.PATH].join(delimiter);
  const env = { ...process.env, PATH: path };
  return await finished(spawn("sh", ["-c", line], { cwd, env, stdio: ["ignore", "pipe", "pipe"] }), 30_000);
}

test("every command of the bank's README prints what the README says", async () => {
  const promised = promises(blocks(readFileSync(join(root, "examples/bank/README.md"), "utf8"), "console"));
  assert.ok(promised.length >= 8, "the README has commands");
  using folder = temporaryFolder();
  writeFileSync(join(folder.path, "package.json"), "{}");
  await using up = await startUp(folder.path);
  await keep(folder.path, promised, up.ready.http);
});

const readme = readFileSync(join(root, "README.md"), "utf8");
/** The commands about the bank come first, those about the README's own service last. */
const consoles = blocks(readme, "console");

test("the experiments of the README print what it says: calls, kills, a drain, restarts", async () => {
  const promised = promises(consoles.slice(0, -1));
  assert.ok(promised.length >= 9, "the README has commands");
  using folder = temporaryFolder();
  writeFileSync(join(folder.path, "package.json"), "{}");
  await using up = await startUp(folder.path, [bank, "--log-format", "text"]);
  await keep(folder.path, promised, up.ready.http);
  // The lines that the README shows of the log, but for their figures.
  const figures = (text: string): string => text.replaceAll(/\d+(?= (?:shards|ms)|$)/g, "N");
  const logged = (): string[] => up.stderr.split("\n").map((line) => figures(line.slice(line.indexOf(" ") + 1)));
  for (const line of blocks(readme, "text")[0]!.trim().split("\n")) {
    await until(`the log says: ${line}`, () => logged().includes(figures(line)));
  }
});

test("the service of the README runs as it stands there, and its client too", async () => {
  const [service, client] = blocks(readme, "ts");
  assert.ok(service!.trim().split("\n").length <= 32, "it is short");
  using folder = project(service!);
  await using up = await startUp(folder.path, ["system.ts"]);
  await keep(folder.path, promises(consoles.slice(-1)), up.ready.http);
  writeFileSync(join(folder.path, "counter.ts"), service!);
  writeFileSync(join(folder.path, "client.ts"), client!.replace("http://127.0.0.1:8081", up.ready.http));
  const { stdout, stderr } = await shell(folder.path, "node --conditions=synod-source client.ts");
  assert.equal(stdout, "5\n", stderr);
});

test("every file that the README links to exists", () => {
  const links = [...readme.matchAll(/\]\((?!https?:|#)([^)]+)\)/g)].map((match) => match[1]!);
  assert.ok(links.length > 5, "the README has links");
  for (const link of links) assert.ok(existsSync(join(root, link)), link);
});
