import assert from "node:assert/strict";
import { test } from "node:test";
import { z } from "zod";
import { implement } from "../service/implement.ts";
import { command, defineInterface } from "../service/interface.ts";
import { defineSystem } from "../service/system.ts";
import { waitsForDurable } from "./expected-failures.ts";

const Errand = defineInterface("errand", { key: z.string(), operations: { run: command() } });
const errand = implement(Errand, { state: { version: 1, initial: () => ({}) }, operations: { run: () => {} } });
const system = defineSystem({ name: "test", services: [errand] });

const blocked = "errand/e is blocked by its durable command 7, which has not finished";
const full = "this node has all the work it can hold";

function turnedAway(code: string, refusals: readonly string[]) {
  const message = refusals.at(-1)!;
  const error = { code, message, declared: false, outcome: "not-happened", retryable: true } as const;
  const reply = { ok: false, replayed: false, error } as const;
  return { request: { service: "errand", key: "e", operation: "run" }, reply, refusals, idempotencyKey: "k" };
}

test("whoever a durable command is in the way of waits for it, also where a small bound had the last word", () => {
  assert.equal(waitsForDurable(turnedAway("unavailable", [full, blocked]), system), true);
  assert.equal(waitsForDurable(turnedAway("resource_exhausted", [blocked, full]), system), true);
});

test("whoever is turned away by nothing but bounds, or in the end by something else, is not answered", () => {
  assert.equal(waitsForDurable(turnedAway("resource_exhausted", [full, full]), system), false);
  assert.equal(waitsForDurable(turnedAway("unavailable", [blocked, "this node has stopped"]), system), false);
});
