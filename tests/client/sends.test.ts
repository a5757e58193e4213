/** Durable commands that are sent and not waited for, against a real node. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { startSystem } from "synod";
import { connect } from "synod/client";
import { clientSystem, Parcel } from "./client-system.ts";
import { type CuttingProxy, cuttingProxy, type Fate } from "./cutting-proxy.ts";

async function world(nextFate: (url: string) => Fate = () => "pass") {
  const { system, open } = clientSystem();
  const running = await startSystem(system, { adapters: true });
  const proxy: CuttingProxy = await cuttingProxy(running.urls[0]!, nextFate);
  return {
    client: connect(proxy.url),
    url: proxy.url,
    open,
    proxy,
    [Symbol.asyncDispose]: async () => {
      await proxy[Symbol.asyncDispose]();
      await running.stop(0);
    },
  };
}

test("what is sent is accepted at once, and its outcome is waited for here or by its id elsewhere", async () => {
  await using here = await world();
  const sent = await here.client.send(Parcel, "p-1").deliver("alice");
  const early = await sent.outcome.safe({ timeout: 50 });
  assert.ok(!early.ok && early.error.code === "deadline_exceeded" && early.error.outcome === "unknown");
  const waiting = sent.outcome();
  here.open();
  assert.deepEqual(await waiting, { to: "alice", runs: 1 });
  const elsewhere = connect(here.url).outcome(Parcel, { timeout: "5s" });
  assert.deepEqual(await elsewhere.deliver(sent.id), { to: "alice", runs: 1 });
  const refused = await (await here.client.send(Parcel, "p-2").deliver("nobody")).outcome.safe();
  assert.ok(!refused.ok && refused.error.code === "refused" && refused.error.data.by === "nobody");
});

test("a send whose answers are lost is accepted once, and so is one that is sent again under its id", async () => {
  let requests = 0;
  await using here = await world((url) => (url.endsWith("/deliver") && ++requests < 3 ? "after" : "pass"));
  here.open();
  const sent = await here.client.send(Parcel, "p-1", { id: "order-7" }).deliver("alice");
  assert.equal(requests, 3);
  assert.deepEqual(await sent.outcome(), { to: "alice", runs: 1 });
  const again = await here.client.send(Parcel, "p-1", { id: "order-7" }).deliver("alice");
  assert.deepEqual([again.id, await again.outcome()], [sent.id, { to: "alice", runs: 1 }]);
});

test("whoever waits for an outcome goes on when connections are cut", async () => {
  let asked = 0;
  await using here = await world((url) => (url.startsWith("/outcomes/") && ++asked < 3 ? "before" : "pass"));
  const sent = await here.client.send(Parcel, "p-1").deliver("alice");
  here.open();
  assert.deepEqual(await sent.outcome(), { to: "alice", runs: 1 });
  assert.equal(asked, 3);
});

test("an id that no outcome has, or another operation's, is refused", async () => {
  await using here = await world();
  const outcome = here.client.outcome(Parcel);
  for (const id of ["", "x", "order-7", btoa('["account","a","deposit","k","h"]')]) {
    await assert.rejects(outcome.deliver(id), { code: "invalid_argument" }, id);
  }
  const unknown = Buffer.from('["parcel","p","deliver","k","h"]').toString("base64url");
  await assert.rejects(outcome.deliver(unknown), { code: "not_found" });
});
