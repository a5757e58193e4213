import assert from "node:assert/strict";
import { test } from "node:test";
import { ownCopy } from "./copies.ts";

test("a copy equals its original and shares no plain object or array with it", () => {
  const original = {
    ...{ text: "a", number: 0, none: null, left: undefined },
    list: [1, [{ deep: true }]],
    more: Object.assign(Object.create(null), { one: { two: 2 } }),
  };
  const before = JSON.stringify(original);
  const copy = ownCopy(original);
  assert.deepStrictEqual(copy, original);
  (copy.list[1] as { deep: boolean }[])[0]!.deep = false;
  copy.list.push(2);
  copy.more.one.two = 3;
  copy.text = "b";
  assert.equal(JSON.stringify(original), before);
});

test("what is neither a plain object nor an array is left as it is", () => {
  class Money {
    readonly cents = [1];
  }
  const original = { at: new Date(0), money: [new Money()], map: new Map([[1, {}]]), act: () => 1 };
  const copy = ownCopy(original);
  assert.equal(copy.at, original.at);
  assert.equal(copy.money[0], original.money[0]);
  assert.equal(copy.map, original.map);
  assert.equal(copy.act, original.act);
  for (const value of [1, "a", null, undefined, original.at]) assert.equal(ownCopy(value), value);
});

test("what a value holds twice, or within itself, its copy does too", () => {
  const shared = { list: [1] };
  const tree: { left: object; right: object; all: object[] } = { left: shared, right: shared, all: [] };
  tree.all.push(tree, shared.list);
  const copy = ownCopy(tree);
  assert.notEqual(copy.left, shared);
  assert.equal(copy.left, copy.right);
  assert.equal(copy.all[0], copy);
  assert.equal(copy.all[1], (copy.left as typeof shared).list);
  assert.notEqual(copy.all[1], shared.list);
});
