/** What a release changes, and how heavily that weighs while old and new nodes run side by side. */
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { z } from "zod";
import { implement } from "../service/implement.ts";
import { command, defineInterface, query } from "../service/interface.ts";
import type { AnyInterface, AnyService, AnySystem } from "../service/model.ts";
import { changesBetween } from "./changes.ts";
import { lineOf } from "./lines.ts";
import { formatLock, type Lock, lockOf, parseLock } from "./lock.ts";

const key = z.string().min(1);
const Amount = z.object({ amount: z.int().min(1) });
const Balance = z.object({ balance: z.int() });

type Operations = Parameters<typeof defineInterface>[1]["operations"];
type State = { version: number; initial: () => object; migrate?: Record<number, (old: unknown) => unknown> };

const first = {
  deposit: command({ input: Amount, output: Balance, errors: { closed: z.string() } }),
  balance: query({ output: Balance }),
};

function account(operations: Operations, state: State = { version: 1, initial: () => ({ balance: 0 }) }): AnyService {
  return service(defineInterface("account", { key, operations }), state);
}

function service(implemented: AnyInterface, state?: State, calls: readonly AnyInterface[] = []): AnyService {
  const operations = Object.fromEntries(Object.keys(implemented.operations).map((name) => [name, () => ({})]));
  return implement(implemented as never, { ...(state && { state }), calls, operations } as never) as AnyService;
}

function lock(...services: AnyService[]): Lock {
  return lockOf({ name: "bank", services, adapters: [] } satisfies AnySystem);
}

function between(was: Lock, is: Lock): string[] {
  return changesBetween(was, is).map(({ weight, name, what }) => `${weight} | ${name} | ${what}`);
}

const withDeposit = (deposit: Operations[string]): Lock => lock(account({ ...first, deposit }));
const { balance } = first;

const releases: [about: string, is: Lock, expected: string[]][] = [
  ["nothing", lock(account(first)), []],
  ["a new operation", lock(account({ ...first, close: command() })), ["fine | account.close | the operation is new"]],
  ["an operation less", lock(account({ balance })), ["breaking | account.deposit | the operation is gone"]],
  [
    "another kind",
    lock(account({ ...first, balance: command({ output: Balance }) })),
    ["breaking | account.balance | is a command, it was a query"],
  ],
  [
    "a durable command",
    withDeposit(command({ durable: true, input: Amount, output: Balance, errors: { closed: z.string() } })),
    ["breaking | account.deposit | is a durable command, it was a command"],
  ],
  [
    "an input that admits less",
    withDeposit(
      command({ input: Amount.extend({ note: z.string() }), output: Balance, errors: { closed: z.string() } }),
    ),
    ["breaking | account.deposit | input.note: has to be there"],
  ],
  [
    "an input that admits more",
    withDeposit(command({ input: z.object({ amount: z.int() }), output: Balance, errors: { closed: z.string() } })),
    ["two steps | account.deposit | the input admits more than before"],
  ],
  [
    "an output that says more",
    withDeposit(command({ input: Amount, output: Balance.extend({ at: z.int() }), errors: { closed: z.string() } })),
    ["two steps | account.deposit | the output promises more than before"],
  ],
  [
    "an output that says less",
    withDeposit(command({ input: Amount, output: z.object({}), errors: { closed: z.string() } })),
    ["breaking | account.deposit | output.balance: has to be there"],
  ],
  [
    "no output any more",
    withDeposit(command({ input: Amount, errors: { closed: z.string() } })),
    ["breaking | account.deposit | returns nothing any more"],
  ],
  [
    "a new error",
    withDeposit(command({ input: Amount, output: Balance, errors: { closed: z.string(), full: z.string() } })),
    ["two steps | account.deposit | the error full is new"],
  ],
  ["an error less", withDeposit(command({ input: Amount, output: Balance })), []],
  [
    "other data of an error",
    withDeposit(command({ input: Amount, output: Balance, errors: { closed: z.number() } })),
    ["breaking | account.deposit | the data of closed: is string, it was number"],
  ],
  [
    "another shape of the state at the same version",
    lock(account(first, { version: 1, initial: () => ({ cents: 0 }) })),
    ["breaking | account | state.balance is gone, and the version is still 1"],
  ],
  [
    "another shape of the state at a new version",
    lock(account(first, { version: 2, initial: () => ({ cents: 0 }), migrate: { 1: (old) => old } })),
    ["fine | account | the state has version 2, it had 1"],
  ],
  [
    "fewer keys",
    lock(
      service(defineInterface("account", { key: key.max(9), operations: first }), {
        version: 1,
        initial: () => ({ balance: 0 }),
      }),
    ),
    ["breaking | account | the key: maxLength is 9, there was none"],
  ],
  [
    "no key any more",
    lock(service(defineInterface("account", { operations: { balance } }))),
    ["breaking | account | has no key any more"],
  ],
];

describe("a release against the lock of the one before", () => {
  const was = lock(account(first));
  for (const [about, is, expected] of releases) {
    test(about, () => assert.deepEqual(between(was, is), expected));
  }

  test("an older version of a state breaks: newer states are in the store", () => {
    const newer = lock(account(first, { version: 2, initial: () => ({ balance: 0 }), migrate: { 1: (old) => old } }));
    assert.deepEqual(between(newer, was), ["breaking | account | the state has version 1, it had 2"]);
  });

  test("a service that is gone breaks, one that is new does not", () => {
    const rates = service(defineInterface("rates", { operations: { latest: query() } }));
    assert.deepEqual(between(lock(account(first), rates), was), ["breaking | rates | the service is gone"]);
    assert.deepEqual(between(was, lock(account(first), rates)), ["fine | rates | the service is new"]);
  });

  test("a system with another name breaks, because the place of its states goes by it", () => {
    const is = { ...lock(account(first)), system: "shop" };
    assert.deepEqual(between(lock(account(first)), is), ["breaking | bank | the system is called shop, it was bank"]);
    const text = formatLock(lock(account(first)));
    const [change] = changesBetween(parseLock(text, "lock"), is);
    assert.equal(lineOf(text, change!.steps), 3);
  });

  test("a new operation of an interface that another service calls takes two steps, naming the caller", () => {
    const Account = defineInterface("account", { key, operations: { ...first, close: command() } });
    const called = service(Account, { version: 1, initial: () => ({ balance: 0 }) });
    const teller = service(defineInterface("teller", { operations: { ask: query() } }), undefined, [Account]);
    const before = lock(account(first), teller);
    const [change] = changesBetween(before, lock(called, teller));
    assert.equal(change?.weight, "two steps");
    assert.match(change!.advice, /^If teller calls it already/);
  });

  test("every change of what was there points to its line in the lock", () => {
    const text = formatLock(was);
    const lines = text.split("\n");
    for (const [about, is] of releases) {
      for (const { steps, weight } of changesBetween(parseLock(text, "lock"), is)) {
        const line = lineOf(text, steps);
        if (weight === "fine" && line === undefined) continue;
        assert.match(lines[line! - 1]!, new RegExp(`^ *"${steps.at(-1)}":`), about);
      }
    }
  });
});

describe("a lock", () => {
  test("survives being written and read", () => {
    const written = lock(account(first));
    assert.deepEqual(parseLock(formatLock(written), "lock"), JSON.parse(JSON.stringify(written)));
  });

  test("what is none is refused with the file's name and what to do", () => {
    for (const text of ["", "{}", "null", '{"lockVersion":2,"services":{}}']) {
      assert.throws(() => parseLock(text, "old.json"), /old\.json/, text);
    }
    assert.throws(() => parseLock('{"lockVersion":2,"services":{}}', "old.json"), /version 2.*--write/);
  });

  test("text that was laid out by hand has no lines to point to", () => {
    assert.equal(lineOf('{"a":{"b":1}}', ["a", "b"]), undefined);
    assert.equal(lineOf(JSON.stringify({ a: { b: 1 } }, undefined, 2), ["a", "b"]), 3);
    assert.equal(lineOf(JSON.stringify({ a: { b: 1 } }, undefined, 2), ["a", "c"]), undefined);
  });
});
