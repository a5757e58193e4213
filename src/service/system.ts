/**
 * Systems: services and adapters, declared in one file. What only shows when they come together is checked
 * here: a name twice, a call that nobody answers, services that would wait for each other.
 */
import type { InboundAdapter } from "../ports/gateway.ts";
import { type AvailabilityPolicy, availabilityTargets } from "./availability.ts";
import { checkMembers, checkOwnName, definitionError } from "./definition.ts";
import { isService } from "./implement.ts";
import type { AnyInterface, AnyService, AnySystem } from "./model.ts";
import { checkSettings, type SystemSettings } from "./settings.ts";

const systemMark: unique symbol = Symbol.for("synod.system");

/**
 * A system: what a system file exports as its default. Made by {@link defineSystem}.
 *
 * @example
 * ```ts
 * import type { System } from "synod";
 *
 * const names = (system: System) => system.services.map((service) => service.interface.name);
 * console.assert(typeof names === "function");
 * ```
 */
export interface System extends AnySystem {}

/**
 * Declares a system.
 *
 * @example
 * ```ts
 * import { defineInterface, defineSystem, implement, query } from "synod";
 * import { http } from "synod/http";
 * import { z } from "zod";
 *
 * const Clock = defineInterface("clock", { operations: { now: query({ output: z.number() }) } });
 * const clock = implement(Clock, { operations: { now: (ctx) => ctx.now } });
 *
 * export default defineSystem({ name: "bank", services: [clock], adapters: [http()] });
 * ```
 */
export function defineSystem(definition: {
  /** Names the system towards its store, and its nodes towards each other. */
  readonly name: string;
  readonly services: readonly AnyService[];
  /** What connects the outside world to the services. */
  readonly adapters?: readonly InboundAdapter[];
  /** Where and how its nodes run, where neither a flag nor the environment says it. */
  readonly settings?: SystemSettings;
  /** What is promised of its availability; with it, `synod up` probes the system and counts its nines. */
  readonly availability?: AvailabilityPolicy;
}): System {
  checkMembers(definition, ["name", "services", "adapters", "settings", "availability"], "a system");
  const { name, services, adapters = [], settings = {} } = definition;
  checkOwnName(name, "a system");
  checkServices(services, `system ${name}`);
  checkAdapters(adapters, `system ${name}`);
  checkSettings(settings, `system ${name}`);
  return Object.freeze({
    [systemMark]: true,
    name,
    services: Object.freeze([...services]),
    adapters: Object.freeze([...adapters]),
    settings: Object.freeze({ ...settings }),
    availability: definition.availability && availabilityTargets(definition.availability, services, `system ${name}`),
  });
}

/**
 * The same system with other implementations of some of its interfaces: for tests, in which the outside world is
 * played by a service of one's own.
 *
 * @example
 * ```ts
 * import { command, defineInterface, defineSystem, implement, replaceServices } from "synod";
 * import { z } from "zod";
 *
 * const Mail = defineInterface("mail", { operations: { send: command({ input: z.string() }) } });
 * const real = implement(Mail, { operations: { send: async () => { throw new Error("not in a test"); } } });
 * const system = defineSystem({ name: "shop", services: [real] });
 *
 * const sent: string[] = [];
 * const pretend = implement(Mail, { operations: { send: (_ctx, text) => { sent.push(text); } } });
 * const tested = replaceServices(system, [pretend]);
 * console.assert(tested.services[0] === pretend);
 * ```
 */
export function replaceServices(system: AnySystem, replacements: readonly AnyService[]): System {
  const byName = new Map<string, AnyService>();
  for (const service of replacements) {
    if (!isService(service)) throw definitionError(`replaceServices() got something that implement() did not make`);
    byName.set(service.interface.name, service);
  }
  const services = system.services.map((service) => {
    const replacement = byName.get(service.interface.name);
    byName.delete(service.interface.name);
    return replacement ?? service;
  });
  for (const name of byName.keys()) {
    throw definitionError(`system ${system.name} has no service ${name} to replace, only ${namesOf(system.services)}`);
  }
  const { name, adapters, settings = {}, availability } = system;
  return Object.freeze({ ...defineSystem({ name, services, adapters, settings }), availability });
}

/** Whether a value was made by {@link defineSystem}, be it by another copy of this package. */
export function isSystem(value: unknown): value is System {
  return typeof value === "object" && value !== null && Object.hasOwn(value, systemMark);
}

function checkServices(services: readonly AnyService[], subject: string): void {
  if (!Array.isArray(services) || services.length === 0) throw definitionError(`${subject} has no services`);
  const byName = new Map<string, AnyService>();
  for (const [index, service] of services.entries()) {
    if (!isService(service)) {
      throw definitionError(`services[${index}] of ${subject} was not made by implement() (is there an import cycle?)`);
    }
    const { name } = service.interface;
    if (byName.has(name)) throw definitionError(`${subject} has two services that implement the interface ${name}`);
    byName.set(name, service);
  }
  for (const service of services) {
    for (const called of service.calls) checkListed(service, "calls", called, byName, subject);
    for (const receiving of service.sends) checkListed(service, "sends to", receiving, byName, subject);
  }
  const cycle = cycleIn(byName);
  if (cycle !== undefined) {
    throw definitionError(
      `the services of ${subject} would wait for each other: ${cycle.join(" -> ")}; take one of these calls out, or send instead`,
    );
  }
}

function checkListed(
  service: AnyService,
  verb: "calls" | "sends to",
  listed: AnyInterface,
  byName: ReadonlyMap<string, AnyService>,
  subject: string,
): void {
  const answering = byName.get(listed.name);
  if (answering === undefined) {
    throw definitionError(
      `service ${service.interface.name} ${verb} ${listed.name}, which no service of ${subject} implements`,
    );
  }
  if (answering.interface !== listed) {
    throw definitionError(
      `service ${service.interface.name} ${verb} another interface ${listed.name} than the one that ${subject} implements`,
    );
  }
}

/** A cycle in `calls`, from a service back to itself; in the order of the definition. */
function cycleIn(byName: ReadonlyMap<string, AnyService>): readonly string[] | undefined {
  const finished = new Set<string>();
  const search = (name: string, path: readonly string[]): readonly string[] | undefined => {
    if (path.includes(name)) return [...path.slice(path.indexOf(name)), name];
    if (finished.has(name)) return undefined;
    for (const called of byName.get(name)?.calls ?? []) {
      const cycle = search(called.name, [...path, name]);
      if (cycle !== undefined) return cycle;
    }
    finished.add(name);
    return undefined;
  };
  for (const name of byName.keys()) {
    const cycle = search(name, []);
    if (cycle !== undefined) return cycle;
  }
  return undefined;
}

function checkAdapters(adapters: readonly InboundAdapter[], subject: string): void {
  for (const [index, adapter] of adapters.entries()) {
    if (typeof adapter?.start !== "function") {
      throw definitionError(`adapters[${index}] of ${subject} is not an adapter (was it called, as in http()?)`);
    }
  }
}

function namesOf(services: readonly AnyService[]): string {
  return services.map((service) => service.interface.name).join(", ");
}
