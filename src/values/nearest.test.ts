import assert from "node:assert/strict";
import { test } from "node:test";
import { nearest, notAmong } from "./nearest.ts";

test("the nearest name is found across one or two slips, and nothing is suggested beyond them", () => {
  const names = ["deposit", "withdraw", "balance", "do"];
  const cases: [string, string | undefined][] = [
    ["depsoit", "deposit"],
    ["Deposit", "deposit"],
    ["withdrawal", "withdraw"],
    ["balances", "balance"],
    ["dp", "do"],
    ["transfer", undefined],
    ["xy", undefined],
    ["", undefined],
    ["d".repeat(10_000), undefined],
  ];
  for (const [given, expected] of cases) assert.equal(nearest(given, names), expected, given);
  assert.equal(nearest("deposit", []), undefined);
});

test("of several near names the nearest is suggested", () => {
  assert.equal(nearest("balanc", ["balanced", "balance"]), "balance");
});

test("what is not there is told with what is near and what there is", () => {
  const { code, message } = notAmong("There is no node nod-1", "nod-1", ["node-1", "node-2"]);
  assert.deepEqual(
    [code, message],
    ["not_found", 'There is no node nod-1: did you mean "node-1"? There are: node-1, node-2.'],
  );
  assert.equal(notAmong("no service x", "x", ["account"]).message, "no service x. There are: account.");
});
