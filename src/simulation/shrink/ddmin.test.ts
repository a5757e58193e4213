import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { ddmin } from "./ddmin.ts";

function failsWith<T>(needed: ReadonlySet<T>, tried: (readonly T[])[] = []) {
  return async (candidates: readonly (readonly T[])[]): Promise<number | undefined> => {
    const index = candidates.findIndex((candidate) => [...needed].every((part) => candidate.includes(part)));
    // Nobody goes on once one has failed.
    tried.push(...candidates.slice(0, index < 0 ? undefined : index + 1));
    return index < 0 ? undefined : index;
  };
}

test("what is left are exactly the parts that the failure needs, in their order", async () => {
  await fc.assert(
    fc.asyncProperty(fc.uniqueArray(fc.nat(), { maxLength: 60 }), fc.nat(8), async (parts, count) => {
      const needed = new Set(parts.slice(0, count));
      const left = await ddmin(parts, failsWith(needed));
      assert.deepEqual(left, parts.slice(0, count));
    }),
  );
});

test("of no failure that depends on any part, nothing is left after one try", async () => {
  const tried: (readonly number[])[] = [];
  assert.deepEqual(await ddmin([1, 2, 3], failsWith(new Set(), tried)), []);
  assert.deepEqual(tried, [[]]);
});

test("one part of a thousand is found in few tries", async () => {
  const tried: (readonly number[])[] = [];
  const parts = Array.from({ length: 1_000 }, (_, index) => index);
  assert.deepEqual(await ddmin(parts, failsWith(new Set([617]), tried)), [617]);
  assert.ok(tried.length < 50, `${tried.length} tries`);
});

test("what was needed a moment ago is not tried again before the rest", async () => {
  const tried: (readonly number[])[] = [];
  const parts = Array.from({ length: 64 }, (_, index) => index);
  const needed = parts.filter((part) => part % 4 === 1);
  assert.deepEqual(await ddmin(parts, failsWith(new Set(needed), tried)), needed);
  assert.ok(tried.length < 200, `${tried.length} tries`);
});

test("what is not needed by itself but together with another stays", async () => {
  const fails = async (candidates: readonly (readonly string[])[]): Promise<number | undefined> => {
    const index = candidates.findIndex((one) => (one.includes("a") && one.includes("d")) || one.length === 6);
    return index < 0 ? undefined : index;
  };
  assert.deepEqual(await ddmin(["a", "b", "c", "d", "e", "f"], fails), ["a", "d"]);
});

test("it stops when it is told to, with something that fails", async () => {
  let rounds = 0;
  const parts = Array.from({ length: 64 }, (_, index) => index);
  const left = await ddmin(parts, failsWith(new Set([0, 63])), () => rounds++ < 3);
  assert.ok(left.includes(0) && left.includes(63) && left.length > 2);
});
