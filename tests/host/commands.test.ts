/** The commands that look at and talk to a running system, and what they say when that is impossible. */
import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import type { EntityReport, SystemReport } from "../../src/admin/target.ts";
import { bank, type Finished, post, type RunningUp, startUp, synod, temporaryFolder } from "./running-system.ts";

describe("commands and a running system", () => {
  const folder = temporaryFolder();
  let up: RunningUp;
  before(async () => {
    up = await startUp(folder.path);
  });
  after(async () => {
    await up[Symbol.asyncDispose]();
    folder[Symbol.dispose]();
  });

  const run = (...words: string[]): Promise<Finished> => synod(folder.path, words);

  test("`call` prints the output of a command and of a query, keyed or not", async () => {
    assert.equal((await run("call", "account", "alice", "deposit", '{"amount":500}')).stdout, '{"balance":500}\n');
    assert.equal((await run("call", "account", "alice", "balance")).stdout, '{"balance":500}\n');
    assert.equal((await run("call", "rates", "quote", '{"from":"EUR","to":"USD"}')).stdout, '{"rate":1.1}\n');
    const { stdout } = await run("call", "account", "alice", "balanceIn", '{"currency":"USD"}');
    assert.equal(stdout, '{"balance":550,"currency":"USD"}\n');
  });

  test("`call --id` takes effect once, and `--json` says that the repeat was replayed", async () => {
    const deposit = ["call", "account", "bob", "deposit", '{"amount":5}', "--id", "once", "--json"];
    assert.deepEqual(JSON.parse((await run(...deposit)).stdout), {
      ok: true,
      output: '{"balance":5}',
      replayed: false,
    });
    assert.deepEqual(JSON.parse((await run(...deposit)).stdout), { ok: true, output: '{"balance":5}', replayed: true });
  });

  test("a declared error has an exit code of its own, in text and in JSON", async () => {
    const text = await run("call", "account", "carol", "withdraw", '{"amount":1}');
    assert.equal(text.code, 4);
    assert.match(text.stderr, /insufficientFunds.*\{"balance":0\}/);
    assert.equal((await run("call", "account", "carol", "withdraw", '{"amount":1}', "--json")).code, 4);
  });

  test("wrong calls are told in one sentence", async () => {
    const refusals: [words: string[], code: number, sentence: RegExp][] = [
      [["nothing", "x"], 1, /^synod: There is no service nothing\. There are: account, rates, transfer\.$/],
      [["acount", "x"], 1, /^synod: There is no service acount: did you mean "account"\?/],
      [
        ["account", "alice", "deposti"],
        1,
        /account has no operation deposti: did you mean "deposit"\? There are: deposit, /,
      ],
      // The key was forgotten.
      [["account", "deposit", '{"amount":5}'], 2, /^synod: account is keyed: write `synod call account KEY OPERATION/],
      [["account", "alice"], 2, /^synod: account is keyed: write `synod call account KEY OPERATION \[JSON\]`\.$/],
      [["rates", "quote", "{}", "more"], 2, /^synod: rates is stateless: write/],
      [["account", "alice", "nothing"], 1, /nothing/],
      [["account", "alice", "deposit", "{"], 1, /invalid_argument/],
      [["account", "alice", "deposit", '{"amount":-5}'], 1, /invalid_argument.*\$\.amount/],
      // Each complaint once.
      [["account", "alice", "deposit", '{"amount":"5"}'], 1, /^(?!.*\$\.amount.*\$\.amount).*\$\.amount/],
    ];
    for (const [words, code, sentence] of refusals) {
      const refused = await run("call", ...words);
      assert.equal(refused.code, code, words.join(" "));
      assert.match(refused.stderr.trimEnd(), sentence);
      assert.equal(refused.stderr.trimEnd().split("\n").length, 1, "one line, no stack");
    }
  });

  test("`status` shows nodes, members with their shards, and links with their statistics", async () => {
    const report = JSON.parse((await run("status", "--json")).stdout) as SystemReport;
    assert.deepEqual([report.system, report.http], ["bank", up.ready!.http]);
    assert.deepEqual(
      report.nodes.map(({ id, pid, state }) => ({ id, pid, state })),
      up.ready!.nodes.map(({ id, pid }) => ({ id, pid, state: "ready" })),
    );
    for (const { id, status } of report.nodes) {
      assert.equal(
        status!.members.reduce((sum, { shardsOwned }) => sum + shardsOwned, 0),
        2 * 64,
      );
      const links = status!.links.filter(({ direction, phase }) => direction === "dialled" && phase === "open");
      const others = report.nodes.map((node) => node.id).filter((other) => other !== id);
      assert.deepEqual(links.map(({ node }) => node).sort(), others);
      for (const { bytesSent, queueWaitMaxMs, causes } of links) {
        assert.ok(bytesSent > 0 && queueWaitMaxMs >= 0);
        assert.deepEqual(causes, {});
      }
    }
    const { stdout } = await run("status");
    assert.match(stdout, /^system +bank$/m);
    assert.match(stdout, /^node-1 +\d+ +ready +\d/m);
    assert.match(stdout, /^node-2 +\d+ +127\.0\.0\.1:\d+ +\d+$/m);
    assert.match(stdout, /^node-3 to node-1 +open +[\d.]+ ms +0 +0 +[\d.]+ ms, [\d.]+ ms +\d+ +[\d.]+ \w+ +/m);
    assert.doesNotMatch(stdout, /undefined|NaN/);
  });

  test("`inspect` shows the durable state of one entity, and an initial one where nothing is stored", async () => {
    const owners = new Set<string>();
    for (const key of ["dora", "emil", "fritz", "gerd", "hanna"]) {
      await post(up.ready!.http, `/account/${key}/deposit`, { amount: 42 });
      const { stdout } = await run("inspect", "account", key, "--json");
      const entity = JSON.parse(stdout) as EntityReport;
      assert.deepEqual([entity.key, entity.state], [key, { balance: 42 }]);
      assert.ok(entity.version > 0);
      // Only the owner knows: whichever node was asked, that one has answered.
      assert.ok(entity.active, `${key} is active at its owner`);
      owners.add(entity.owner!);
    }
    assert.ok(owners.size > 1, "the keys are spread over the nodes");
    assert.match((await run("inspect", "account", "dora")).stdout, /owned by node-\d in epoch \d+/);
    assert.match((await run("inspect", "account", "nobody-yet")).stdout, /nothing stored/);
    assert.equal((await run("inspect", "rates", "x")).code, 1);
    const misspelt = await run("inspect", "acount", "x");
    assert.deepEqual(
      [misspelt.code, misspelt.stderr.includes('did you mean "account"? There are: account,')],
      [1, true],
    );
  });

  test("a system is found by its name and by its store", async () => {
    assert.equal((await run("status", "--system", "bank")).code, 0);
    assert.equal((await run("status", "--store", `sqlite:${folder.path}/.synod/bank.db`)).code, 0);
    const other = await run("status", "--system", "shop");
    assert.equal(other.code, 3);
    assert.match(other.stderr, /^synod: System shop does not run/);
  });
});

test("without a running system commands say so, with an exit code of its own", async () => {
  using folder = temporaryFolder();
  for (const words of [
    ["status"],
    ["inspect", "account", "alice"],
    ["call", "account", "alice", "balance"],
    ["drain", "node-1"],
    ["restart", "--rolling"],
  ]) {
    const { code, stderr } = await synod(folder.path, words);
    assert.equal(code, 3);
    assert.match(stderr, /^synod: No system runs .*start one with `synod up SYSTEM\.ts`\.\n$/);
  }
});

test("a command written wrongly gets a suggestion and exit code 2", async () => {
  using folder = temporaryFolder();
  const unknown = await synod(folder.path, ["statsu"]);
  assert.equal(unknown.code, 2);
  assert.match(unknown.stderr, /Did you mean status\?/);
  assert.equal((await synod(folder.path, ["up"])).code, 2);
  assert.equal((await synod(folder.path, ["up", bank, "--port", "http"])).code, 2);
  for (const words of [
    ["call", "account", "alice", "balance", "--timeout", "500"],
    ["drill", bank, "--every", "soon"],
    ["capacity", bank, "--slo", "p99"],
  ]) {
    const { code, stderr } = await synod(folder.path, words);
    assert.deepEqual([code, /^error: option '.*' is invalid\. Give .* such as/.test(stderr)], [2, true], stderr);
  }
  assert.equal((await synod(folder.path, [])).code, 2);
  assert.equal((await synod(folder.path, ["up", bank, "--nodes", "0"])).code, 2);
  for (const words of [["restart"], ["restart", "node-1", "--rolling"]]) {
    const { code, stderr } = await synod(folder.path, words);
    assert.deepEqual([code, stderr], [2, "synod: Name one node, or say --rolling for all of them.\n"]);
  }
  assert.equal((await synod(folder.path, ["drain"])).code, 2);
  assert.equal((await synod(folder.path, ["node", bank])).code, 2);
});

test("`--help` of every command has examples, and the program's has the exit codes", async () => {
  using folder = temporaryFolder();
  const help = await synod(folder.path, ["--help"]);
  assert.equal(help.code, 0);
  assert.match(help.stdout, /Exit codes:\n {2}0 {2}done/);
  const commands = [...help.stdout.matchAll(/^ {2}([a-z]+) \[options\]/gm)].map((match) => match[1]!);
  assert.deepEqual(commands, [
    "init",
    "up",
    "status",
    "top",
    "inspect",
    "call",
    "drain",
    "restart",
    "node",
    "certs",
    "backup",
    "restore",
    "verify",
    "openapi",
    "check",
    "sim",
    "capacity",
    "availability",
    "drill",
  ]);
  const groups = [["inbox"], ["outbox", "list"], ["dead", "show"], ["dead", "retry"]];
  for (const words of [...commands.map((command) => [command]), ...groups]) {
    assert.match((await synod(folder.path, [...words, "--help"])).stdout, /Examples:\n/, words.join(" "));
  }
});

test("`openapi` prints the description of a system that does not run", async () => {
  using folder = temporaryFolder();
  const { code, stdout } = await synod(folder.path, ["openapi", bank]);
  assert.equal(code, 0);
  const document = JSON.parse(stdout) as { openapi: string; paths: Record<string, unknown> };
  assert.match(document.openapi, /^3\.1/);
  assert.ok(Object.keys(document.paths).includes("/account/{key}/deposit"));
});
