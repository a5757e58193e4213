/** What an error of PostgreSQL says of the statement under way. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { DatabaseError } from "pg";
import { SynodError } from "../../errors.ts";
import { commitFailure, isCertain, storeError } from "./failures.ts";

function said(severity: string, code: string): DatabaseError {
  return Object.assign(new DatabaseError("what it says", 12, "error"), { severity, code });
}

test("an error that ends the connection leaves the outcome open, in whatever language the server says so", () => {
  for (const [severity, code] of [
    ["FATAL", "57P01"],
    ["PANIC", "58030"],
    ["PANIK", "58030"],
    ["FATALE", "57P01"],
    ["KATASTROPHAL", "25P04"],
    ["ВАЖНО", "08006"],
    ["致命错误", "XX000"],
  ] as const) {
    const error = said(severity, code);
    assert.ok(!isCertain(error), `${severity} ${code}`);
    assert.equal(storeError(error, "here").outcome, "unknown");
    assert.throws(
      () => commitFailure(error, "here"),
      (raised) => raised instanceof SynodError && raised.outcome === "unknown",
    );
  }
});

test("an error of the statement undid it, in whatever language the server says so", () => {
  for (const [severity, code] of [
    ["ERROR", "55P03"],
    ["FEHLER", "57014"],
    ["ОШИБКА", "53100"],
    ["エラー", "25006"],
  ] as const) {
    assert.equal(storeError(said(severity, code), "here").outcome, "not-happened", `${severity} ${code}`);
  }
});
