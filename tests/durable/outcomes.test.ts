/** What became of a durable command: waited for, read later, from any node, over HTTP; and never started by asking. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { http } from "../../src/adapters/http/index.ts";
import { defineSystem, startSystem } from "../../src/index.ts";
import { hashParts } from "../../src/values/hash.ts";
import { Gate } from "../guarantees/counter-system.ts";
import { type Ask, World } from "../guarantees/world.ts";
import { startNodes, wideWorld } from "../routing/nodes.ts";
import { type Scripts, sagaSystem } from "./saga-system.ts";

const existing = (script: string) => ({ inputHash: hashParts(JSON.stringify(script)) });
const outcome = (script: string, more: Ask = {}): Ask => {
  return { service: "saga", key: "one", id: "k", existing: existing(script), ...more };
};
const run = (input: string, more: Ask = {}): Ask => ({ service: "saga", key: "one", input, id: "k", ...more });

test("whoever asks for the outcome of a durable command waits for it, reads it later, and never starts one", async () => {
  const gate = new Gate();
  const system = sagaSystem({ run: { slow: () => gate.pass().then(() => "done") } });
  await using world = World.create();
  const node = await world.start({ system });
  assert.equal(await node.answer("run", outcome("slow")), "not_found (unknown)", "before it is accepted");
  assert.equal(gate.visits, 0, "nothing was started by asking");
  assert.equal(await node.answer("run", run("slow", { waitFor: "acceptance" })), "done", "accepted");
  assert.equal(await node.answer("run", outcome("slow", { timeoutMs: 50 })), "deadline_exceeded (unknown)");
  const waiting = node.ask("run", outcome("slow"));
  gate.open();
  assert.equal(await world.until(waiting), '"done" (replayed)');
  assert.match(await node.answer("run", outcome("slow")), /^"done"/, "later");
  assert.equal(gate.visits, 1);
});

test("an outcome is told only to the principal that called, and only for the input that it called with", async () => {
  const system = sagaSystem({ run: { quick: () => "done" } });
  await using world = World.create();
  const node = await world.start({ system });
  assert.equal(await node.answer("run", run("quick")), '"done"');
  assert.equal(await node.answer("run", outcome("quick", { principal: "other" })), "not_found (unknown)");
  assert.equal(await node.answer("run", outcome("slow")), "invalid_argument (not-happened)");
  assert.equal(await node.answer("touch", { ...outcome("quick"), id: "t" }), "not_found (not-happened)", "not durable");
});

test("an outcome is waited for at a node that does not own the entity, and read there after the owner has changed", async () => {
  const gate = new Gate();
  const system = sagaSystem({ run: { slow: () => gate.pass().then(() => "done") } });
  await using world = wideWorld();
  const [one, two] = await startNodes(world, ["one", "two"], { system });
  const { owner } = await one!.running.inspect("saga", "one");
  const [here, other] = owner === "one" ? [one!, two!] : [two!, one!];
  assert.equal(await other.answer("run", run("slow", { waitFor: "acceptance" })), "done", "accepted");
  const waiting = other.ask("run", outcome("slow"));
  gate.open();
  assert.equal(await world.until(waiting), '"done" (replayed)');
  await world.until(here.running.stop(5_000));
  assert.match(await other.answer("run", outcome("slow")), /^"done"/);
});

test("the outcome of a parked command says that it is parked, and why", async () => {
  const fails = (): never => {
    throw new Error("cannot");
  };
  const schedule = { attemptsMax: 2, ageMaxMs: 600_000, backoffBaseMs: 10, backoffMaxMs: 10 };
  await using world = World.create();
  const node = await world.start({ system: sagaSystem({ run: { poison: fails } }), limits: { schedule } });
  assert.equal(await node.answer("run", run("poison")), "failed_precondition (unknown)");
  assert.equal(await node.answer("run", outcome("poison")), "failed_precondition (unknown)");
});

async function served(scripts: Scripts) {
  const { services } = sagaSystem(scripts);
  const authenticate = ({ headers }: { headers: { authorization?: string | undefined } }): string => {
    return headers.authorization ?? "nobody";
  };
  const system = defineSystem({ name: "outcomes", services, adapters: [http({ port: 0, authenticate })] });
  const running = await startSystem(system, { adapters: true });
  const base = running.urls[0]!;
  return {
    run: (key: string, script: string, headers: Record<string, string> = {}) =>
      fetch(`${base}/saga/${key}/run`, {
        method: "POST",
        headers: { "content-type": "application/json", ...headers },
        body: JSON.stringify(script),
      }),
    get: (path: string, headers: Record<string, string> = {}) => fetch(new URL(path, base), { headers }),
    [Symbol.asyncDispose]: () => running.stop(0),
  };
}

test("over HTTP respond-async answers 202 with the place of the outcome, which is read and waited for there", async () => {
  const gate = new Gate();
  await using api = await served({ run: { slow: () => gate.pass().then(() => "done") } });
  const accepted = await api.run("one", "slow", { prefer: "respond-async, wait=10" });
  const location = accepted.headers.get("location")!;
  assert.equal(accepted.status, 202);
  assert.equal(accepted.headers.get("preference-applied"), "respond-async");
  assert.deepEqual(await accepted.json(), { state: "accepted", outcome: location });
  const early = await api.get(location, { "request-timeout": "0.05" });
  assert.deepEqual([early.status, early.headers.get("location")], [202, location]);
  await early.body?.cancel();
  assert.equal((await api.get(location, { authorization: "somebody else" })).status, 404);
  const waiting = api.get(location);
  gate.open();
  const late = await waiting;
  assert.deepEqual([late.status, await late.json()], [200, "done"]);
  const again = await api.get(location);
  assert.deepEqual([again.status, await again.json(), gate.visits], [200, "done", 1]);
});

test("over HTTP a request whose deadline passes is told that the durable command goes on, and where to read its end", async () => {
  const gate = new Gate();
  const refuse = (): Promise<never> => gate.pass().then(() => Promise.reject(new Error("not declared")));
  await using api = await served({ run: { slow: () => gate.pass().then(() => "done"), refuse } });
  const late = await api.run("one", "slow", { "request-timeout": "0.2", "idempotency-key": "k" });
  const problem = (await late.json()) as Record<string, unknown>;
  assert.deepEqual([late.status, problem.code, problem.outcome], [504, "deadline_exceeded", "unknown"]);
  assert.match(String(problem.detail), /what was accepted goes on/);
  gate.open();
  const outcome = await api.get(late.headers.get("location")!);
  assert.deepEqual([outcome.status, await outcome.json()], [200, "done"]);
  const repeat = await api.run("one", "slow", { "idempotency-key": "k" });
  assert.deepEqual([repeat.status, await repeat.json()], [200, "done"], "a repeat under its key is answered the same");
});

test("over HTTP no outcome is at a name that nobody gave", async () => {
  await using api = await served({});
  for (const name of ["x", Buffer.from('["saga","one","run"]').toString("base64url"), "%20"]) {
    const answer = await api.get(`/outcomes/${name}`);
    assert.equal(answer.status, 404, name);
    assert.equal(((await answer.json()) as { code: string }).code, "not_found");
  }
});

test("over HTTP what goes wrong with the asking does not say that the command did not happen", async () => {
  await using api = await served({ run: { quick: () => "done" } });
  const accepted = await api.run("one", "quick", { prefer: "respond-async", "idempotency-key": "k" });
  await accepted.body?.cancel();
  const location = accepted.headers.get("location")!;
  const [service, key, operation] = JSON.parse(Buffer.from(location.split("/").at(-1)!, "base64url").toString());
  const named = (...parts: string[]) => `/outcomes/${Buffer.from(JSON.stringify(parts)).toString("base64url")}`;
  const others = [
    location,
    named(service, key, operation, "another key", "h"),
    named(service, "..", operation, "k", "h"),
  ];
  for (const [at, path] of others.entries()) {
    const answer = await api.get(path, at === 0 ? { authorization: "somebody else" } : {});
    const { outcome } = (await answer.json()) as { outcome: string };
    assert.deepEqual([answer.status, outcome], [at === 2 ? 400 : 404, "unknown"], path);
  }
});
