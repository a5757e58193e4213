/** What clients are given to ask for when nobody says it. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { z } from "zod";
import { implement } from "../service/implement.ts";
import { command, defineInterface } from "../service/interface.ts";
import type { AnySystem } from "../service/model.ts";
import { validate } from "../service/schema.ts";
import { defineSystem } from "../service/system.ts";
import { createPrng } from "../values/prng.ts";
import { generatedWorkload } from "./workload.ts";

/** A system of one service with one operation for each input. */
function systemOf(inputs: Readonly<Record<string, z.ZodType>>): AnySystem {
  const operations = Object.fromEntries(Object.entries(inputs).map(([name, input]) => [name, command({ input })]));
  const asked = defineInterface("asked", { key: z.string(), operations });
  const handlers = Object.fromEntries(Object.keys(inputs).map((name) => [name, () => {}]));
  const service = implement(asked, { state: { version: 1, initial: () => ({}) }, operations: handlers as never });
  return defineSystem({ name: "asking", services: [service] });
}

const tree: z.ZodType = z.object({
  value: z.number(),
  get children() {
    return z.array(tree).max(3);
  },
});

/** Each with how many different values there should be among 200, at least. */
const kinds: Readonly<Record<string, readonly [schema: z.ZodType, different: number]>> = {
  text: [z.string().min(3).max(5), 3],
  email: [z.email(), 5],
  uuid: [z.uuid(), 20],
  uuidv7: [z.uuidv7(), 20],
  ulid: [z.ulid(), 20],
  nanoid: [z.nanoid(), 20],
  cuid2: [z.cuid2(), 5],
  url: [z.url(), 5],
  ipv4: [z.ipv4(), 5],
  ipv6: [z.ipv6(), 5],
  cidr: [z.cidrv4(), 5],
  base64: [z.base64(), 5],
  jwt: [z.jwt(), 5],
  phone: [z.e164(), 20],
  emoji: [z.emoji(), 3],
  hostname: [z.hostname(), 5],
  date: [z.iso.date(), 5],
  time: [z.iso.time(), 5],
  instant: [z.iso.datetime(), 5],
  duration: [z.iso.duration(), 5],
  hex: [z.hex(), 5],
  plate: [z.string().regex(/^[A-Z]{2}-\d{1,4}(?:[EH])?$/), 20],
  iban: [z.string().regex(/^DE\d{20}$/), 20],
  slug: [z.string().regex(/^[a-z0-9]+(?:-[a-z0-9]+)*$/), 20],
  prefix: [z.string().startsWith("user:"), 5],
  suffix: [z.string().endsWith(".ts"), 5],
  order: [z.templateLiteral(["order-", z.int().min(0)]), 5],
  count: [z.int().min(1), 10],
  below: [z.int().min(-50).max(-10), 10],
  negative: [z.number().negative(), 10],
  price: [z.number().positive().multipleOf(0.25), 10],
  large: [z.int().min(1_000_000), 10],
  flag: [z.boolean(), 2],
  nothing: [z.null(), 1],
  choice: [z.enum(["a", "b", "c"]), 3],
  literal: [z.literal(["x", 1, null]), 3],
  union: [z.union([z.int(), z.email()]), 10],
  variants: [
    z.discriminatedUnion("kind", [
      z.object({ kind: z.literal("card"), number: z.string().regex(/^\d{16}$/) }),
      z.object({ kind: z.literal("cash"), given: z.int().min(1) }),
    ]),
    20,
  ],
  nullable: [z.int().nullable(), 10],
  optional: [z.object({ a: z.int().optional(), b: z.string().default("x") }), 10],
  list: [
    z
      .array(z.enum(["a", "b"]))
      .min(1)
      .max(3),
    10,
  ],
  pair: [z.tuple([z.email(), z.int()]), 20],
  open: [z.tuple([z.email()], z.int()), 20],
  record: [z.record(z.string(), z.int()), 20],
  fullRecord: [z.record(z.enum(["x", "y"]), z.int()), 20],
  keyedRecord: [z.record(z.string().regex(/^k\d$/), z.int()), 20],
  both: [z.intersection(z.object({ a: z.int() }), z.object({ b: z.email() })), 20],
  strict: [z.strictObject({ a: z.int() }), 10],
  tree: [tree, 20],
  json: [z.json(), 3],
  even: [z.int().refine((number) => number % 2 === 0), 5],
  range: [z.object({ from: z.int(), to: z.int() }).refine(({ from, to }) => from < to), 20],
  unlike: [
    z
      .array(z.int())
      .min(2)
      .refine((list) => new Set(list).size === list.length),
    20,
  ],
  transformed: [
    z
      .string()
      .min(1)
      .transform((text) => text.length),
    3,
  ],
};

for (const [name, [schema, different]] of Object.entries(kinds)) {
  test(`inputs of the kind "${name}" fit their schema, and are not all the same`, () => {
    const { workload, unasked } = generatedWorkload(systemOf({ [name]: schema }));
    assert.deepEqual(unasked, []);
    const prng = createPrng(1);
    const inputs = Array.from({ length: 200 }, () => workload(prng, 1).input);
    for (const input of inputs) validate(schema, input, "an input");
    const seen = new Set(inputs.map((input) => JSON.stringify(input)));
    assert.ok(seen.size >= different, `${seen.size} different: ${[...seen].slice(0, 5).join(" ")}`);
  });
}

test("an operation whose inputs cannot be guessed is left out, with what to do", () => {
  const password = z.string().refine((text) => text === "open sesame", "wrong password");
  const { workload, unasked } = generatedWorkload(systemOf({ open: password, look: z.int() }));
  assert.equal(unasked.length, 1);
  assert.match(unasked[0]!, /^asked\.open: none of 200 values .*wrong password.*; give the scenario a workload/);
  const prng = createPrng(1);
  const asked = new Set(Array.from({ length: 50 }, () => workload(prng, 1).operation));
  assert.deepEqual([...asked], ["look"]);
});

test("a system of which nothing can be asked for is refused, with the reasons", () => {
  const password = z.string().refine((text) => text === "open sesame");
  const refused = {
    code: "failed_precondition",
    message: /^Nothing of system asking can be asked for.*\n {2}asked\.open/,
  };
  assert.throws(() => generatedWorkload(systemOf({ open: password })), refused);
});
