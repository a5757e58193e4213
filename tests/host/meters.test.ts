/** What a running system says of its load: `/metrics` and `synod top`. */
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import type { AdminFile } from "../../src/admin/admin-file.ts";
import type { LoadView } from "../../src/admin/load-view.ts";
import { type Finished, post, type RunningUp, startUp, synod, temporaryFolder } from "./running-system.ts";

describe("the meters of a running system", () => {
  const folder = temporaryFolder();
  let up: RunningUp;
  before(async () => {
    up = await startUp(folder.path);
  });
  after(async () => {
    await up[Symbol.asyncDispose]();
    folder[Symbol.dispose]();
  });

  async function deposit(times: number): Promise<void> {
    const { http } = up.ready!;
    for (let call = 0; call < times; call++) {
      const { status } = await post(http, `/account/key-${call}/deposit`, { amount: 1 });
      assert.equal(status, 200);
    }
    assert.equal((await post(http, "/account/key-0/withdraw", { amount: 100 })).status, 422);
  }

  /** Runs a command while deposits are made, and says how many. */
  async function lookedAt(words: readonly string[]): Promise<Finished & { readonly made: number }> {
    let looking = true;
    let made = 0;
    const finished = synod(folder.path, words).finally(() => {
      looking = false;
    });
    for (; looking; made++) await post(up.ready!.http, "/account/alice/deposit", { amount: 1 });
    return { ...(await finished), made };
  }

  async function scrape(headers: Record<string, string> = {}): Promise<Response> {
    const { url, token } = JSON.parse(readFileSync(join(folder.path, ".synod/bank.admin.json"), "utf8")) as AdminFile;
    return await fetch(new URL("/metrics", url), { headers: { authorization: `Bearer ${token}`, ...headers } });
  }

  test("`/metrics` gives what all nodes have done, in Prometheus' format, to whoever has the token", async () => {
    await deposit(10);
    const response = await scrape();
    assert.match(String(response.headers.get("content-type")), /^text\/plain; version=0\.0\.4/);
    const text = await response.text();
    const sum = (series: RegExp): number =>
      [...text.matchAll(new RegExp(`^${series.source} (\\d+)$`, "gm"))].reduce(
        (total, [, count]) => total + Number(count),
        0,
      );
    assert.equal(sum(/synod_calls_total\{node="node-\d",service="account",operation="deposit",code="ok"\}/), 10);
    assert.equal(
      sum(/synod_calls_total\{node="node-\d",service="account",operation="withdraw",code="insufficientFunds"\}/),
      1,
    );
    assert.equal(sum(/synod_handler_seconds_count\{node="node-\d",service="account",operation="deposit"\}/), 10);
    assert.equal(sum(/synod_commit_wait_seconds_count\{node="node-\d",service="account",operation="deposit"\}/), 10);
    assert.equal((text.match(/^synod_resident_memory_bytes\{node="node-\d"\} \d{7,}$/gm) ?? []).length, 3);
    assert.equal(
      (text.match(/^synod_link_round_trip_seconds\{node="node-\d",peer="node-\d",direction="dialled"\}/gm) ?? [])
        .length,
      6,
    );
    assert.equal((await scrape({ authorization: "Bearer wrong" })).status, 401);
  });

  test("`top --json` gives rates and quantiles of what happened between two looks, over all nodes", async () => {
    const { stdout, stderr, made } = await lookedAt(["top", "--json", "--count", "1"]);
    assert.equal(stderr, "");
    const view = JSON.parse(stdout) as LoadView;
    assert.deepEqual(view.nodes.map(({ node }) => node).sort(), ["node-1", "node-2", "node-3"]);
    assert.ok(view.nodes.every(({ rssBytes, cpu }) => rssBytes > 1e7 && cpu >= 0));
    const load = view.operations.find(({ operation }) => operation === "deposit")!;
    assert.ok(load.perSecond > 0 && load.perSecond * view.seconds <= made, `${load.perSecond} per second`);
    assert.ok(load.responseP99Ms! >= load.commitWaitP99Ms! / 2 && load.commitWaitP99Ms! > 0);
    const dialled = view.links.filter(({ direction }) => direction === "dialled");
    assert.deepEqual(
      dialled.map(({ from, node }) => `${from} to ${node}`).sort(),
      [1, 2, 3].flatMap((one) => [1, 2, 3].flatMap((other) => (one === other ? [] : [`node-${one} to node-${other}`]))),
    );
    assert.ok(dialled.every(({ calls, roundTripMs }) => calls >= 0 && roundTripMs! > 0));
  });

  test("`top` prints a table of nodes, one of operations and one of links", async () => {
    const { stdout, code } = await lookedAt(["top", "--count", "1"]);
    assert.equal(code, 0);
    assert.match(stdout, /^node +cpu +loop +loop late p99/m);
    assert.match(stdout, /^node-3 +\d+ % +\d+ %/m);
    assert.match(stdout, /^account\.deposit +[\d.]+ +[\d.]+ ms/m);
    assert.match(stdout, /^node-1 to node-2 +open/m);
  });
});
