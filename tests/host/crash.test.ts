/** `kill -9` of a node under load: nothing acknowledged is lost, nothing happens twice, and it is quick. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { createPrng, type Prng } from "../../src/values/prng.ts";
import { type Acknowledged, balance, deposit, replays } from "./load.ts";
import { assertFigure, kill9, reportOf, startUp, temporaryFolder, until } from "./running-system.ts";

const accounts: readonly string[] = Array.from({ length: 20 }, (_, index) => `account-${index}`);

async function assertExactlyOnce(url: string, acknowledged: readonly Acknowledged[]): Promise<void> {
  for (const account of accounts) {
    const deposited = acknowledged.filter((one) => one.account === account).reduce((sum, one) => sum + one.amount, 0);
    assert.equal(await balance(url, account), deposited, `${account} holds what was deposited`);
  }
}

test("after kill -9 under 200 commands/s every key answers within 1 s, with nothing lost or doubled", async () => {
  await assertFigure("the wait of the slowest key", 1_000, killUnderLoad);
});

/** Resolves with the longest time that any key took to answer again. */
async function killUnderLoad(): Promise<number> {
  using folder = temporaryFolder();
  await using up = await startUp(folder.path);
  const url = up.ready.http;
  const running: Promise<Acknowledged>[] = [];
  const started = performance.now();
  let killedAt: number | undefined;
  // Open loop: what is due by the clock is sent, however slow the answers are.
  await until("three seconds of load", () => {
    const now = performance.now();
    while (running.length < ((now - started) * 200) / 1_000) {
      running.push(deposit(url, accounts[running.length % accounts.length]!, 1));
    }
    if (killedAt === undefined && now - started > 1_000) {
      process.kill(up.ready.nodes[1]!.pid, "SIGKILL");
      killedAt = performance.now();
    }
    return now - started > 3_000;
  });
  const acknowledged = await Promise.all(running);
  await assertExactlyOnce(url, acknowledged);
  const firstAnswers = accounts.map((account) => {
    const again = acknowledged.filter((one) => one.account === account && one.startedAt > killedAt!);
    return Math.min(...again.map((one) => one.answeredAt));
  });
  return Math.max(...firstAnswers) - killedAt!;
}

test("after 50 kills at random moments under load every acknowledged command took effect exactly once", async (t) => {
  const seed = Date.now() % 2 ** 31;
  t.diagnostic(`seed ${seed}`);
  const random = createPrng(seed);
  using folder = temporaryFolder();
  await using up = await startUp(folder.path);
  const url = up.ready.http;
  const acknowledged: Acknowledged[] = [];
  let stop = false;
  const clients = Array.from({ length: 8 }, async () => {
    while (!stop) {
      const account = accounts[random.below(accounts.length)]!;
      acknowledged.push(await deposit(url, account, 1 + random.below(100)));
    }
  });
  for (let kill = 0; kill < 50; kill++) {
    // Any node, at any moment of its life: every fifth may be killed while it starts.
    const pid = await until("there is a node to kill", () => victim(folder.path, random, kill % 5 === 4));
    const moment = performance.now() + random.number() * 200;
    await until("the random moment", () => performance.now() > moment);
    kill9(pid);
    await until("the node is gone", async () => !(await pids(folder.path)).includes(pid));
  }
  stop = true;
  await Promise.all(clients);
  await assertExactlyOnce(url, acknowledged);
  const repeated = acknowledged.filter((_, index) => index % Math.ceil(acknowledged.length / 100) === 0);
  for (const one of repeated) assert.ok(await replays(url, one), "a repeat gets the recorded answer");
  await assertExactlyOnce(url, acknowledged);
  t.diagnostic(`${acknowledged.length} deposits, ${acknowledged.filter((one) => one.attempts > 1).length} repeated`);
  assert.ok(acknowledged.length > 200, "there was load");
});

async function victim(folder: string, random: Prng, starting: boolean): Promise<number | undefined> {
  const { nodes } = await reportOf(folder);
  const alive = nodes.filter(({ state }) => state === "ready" || (starting && state === "starting"));
  return alive.length === 0 ? undefined : alive[random.below(alive.length)]!.pid;
}

async function pids(folder: string): Promise<readonly (number | undefined)[]> {
  return (await reportOf(folder)).nodes.map(({ pid }) => pid);
}
