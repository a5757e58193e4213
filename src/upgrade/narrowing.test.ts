/** Which values of one schema another one refuses: by example, and as a property with the schema library as the judge. */
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import fc from "fast-check";
import { z } from "zod";
import { createPrng } from "../values/prng.ts";
import { generateValue, type JsonSchema } from "../values/schema-values.ts";
import { type Reading, refusals } from "./narrowing.ts";

const asWritten: Reading = { extraMembers: "as-written" };

function json(schema: z.ZodType): JsonSchema {
  return z.toJSONSchema(schema, { io: "input" }) as JsonSchema;
}

function inWords(earlier: z.ZodType, later: z.ZodType, reading = asWritten): string[] {
  return refusals(json(earlier), json(later), reading).map(({ path, what }) => `${path || "."} ${what}`);
}

const Tree: z.ZodType = z.object({
  name: z.string(),
  get children() {
    return z.array(Tree);
  },
});
const NamedTree: z.ZodType = z.object({
  name: z.string().min(1),
  get children() {
    return z.array(NamedTree);
  },
});

const examples: [about: string, earlier: z.ZodType, later: z.ZodType, expected: string[]][] = [
  // It cannot tell that the alternatives together admit everything; what counts is that it comes to an end.
  ["anything that becomes any JSON", z.any(), z.json(), [". has to be string"]],
  ["any JSON that becomes anything", z.json(), z.any(), []],
  ["the same", z.object({ a: z.int() }), z.object({ a: z.int() }), []],
  ["another description", z.string().describe("old"), z.string().describe("new"), []],
  ["an optional member", z.object({ a: z.int() }), z.object({ a: z.int(), b: z.string().optional() }), []],
  ["a required member", z.object({}), z.object({ b: z.string() }), [".b has to be there"]],
  ["a member that is refused", z.object({ b: z.string() }), z.strictObject({}), [".b is not known"]],
  ["a member that is passed over", z.object({ b: z.string() }), z.object({}), []],
  ["a lower maximum", z.number().max(9), z.number().max(5), [". maximum is 5, it was 9"]],
  ["a higher maximum", z.number().max(5), z.number().max(9), []],
  [
    "a new maximum deep down",
    z.object({ a: z.array(z.number()) }),
    z.object({ a: z.array(z.number().max(5)) }),
    [".a[] maximum is 5, there was none"],
  ],
  ["a pattern", z.string(), z.string().regex(/^a/), ['. pattern is "^a", there was none']],
  [
    "whole numbers only",
    z.number(),
    z.int().min(-5).max(5),
    [". is integer, it was number", ". minimum is -5, there was none", ". maximum is 5, there was none"],
  ],
  ["any number", z.int(), z.number(), []],
  ["another type", z.string(), z.number(), [". is number, it was string"]],
  ["one value less", z.enum(["a", "b"]), z.enum(["a"]), ['. "b" is refused']],
  ["one value more", z.enum(["a"]), z.enum(["a", "b"]), []],
  ["values instead of a text", z.string(), z.enum(["a"]), ['. only "a"']],
  ["a text instead of values", z.enum(["a", "bb"]), z.string().max(1), ['. "bb" is refused']],
  ["null refused", z.string().nullable(), z.string(), [". is string, it was null"]],
  ["null admitted", z.string(), z.string().nullable(), []],
  ["an alternative less", z.union([z.string(), z.number()]), z.number(), [". is number, it was string"]],
  ["an alternative more", z.number(), z.union([z.string(), z.number()]), []],
  [
    "an intersection",
    z.object({ a: z.int() }),
    z.intersection(z.object({ a: z.int() }), z.object({ b: z.int() })),
    [".b has to be there"],
  ],
  [
    "a tighter tuple",
    z.tuple([z.string(), z.number()]),
    z.tuple([z.string(), z.number().min(0)]),
    ["[1] minimum is 0, there was none"],
  ],
  [
    "tighter values of a record",
    z.record(z.string(), z.number()),
    z.record(z.string(), z.number().max(1)),
    ["{} maximum is 1, there was none"],
  ],
  ["fewer elements", z.array(z.int()).max(9), z.array(z.int()).max(3), [". maxItems is 3, it was 9"]],
  ["a recursive schema", Tree, Tree, []],
  ["a recursive schema that is tighter", Tree, NamedTree, [".name minLength is 1, there was none"]],
  ["anything", z.string(), z.any(), []],
  ["something instead of anything", z.any(), z.string(), [". has to be string"]],
];

describe("values of an earlier schema that a later one refuses", () => {
  for (const [about, earlier, later, expected] of examples) {
    test(about, () => assert.deepEqual(inWords(earlier, later), expected));
  }

  test("a member that a schema does not list is passed over where its readers do so", () => {
    const [earlier, later] = [z.object({ a: z.int(), b: z.int() }), z.strictObject({ a: z.int() })];
    assert.deepEqual(inWords(earlier, later), [".b is not known"]);
    assert.deepEqual(inWords(earlier, later, { extraMembers: "passed-over" }), []);
  });

  test("a keyword that is not judged counts as a refusal when it has changed, and not when it has not", () => {
    const schema = { type: "object", dependentRequired: { a: ["b"] } };
    assert.deepEqual(refusals(schema, structuredClone(schema), asWritten), []);
    assert.match(refusals({ type: "object" }, schema, asWritten)[0]!.what, /dependentRequired.*cannot be judged/);
  });

  test("no wrong silence: where nothing is found, every value of the earlier schema fits the later one", () => {
    let silent = 0;
    fc.assert(
      fc.property(schemas, schemas, fc.integer({ min: 1, max: 2 ** 31 }), (earlier, later, seed) => {
        if (refusals(json(earlier), json(later), asWritten).length > 0) return;
        silent++;
        const prng = createPrng(seed);
        for (let count = 0; count < 20; count++) {
          const value = generateValue(json(earlier), prng);
          if (!earlier.safeParse(value).success) continue;
          const { success } = later.safeParse(value);
          assert.ok(success, `${JSON.stringify(value)}: ${JSON.stringify([json(earlier), json(later)])}`);
        }
      }),
      { numRuns: 1_000 },
    );
    assert.ok(silent > 50, `found nothing in ${silent} pairs only`);
  });

  test("every schema admits what it admits", () => {
    fc.assert(fc.property(schemas, (schema) => assert.deepEqual(refusals(json(schema), json(schema), asWritten), [])));
  });
});

const bound = fc.integer({ min: 0, max: 4 });
const leaves: fc.Arbitrary<z.ZodType> = fc.oneof(
  fc.constantFrom<z.ZodType>(
    z.string(),
    z.number(),
    z.int(),
    z.boolean(),
    z.null(),
    z.enum(["a", "b"]),
    z.literal("a"),
  ),
  bound.map((max) => z.string().max(max)),
  fc.tuple(bound, bound).map(([min, extra]) =>
    z
      .int()
      .min(min)
      .max(min + extra),
  ),
  bound.map((min) => z.number().gt(min)),
);
const { schemas } = fc.letrec<{ schemas: z.ZodType; deep: z.ZodType }>((tie) => ({
  schemas: fc.oneof({ depthSize: "small" }, leaves, tie("deep")),
  deep: fc.oneof(
    fc.tuple(tie("schemas"), bound).map(([element, max]) => z.array(element).max(max)),
    fc.tuple(tie("schemas"), tie("schemas")).map(([a, b]) => z.object({ a, b: b.optional() })),
    fc.tuple(tie("schemas"), tie("schemas")).map(([a, b]) => z.union([a, b])),
    tie("schemas").map((a) => z.strictObject({ a })),
    tie("schemas").map((a) => a.nullable()),
    tie("schemas").map((a) => z.record(z.string(), a)),
  ),
}));
