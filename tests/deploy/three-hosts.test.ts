/** docs/operations.md, "A rehearsal": its commands are run as they are written, but for ports, and for the PostgreSQL of the tests. */
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { cpSync, mkdirSync, readFileSync, symlinkSync, writeFileSync } from "node:fs";
import { delimiter, dirname, join } from "node:path";
import { test } from "node:test";
import { RunningNode } from "../host/running-node.ts";
import { bin, type Finished, finished, root, temporaryFolder, until } from "../host/running-system.ts";
import { createDatabase } from "../postgres/databases.ts";

const text = readFileSync(join(root, "docs/operations.md"), "utf8");
const chapter = text.slice(text.indexOf("### A rehearsal"), text.indexOf("## Containers"));

function blocks(language: string): string[] {
  return [...chapter.matchAll(new RegExp(`\`\`\`${language}\\n([\\s\\S]*?)\`\`\``, "g"))].map((match) => match[1]!);
}

/** The bank in a project of its own, in which `npx synod` finds this package. */
function bankProject() {
  const folder = temporaryFolder();
  cpSync(join(root, "examples/bank"), folder.path, { recursive: true });
  mkdirSync(join(folder.path, "node_modules/.bin"), { recursive: true });
  symlinkSync(root, join(folder.path, "node_modules/synod"));
  symlinkSync(join(root, "node_modules/zod"), join(folder.path, "node_modules/zod"));
  symlinkSync(bin, join(folder.path, "node_modules/.bin/synod"));
  writeFileSync(join(folder.path, "package.json"), '{"type":"module"}');
  return folder;
}

/** Without what differs each time: where the store is, and how many replies are still kept. */
function comparable(printed: string): string {
  return printed
    .trimEnd()
    .replace(/^postgres:\S+/, "STORE")
    .replace(/\d+ recorded replies/, "N recorded replies");
}

test("the rehearsal of three hosts prints what it says: certificates, three nodes with TLS, a crash, nothing lost", async () => {
  using folder = bankProject();
  await using database = await createDatabase();
  await using nodes = new AsyncDisposableStack();
  const [certificates, calls] = blocks("console");
  const [starts] = blocks("sh");
  const environment: Record<string, string> = {
    PATH: [dirname(process.execPath), process.env.PATH].join(delimiter),
    SYNOD_STORE: database.url,
  };
  /** The ports that the nodes got, in the place of those that are printed. */
  const ports = new Map<string, string>();
  const shell = async (line: string): Promise<Finished> => {
    const command = line.replaceAll(/127\.0\.0\.1:(808\d)/g, (_, port) => `127.0.0.1:${ports.get(port)}`);
    const options = { cwd: folder.path, env: { ...process.env, ...environment } };
    return await finished(spawn("sh", ["-c", command], { ...options, stdio: ["ignore", "pipe", "pipe"] }), 40_000);
  };
  const keep = async (block: string): Promise<void> => {
    for (const promise of block.split(/^\$ /m).slice(1)) {
      const [line = "", ...printed] = promise.trimEnd().split("\n");
      const { code, stdout, stderr } = await shell(line);
      assert.equal(code, 0, `${line}\n${stderr}`);
      assert.equal(comparable(stdout), comparable(printed.join("\n")), line);
    }
  };
  await keep(certificates!);
  const lines = starts!.split("\n").filter((line) => line.startsWith("npx synod node "));
  assert.equal(lines.length, 3);
  for (const line of lines) {
    const words = line
      .replace("npx synod ", "")
      .replace(/:9400 /, ":0 ")
      .replace(/--port \d+/, "--port 0")
      .split(" ");
    const node = nodes.use(new RunningNode({ folder: folder.path, words: [...words, "--json"], environment }));
    ports.set(/--port (\d+)/.exec(line)![1]!, new URL(await node.url()).port);
    environment[`NODE_${/--id node-(\w)/.exec(line)![1]!.toUpperCase()}`] = String(node.pid);
  }
  const states = "SELECT count(DISTINCT owner)::integer AS owners FROM shards";
  await until("each node owns its part", async () => (await database.query(states))[0]!.owners === 3, 20_000);
  await keep(calls!);
});
