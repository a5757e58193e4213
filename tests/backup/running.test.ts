/** A backup of a system that goes on working, and a system that goes on from it on a store of the other kind. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { type Acknowledged, balance, deposit, replays } from "../host/load.ts";
import { bank, post, startUp, synod, temporaryFolder, until } from "../host/running-system.ts";
import { createPlace } from "./stores.ts";

const holders = ["ann", "ben", "cleo", "dora"];
const before = 1_000;

/** Deposits and transfers without pause, until it is stopped. */
class Load implements AsyncDisposable {
  readonly acknowledged: Acknowledged[] = [];
  transfers = 0;
  attempted = 0;
  readonly #work: readonly Promise<void>[];
  #stopped = false;

  constructor(url: string) {
    const deposits = Array.from({ length: 6 }, (_, number) =>
      this.#repeat(async (turn) => {
        this.attempted += 1;
        this.acknowledged.push(await deposit(url, `load-${number}-${turn % 5}`, 1));
      }),
    );
    const transfers = Array.from({ length: 3 }, (_, number) =>
      this.#repeat(async (turn) => {
        const [from, to] = [holders[turn % 4]!, holders[(turn + 1 + number) % 4]!];
        if (from === to) return;
        const { status } = await post(url, `/transfer/${number}-${turn}/start`, { from, to, amount: 1 });
        assert.equal(status, 200);
        this.transfers += 1;
      }),
    );
    this.#work = [...deposits, ...transfers];
  }

  async #repeat(work: (turn: number) => Promise<void>): Promise<void> {
    for (let turn = 0; !this.#stopped; turn++) {
      await work(turn);
      // What does nothing must not keep the event loop to itself.
      await new Promise((next) => setImmediate(next));
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#stopped = true;
    await Promise.all(this.#work);
  }
}

async function assertTotal(url: string): Promise<void> {
  const balances = await Promise.all(holders.map((holder) => balance(url, holder)));
  const total = balances.reduce((sum, one) => sum + one, 0);
  assert.equal(total, holders.length * before, "transfers make no money and lose none");
}

test("what was acknowledged before a backup is there after a restore, and durable commands that were under way finish", async () => {
  using folder = temporaryFolder();
  await using place = await createPlace("postgres");
  const run = async (...words: string[]): Promise<string> => {
    const { code, stdout, stderr } = await synod(folder.path, words, 60_000);
    assert.equal(code, 0, `${words.join(" ")}: ${stderr}`);
    return stdout;
  };
  const kept: Acknowledged[] = [];
  let attempted = 0;
  {
    await using up = await startUp(folder.path);
    for (const holder of holders) await deposit(up.ready.http, holder, before);
    await using load = new Load(up.ready.http);
    await until("there is load", () => load.acknowledged.length > 150 && load.transfers > 40, 30_000);
    kept.push(...load.acknowledged);
    await run("backup", bank, "one.backup");
    attempted = load.attempted;
    const { length } = load.acknowledged;
    await until("the system goes on", () => load.acknowledged.length > length + 50, 30_000);
  }
  await run("verify", "--backup", "one.backup");
  await run("restore", bank, "one.backup", "--store", place.url);
  await using up = await startUp(folder.path, [bank, "--store", place.url]);
  const url = up.ready.http;
  for (const one of kept.slice(-20)) assert.ok(await replays(url, one), "a repeat gets the first reply");
  const wanted = Map.groupBy(kept, ({ account }) => account);
  let sum = 0;
  for (const [account, deposits] of wanted) {
    const held = await balance(url, account);
    assert.ok(held >= deposits.length, `${account} holds ${held}, and ${deposits.length} were acknowledged`);
    sum += held;
  }
  assert.ok(sum <= attempted, "nothing came twice");
  const inbox = ["inbox", "list", "--store", place.url, "--system", "bank"];
  await until("all transfers have finished", async () => (await run(...inbox)).startsWith("Nothing"), 20_000);
  await assertTotal(url);
  assert.equal((await post(url, "/account/new/deposit", { amount: 3 })).status, 200);
  assert.match(await run("verify", bank, "--store", place.url), /is in order: 128 shards/);
});
