/** The published package: packed, installed elsewhere, and the bank runs from it with `npx synod up`. */
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { cpSync, existsSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { delimiter, dirname, join } from "node:path";
import { test } from "node:test";
import { finished, post, root, temporaryFolder, until } from "./host/running-system.ts";

/** Scripts that npm runs have to find the Node that runs this test. */
const env: NodeJS.ProcessEnv = { ...process.env, PATH: [dirname(process.execPath), process.env.PATH].join(delimiter) };

async function npm(cwd: string, ...words: string[]): Promise<string> {
  const child = spawn("npm", words, { cwd, env, stdio: ["ignore", "pipe", "pipe"] });
  const { code, stdout, stderr } = await finished(child, 120_000);
  assert.equal(code, 0, `npm ${words.join(" ")}\n${stdout}${stderr}`);
  return stdout.trim();
}

test("the packed package runs the bank from JavaScript, in a project of its own", async () => {
  using folder = temporaryFolder();
  const packed = await npm(root, "pack", "--silent", "--pack-destination", folder.path);
  const tarball = packed.split("\n").at(-1)!;
  const { devDependencies } = JSON.parse(readFileSync(join(root, "package.json"), "utf8")) as {
    devDependencies: Record<string, string>;
  };
  writeFileSync(join(folder.path, "package.json"), '{"type":"module","private":true}');
  const zod = `zod@${devDependencies.zod}`;
  await npm(folder.path, "install", "--prefer-offline", "--no-audit", "--no-fund", `./${tarball}`, zod);
  const installed = join(folder.path, "node_modules/synod");
  assert.ok(!existsSync(join(installed, "src")), "sources are not published");
  const files = readdirSync(join(installed, "dist"), { recursive: true }) as string[];
  assert.ok(files.some((file) => file.endsWith(".d.ts")));
  assert.deepEqual(
    files.filter((file) => /\.test\.|(?<!\.d)\.ts$/.test(file)),
    [],
  );
  cpSync(join(root, "examples/bank"), join(folder.path, "bank"), { recursive: true });
  await runBank(folder.path);
  await startAnew(folder.path);
});

/** A project that the installed package makes passes its own tests with it. */
async function startAnew(folder: string): Promise<void> {
  await npm(folder, "exec", "--", "synod", "init", "shop");
  const { NODE_TEST_CONTEXT: _, ...outside } = env;
  const shop = { cwd: join(folder, "shop"), env: outside };
  const { code, stdout } = await finished(spawn(process.execPath, ["--test"], shop), 30_000);
  assert.equal(code, 0, stdout);
}

/** A program of the project that uses the client library and the bank's own interface. */
async function payWithClient(folder: string, url: string): Promise<string> {
  const program = `
    import { connect } from "synod/client";
    import { Account } from "./bank/account.interface.ts";
    console.log(await connect(process.argv[2]).to(Account, "alice").deposit({ amount: 7 }));
  `;
  writeFileSync(join(folder, "pay.ts"), program);
  const child = spawn(process.execPath, ["pay.ts", url], { cwd: folder, env, stdio: ["ignore", "pipe", "pipe"] });
  const { code, stdout, stderr } = await finished(child, 30_000);
  assert.equal(code, 0, stderr);
  return stdout;
}

async function runBank(folder: string): Promise<void> {
  const words = ["synod", "up", "bank/system.ts", "--port", "0", "--admin-port", "0", "--json"];
  const up = spawn("npx", words, { cwd: folder, env, stdio: ["ignore", "pipe", "pipe"] });
  const ended = finished(up, 60_000);
  let stdout = "";
  up.stdout.on("data", (chunk) => (stdout += chunk));
  const admin = join(folder, ".synod/bank.admin.json");
  try {
    await until("the ready line", () => stdout.includes("\n"), 30_000);
    const ready = JSON.parse(stdout) as { http: string; nodes: readonly { pid: number }[] };
    const answer = await post(ready.http, "/account/alice/deposit", { amount: 5 });
    assert.deepEqual([answer.status, answer.body], [200, { balance: 5 }]);
    assert.equal(ready.nodes.length, 3);
    process.kill(ready.nodes[0]!.pid, "SIGKILL");
    assert.equal(await payWithClient(folder, ready.http), "{ balance: 12 }\n");
  } finally {
    // npx passes a signal on only in some of its versions: the supervisor itself is told to stop.
    if (existsSync(admin)) process.kill((JSON.parse(readFileSync(admin, "utf8")) as { pid: number }).pid, "SIGINT");
    else up.kill("SIGKILL");
  }
  const { code, stderr } = await ended;
  assert.equal(code, 0, stderr);
  assert.ok(!existsSync(admin), "the stop was a clean one");
}
