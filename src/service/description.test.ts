import assert from "node:assert/strict";
import { test } from "node:test";
import { z } from "zod";
import { describeService } from "./description.ts";
import { implement } from "./implement.ts";
import { command, defineInterface, query } from "./interface.ts";

const Account = defineInterface("account", {
  key: z.string().min(1),
  operations: {
    deposit: command({
      input: z.object({ amount: z.number().default(1) }),
      output: z.string().transform(Number),
      errors: { closed: z.object({ since: z.number() }) },
      description: "Pays in.",
    }),
    touch: query(),
  },
});

test("a service is described as its callers see it: inputs as taken, outputs and error data as returned", () => {
  const description = describeService(Account);
  assert.deepEqual(description, {
    name: "account",
    keyed: true,
    key: { type: "string", minLength: 1 },
    operations: [
      {
        name: "deposit",
        kind: "command",
        priority: "normal",
        durable: false,
        description: "Pays in.",
        input: { type: "object", properties: { amount: { type: "number", default: 1 } } },
        hasInput: true,
        output: undefined, // A transform, which JSON Schema cannot say.
        hasOutput: true,
        errors: {
          closed: {
            type: "object",
            properties: { since: { type: "number" } },
            required: ["since"],
            additionalProperties: false,
          },
        },
      },
      {
        name: "touch",
        kind: "query",
        priority: "normal",
        durable: false,
        description: undefined,
        input: undefined,
        hasInput: false,
        output: undefined,
        hasOutput: false,
        errors: {},
      },
    ],
  });
});

test("a service and its interface have the same description", () => {
  const account = implement(Account, {
    state: { version: 1, initial: () => 0 },
    operations: { deposit: () => "1", touch: () => {} },
  });
  assert.deepEqual(describeService(account), describeService(Account));
});

test("a stateless service is not keyed", () => {
  const description = describeService(defineInterface("rates", { operations: { quote: query() } }));
  assert.equal(description.keyed, false);
  assert.equal(description.key, undefined);
});
