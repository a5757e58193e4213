import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { z } from "zod";
import { command, defineInterface, isInterface, query } from "./interface.ts";
import type { AnyOperation } from "./model.ts";

/** Definitions as plain JavaScript would write them, past the compiler. */
const define = defineInterface as (name: unknown, definition: unknown) => unknown;
const declare = command as (options: unknown) => AnyOperation;

describe("defineInterface", () => {
  test("keeps name, key and operations, and is known as an interface", () => {
    const key = z.string();
    const input = z.object({ amount: z.number() });
    const Account = defineInterface("account", {
      key,
      operations: { deposit: command({ input, description: "Pays in." }), balance: query({ output: z.number() }) },
    });
    assert.equal(Account.name, "account");
    assert.equal(Account.key, key);
    assert.equal(Account.operations.deposit.kind, "command");
    assert.equal(Account.operations.deposit.input, input);
    assert.equal(Account.operations.deposit.output, undefined);
    assert.equal(Account.operations.deposit.description, "Pays in.");
    assert.equal(Account.operations.balance.kind, "query");
    assert.ok(isInterface(Account) && !isInterface({ ...Account.operations }) && !isInterface(null));
  });

  test("finds nothing under names that every object has", () => {
    const { operations } = defineInterface("a", { operations: { b: query() } });
    const byName: Readonly<Record<string, AnyOperation>> = operations;
    for (const name of ["constructor", "toString", "__proto__"]) {
      assert.equal(byName[name], undefined);
      assert.equal(operations.b.errors[name], undefined);
    }
  });

  test("cannot be changed afterwards", () => {
    const made = defineInterface("a", { operations: { b: query() } });
    assert.ok(Object.isFrozen(made) && Object.isFrozen(made.operations) && Object.isFrozen(made.operations.b));
  });

  const good = { operations: { b: query() } };
  const cases: [string, () => unknown, RegExp][] = [
    ["a name with a slash", () => define("a/b", good), /^"a\/b" cannot name an interface; a name is a letter and /],
    ["a name that is no text", () => define(undefined, good), /^undefined cannot name an interface/],
    ["no operations", () => define("a", { operations: {} }), /^interface a has no operations$/],
    ["nothing", () => define("a", undefined), /^interface a must be defined by an object with key, operations$/],
    [
      "an unknown member",
      () => define("a", { ...good, keys: 1 }),
      /^interface a has a member "keys"; it may have key, op/,
    ],
    [
      "a key that is no schema",
      () => define("a", { ...good, key: "id" }),
      /^the key of interface a is not a Standard Schema$/,
    ],
    [
      "an operation called then",
      () => define("a", { operations: { then: query() } }),
      /operation "then": whoever awaits/,
    ],
    [
      "an operation called constructor",
      () => define("a", { operations: { constructor: query() } }),
      /^"constructor" cannot name an operation of interface a, because every object has a member of that name$/,
    ],
    [
      "an operation called __proto__",
      () => define("a", { operations: Object.fromEntries([["__proto__", query()]]) }),
      /^"__proto__" cannot name an operation/,
    ],
    [
      "an operation made by hand",
      () => define("a", { operations: { b: { kind: "query" } } }),
      /not made by query\(\) or/,
    ],
    [
      "an input that is no schema",
      () => define("a", { operations: { b: declare({ input: 1 }) } }),
      /^the input of operation "b"/,
    ],
    [
      "an output that is no schema",
      () => define("a", { operations: { b: declare({ output: {} }) } }),
      /^the output of op/,
    ],
    [
      "an unknown option",
      () => declare({ inptu: z.string() }),
      /^a command has a member "inptu"; it may have input, output/,
    ],
    [
      "a durable command of a stateless interface",
      () => define("a", { operations: { b: command({ durable: true }) } }),
      /^operation "b" of interface a is durable, and only an interface with a key can have durable commands$/,
    ],
    [
      "a durable that is neither true nor false",
      () => declare({ durable: 1 }),
      /^durable is true or false in the definition of a command$/,
    ],
    [
      "a durable query",
      () => query({ durable: true } as object),
      /^a query has a member "durable"; it may have input, output, errors, description, priority$/,
    ],
    [
      "an error with the name of a status",
      () => define("a", { operations: { b: declare({ errors: { not_found: z.null() } }) } }),
      /^operation "b" of interface a declares an error "not_found", which is one of Synod's own codes$/,
    ],
    [
      "an error without a schema",
      () => define("a", { operations: { b: declare({ errors: { gone: true } }) } }),
      /^the error "gone" of operation "b" of interface a has no Standard Schema$/,
    ],
    [
      "an error called toString",
      () => define("a", { operations: { b: declare({ errors: { toString: z.null() } }) } }),
      /^"toString" cannot name an error/,
    ],
  ];
  for (const [what, run, message] of cases) {
    test(`refuses ${what} in a sentence`, () => {
      assert.throws(run, { name: "SynodError", code: "invalid_argument", message });
    });
  }
});
