import assert from "node:assert/strict";
import { test } from "node:test";
import { workQueryOf } from "./work-query.ts";

test("a question for pending work is read from its parameters", () => {
  const given = "boxes=outbox&service=post&key=a%2Fb&parked=false&before=17&limit=5&after=outbox%2Fpost%2F1%2F3";
  assert.deepEqual(workQueryOf(new URLSearchParams(given)), {
    boxes: ["outbox"],
    service: "post",
    key: "a/b",
    parked: false,
    before: 17,
    after: "outbox/post/1/3",
    limit: 5,
  });
  assert.deepEqual(workQueryOf(new URLSearchParams()).boxes, ["inbox", "outbox"]);
});

test("a parameter that cannot be meant is refused by its name", () => {
  for (const wrong of [
    "boxes=attic",
    "boxes=inbox,",
    "parked=maybe",
    "before=soon",
    "limit=0",
    "limit=1001",
    "limit=-1",
  ]) {
    const name = wrong.slice(0, wrong.indexOf("="));
    assert.throws(() => workQueryOf(new URLSearchParams(wrong)), {
      code: "invalid_argument",
      message: new RegExp(name),
    });
  }
});
