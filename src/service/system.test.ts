import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { z } from "zod";
import type { InboundAdapter } from "../ports/gateway.ts";
import { implement } from "./implement.ts";
import { defineInterface, query } from "./interface.ts";
import type { AnyInterface, AnyService, AnySystem } from "./model.ts";
import { defineSystem, isSystem, replaceServices } from "./system.ts";

const interfaceOf = (name: string) => defineInterface(name, { operations: { ask: query({ output: z.number() }) } });
const A = interfaceOf("a");
const B = interfaceOf("b");
const C = interfaceOf("c");
const serviceOf = (implemented: typeof A | typeof B | typeof C, ...calls: AnyInterface[]): AnyService =>
  implement(implemented as typeof A, { calls, operations: { ask: () => 1 } });

const Sender = defineInterface("sender", { key: z.string(), operations: { ask: query({ output: z.number() }) } });
const senderTo = (...sends: AnyInterface[]): AnyService =>
  implement(Sender, { sends, state: { version: 1, initial: () => 0 }, operations: { ask: () => 1 } });

/** Definitions as plain JavaScript would write them, past the compiler. */
const define = defineSystem as (definition: unknown) => AnySystem;
const systemOf = (...services: unknown[]) => define({ name: "bank", services });

describe("defineSystem", () => {
  test("keeps name, services and adapters, and is known as a system", () => {
    const services = [serviceOf(A, B), serviceOf(B)];
    const adapter: InboundAdapter = {
      name: "none",
      address: { host: "127.0.0.1", port: 0 },
      start: () => Promise.reject(new Error("unused")),
    };
    const system = defineSystem({ name: "bank", services, adapters: [adapter] });
    assert.equal(system.name, "bank");
    assert.deepEqual(system.services, services);
    assert.deepEqual(system.adapters, [adapter]);
    assert.ok(isSystem(system) && !isSystem(services[0]) && !isSystem(null));
  });

  test("takes calls that meet again without a cycle", () => {
    assert.equal(systemOf(serviceOf(A, B, C), serviceOf(B, C), serviceOf(C)).services.length, 3);
  });

  test("takes messages that go round in a circle", () => {
    assert.equal(systemOf(senderTo(Sender, A), serviceOf(A)).services.length, 2);
  });

  const cases: [string, () => unknown, RegExp][] = [
    [
      "a cycle of three",
      () => systemOf(serviceOf(A, B), serviceOf(B, C), serviceOf(C, A)),
      / a -> b -> c -> a; take one/,
    ],
    [
      "a cycle that the first service is not in",
      () => systemOf(serviceOf(A, B), serviceOf(B, C), serviceOf(C, B)),
      / b -> c -> b;/,
    ],
    ["a service that waits for itself", () => systemOf(serviceOf(A, A)), /would wait for each other: a -> a;/],
    [
      "a call that nobody answers",
      () => systemOf(serviceOf(A, B)),
      /^service a calls b, which no service of system bank impl/,
    ],
    [
      "a message that nobody takes",
      () => systemOf(senderTo(A)),
      /^service sender sends to a, which no service of system bank impl/,
    ],
    [
      "a call to a namesake",
      () => systemOf(serviceOf(A, interfaceOf("b")), serviceOf(B)),
      /^service a calls another interface b/,
    ],
    [
      "two services of one interface",
      () => systemOf(serviceOf(A), serviceOf(A)),
      /^system bank has two services .* a$/,
    ],
    ["no services", () => systemOf(), /^system bank has no services$/],
    ["no list of services", () => define({ name: "bank" }), /^system bank has no services$/],
    [
      "an interface among the services",
      () => systemOf(A),
      /^services\[0\] of system bank was not made by implement\(\)/,
    ],
    [
      "a service that an import cycle left undefined",
      () => systemOf(undefined),
      /^services\[0\] .*is there an import cycle/,
    ],
    [
      "an adapter that was not called",
      () => define({ name: "x", services: [serviceOf(A)], adapters: [() => 1] }),
      /^adapters\[0\]/,
    ],
    ["a bad name", () => define({ name: "my bank", services: [serviceOf(A)] }), /^"my bank" cannot name a system/],
    ["an unknown member", () => define({ name: "x", service: [] }), /^a system has a member "service"/],
  ];
  for (const [what, run, message] of cases) {
    test(`refuses ${what} in a sentence`, () => {
      assert.throws(run, { name: "SynodError", code: "invalid_argument", message });
    });
  }
});

describe("replaceServices", () => {
  const system = systemOf(serviceOf(A, B), serviceOf(B));

  test("puts another implementation in the place of the first, and leaves the system as it was", () => {
    const other = serviceOf(B);
    const replaced = replaceServices(system, [other]);
    assert.equal(replaced.services[1], other);
    assert.equal(replaced.services[0], system.services[0]);
    assert.notEqual(system.services[1], other);
    assert.ok(isSystem(replaced));
  });

  test("keeps all that the system says besides its services", () => {
    const adapter: InboundAdapter = {
      name: "none",
      address: { host: "127.0.0.1", port: 0 },
      start: () => Promise.reject(new Error("unused")),
    };
    const settings = { store: "sqlite:data/bank.db", listen: "127.0.0.1:7000" };
    const availability = { objective: "99.9%", services: { b: "99%" } };
    const full = define({ name: "bank", services: [serviceOf(B)], adapters: [adapter], settings, availability });
    const { services: _, ...others } = replaceServices(full, [serviceOf(B)]);
    const { services: __, ...before } = full;
    assert.deepEqual(others, before);
    assert.deepEqual(others.settings, settings);
  });

  test("refuses a replacement of nothing, one that is no service, and one that closes a cycle", () => {
    assert.throws(() => replaceServices(system, [serviceOf(C)]), /has no service c to replace, only a, b$/);
    assert.throws(() => replaceServices(system, [B as unknown as AnyService]), /implement\(\) did not make/);
    assert.throws(() => replaceServices(system, [serviceOf(B, A)]), / a -> b -> a;/);
  });
});
