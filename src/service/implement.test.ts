import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { z } from "zod";
import { implement, isService } from "./implement.ts";
import { command, defineInterface, query } from "./interface.ts";
import type { AnyService } from "./model.ts";

const Account = defineInterface("account", {
  key: z.string(),
  operations: { deposit: command({ input: z.number() }), balance: query({ output: z.number() }) },
});
const Rates = defineInterface("rates", { operations: { quote: query({ output: z.number() }) } });

/** Definitions as plain JavaScript would write them, past the compiler. */
const implementLoosely = implement as (implemented: unknown, definition: unknown) => AnyService;
const operations = { deposit: () => {}, balance: () => 1 };
const accountWith = (state: unknown) => implementLoosely(Account, { state, operations });

describe("implement", () => {
  test("keeps the interface, its calls, its state and its handlers, and is known as a service", () => {
    const account = implement(Account, {
      calls: [Rates],
      sends: [Account],
      state: { version: 2, initial: () => ({ balance: 0 }), migrate: { 1: (old: number) => ({ balance: old }) } },
      operations: { deposit: () => {}, balance: (ctx) => ctx.state.balance },
    });
    const erased: AnyService = account;
    assert.equal(account.interface, Account);
    assert.deepEqual(erased.calls, [Rates]);
    assert.deepEqual(erased.sends, [Account]);
    assert.equal(erased.state?.version, 2);
    assert.deepEqual(erased.state?.initial("alice"), { balance: 0 });
    assert.deepEqual(erased.state?.migrate[1]?.(5), { balance: 5 });
    assert.equal(erased.operations.balance?.({ state: { balance: 7 } }, undefined), 7);
    assert.equal(erased.operations.constructor, undefined);
    assert.ok(isService(account) && !isService(Account) && !isService(undefined));
  });

  test("leaves an initial state that depends on the key to the day when there is one", () => {
    const initial = (key: string) => ({ owner: key.toUpperCase(), at: key === "" ? new Date() : null });
    assert.equal(accountWith({ version: 1, initial }).state?.initial, initial);
  });

  const initial = () => 0;
  const cases: [string, () => unknown, RegExp][] = [
    [
      "what is no interface",
      () => implementLoosely(undefined, { operations }),
      /^implement\(\) needs an interface made by/,
    ],
    [
      "a missing handler",
      () => implementLoosely(Rates, { operations: {} }),
      /^service rates has no handler for "quote"$/,
    ],
    ["no handlers at all", () => implementLoosely(Rates, {}), /^service rates has no handler for "quote"$/],
    [
      "an inherited handler",
      () => implementLoosely(Rates, { operations: Object.create({ quote: () => 1 }) }),
      /^service rates has no handler for "quote"$/,
    ],
    [
      "a handler too many",
      () => implementLoosely(Rates, { operations: { quote: () => 1, qoute: () => 1 } }),
      /^service rates has a handler "qoute", and its interface has no such operation, only quote$/,
    ],
    [
      "an unknown member",
      () => implementLoosely(Rates, { handlers: {} }),
      /^service rates has a member "handlers"; it may have/,
    ],
    [
      "a keyed service without state",
      () => implementLoosely(Account, { operations }),
      /^service account is keyed and needs/,
    ],
    [
      "a stateless service with state",
      () => implementLoosely(Rates, { state: { version: 1, initial }, operations: { quote: () => 1 } }),
      /^service rates is stateless and cannot have a state; /,
    ],
    [
      "calls of what is no interface",
      () => implementLoosely(Rates, { calls: [{}] }),
      /^calls\[0\] of service rates was not/,
    ],
    [
      "sends to what is no interface",
      () => implementLoosely(Account, { sends: [{}] }),
      /^sends\[0\] of service account was not/,
    ],
    [
      "sends listed twice",
      () => implementLoosely(Account, { sends: [Rates, Rates] }),
      /lists rates twice in its sends/,
    ],
    [
      "sends of a stateless service",
      () => implementLoosely(Rates, { sends: [Account] }),
      /stateless and cannot send: it has no outbox/,
    ],
    [
      "calls listed twice",
      () => implementLoosely(Rates, { calls: [Account, Account] }),
      /^service rates lists account twice/,
    ],
    [
      "version 0",
      () => accountWith({ version: 0, initial }),
      /^the state of service account has the version 0, and must/,
    ],
    ["version 1.5", () => accountWith({ version: 1.5, initial }), /has the version 1\.5/],
    ["no initial state", () => accountWith({ version: 1 }), /^the state of service account needs a function "initial"/],
    [
      "a gap in the migrations",
      () => accountWith({ version: 3, initial, migrate: { 2: () => 1 } }),
      /^the state of service account has version 3 and no migrate\[1\], which turns version 1 into 2$/,
    ],
    [
      "a migration from the present",
      () => accountWith({ version: 1, initial, migrate: { 1: () => 1 } }),
      /nothing would call/,
    ],
    [
      "a migration from no version",
      () => accountWith({ version: 1, initial, migrate: { "01": () => 1 } }),
      /a migrate\[01\]/,
    ],
    [
      "an initial state that is not JSON",
      () => accountWith({ version: 1, initial: () => ({ at: [new Date()] }) }),
      /^the initial state of service account is not JSON: \$\.at\[0\] is a Date/,
    ],
    ["an initial state of nothing", () => accountWith({ version: 1, initial: () => undefined }), /\$ is undefined/],
    [
      "an initial state that cannot be made",
      () =>
        accountWith({
          version: 1,
          initial: () => {
            throw new Error("no disk");
          },
        }),
      /^the initial state of service account cannot be made: Error: no disk$/,
    ],
  ];
  for (const [what, run, message] of cases) {
    test(`refuses ${what} in a sentence`, () => {
      assert.throws(run, { name: "SynodError", code: "invalid_argument", message });
    });
  }
});
