import assert from "node:assert/strict";
import { test } from "node:test";
import { nearest } from "./nearest.ts";

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
