import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { z } from "zod";
import { SynodError } from "../errors.ts";
import type { Schema } from "./model.ts";
import { isSchema, jsonSchema, validate } from "./schema.ts";

function refusal(run: () => unknown): SynodError {
  try {
    run();
  } catch (error) {
    assert(error instanceof SynodError, String(error));
    return error;
  }
  assert.fail("nothing was refused");
}

const handMade = (validateValue: Schema["~standard"]["validate"]): Schema => ({
  "~standard": { version: 1, vendor: "by hand", validate: validateValue },
});

describe("validate", () => {
  test("returns what the schema returns", () => {
    assert.deepEqual(validate(z.object({ n: z.number().default(3) }), {}, "it"), { n: 3 });
    assert.deepEqual(validate(z.object({ n: z.number() }), { n: 1, more: 2 }, "it"), { n: 1 });
  });

  test("lists every violation with its path, in the message and as data", () => {
    const schema = z.object({ lines: z.array(z.object({ "two words": z.number() })), name: z.string() });
    const error = refusal(() => validate(schema, { lines: [{}, { "two words": "x" }] }, "the input of shop.order"));
    assert.equal(error.code, "invalid_argument");
    assert.match(error.message, /^the input of shop\.order does not fit its schema: \$\.lines\[0\]\["two words"\]: /);
    assert.deepEqual(
      (error.data as { violations: { path: string }[] }).violations.map(({ path }) => path),
      ['$.lines[0]["two words"]', '$.lines[1]["two words"]', "$.name"],
    );
  });

  test("lists no more than 100 violations", () => {
    const error = refusal(() => validate(z.array(z.string()), new Array(1_000).fill(1), "it"));
    assert.equal((error.data as { violations: unknown[] }).violations.length, 100);
  });

  test("reads paths of symbols and of segments that are objects", () => {
    const schema = handMade(() => ({ issues: [{ message: "no", path: [{ key: "a" }, { key: 0 }, "b"] }] }));
    const error = refusal(() => validate(schema, {}, "it"));
    assert.deepEqual(error.data, { violations: [{ path: "$.a[0].b", message: "no" }] });
  });

  test("says with its code whose fault an invalid value is", () => {
    assert.equal(refusal(() => validate(z.string(), 1, "the reply", "internal")).code, "internal");
  });

  test("refuses a schema that answers with a promise, and leaves no rejection behind", async () => {
    const looksThingsUp = handMade(() => Promise.reject(new Error("late")));
    const error = refusal(() => validate(looksThingsUp, "x", "the input of a.b"));
    assert.equal(error.code, "internal");
    assert.match(error.message, /^the schema of the input of a\.b answers with a promise; /);
    const zodAsync = z.string().refine(async () => true);
    assert.match(refusal(() => validate(zodAsync, "x", "it")).message, /answers with a promise/);
    await new Promise((resolve) => setImmediate(resolve));
  });

  test("says which schema threw, and keeps the cause", () => {
    const cause = new Error("boom");
    const error = refusal(() =>
      validate(
        handMade(() => {
          throw cause;
        }),
        1,
        "the input of a.b",
      ),
    );
    assert.equal(error.message, "the schema of the input of a.b threw: boom");
    assert.equal(error.cause, cause);
  });
});

describe("jsonSchema", () => {
  test("gives both sides of a schema in draft 2020-12", () => {
    const schema = z.object({ n: z.number().default(3) });
    assert.deepEqual(jsonSchema(schema, "input"), {
      type: "object",
      properties: { n: { type: "number", default: 3 } },
    });
    assert.deepEqual(jsonSchema(schema, "output")?.required, ["n"]);
  });

  test("is undefined for what JSON Schema cannot say and for libraries that do not speak it", () => {
    assert.equal(jsonSchema(z.date(), "input"), undefined);
    assert.equal(
      jsonSchema(
        handMade((value) => ({ value })),
        "input",
      ),
      undefined,
    );
  });
});

test("a schema is known by its standard part", () => {
  assert.ok(isSchema(z.string()));
  assert.ok(
    isSchema(
      Object.assign(
        () => {},
        handMade((value) => ({ value })),
      ),
    ),
  );
  for (const value of [undefined, null, "string", {}, { "~standard": {} }, String]) assert.ok(!isSchema(value));
});
