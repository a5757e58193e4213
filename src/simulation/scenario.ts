/**
 * Scenarios: what is simulated. A system is enough; whoever knows more of it says what clients do and what must hold.
 */
import { checkMembers, definitionError, quoted } from "../service/definition.ts";
import type { AnyInterface, AnyService, AnySystem } from "../service/model.ts";
import { isSystem, replaceServices } from "../service/system.ts";
import { type Duration, parseDuration } from "../values/durations.ts";
import type { Prng } from "../values/prng.ts";
import type { Request } from "./operation.ts";
import { generatedWorkload } from "./workload.ts";

/** The committed state of a whole system at one instant. */
export interface CommittedState {
  /** The state of every entity of a service that has one, by key. */
  all<State = unknown>(service: AnyInterface): ReadonlyMap<string, State>;
  /** How many durable commands of a service were accepted and are not finished, and messages of it not delivered. */
  pending(service: AnyInterface): number;
}

/** Something that must hold whenever anything has been committed, and at the end. */
export interface Invariant {
  /** In words, for the report: "no account is negative". */
  readonly name: string;
  /** True when it holds; false, or a sentence, when it does not. */
  readonly holds: (state: CommittedState) => boolean | string;
}

/** Gives what a client asks for next. All chance comes from the argument. */
export type Workload = (prng: Prng, client: number) => Request;

export interface ScenarioDefinition {
  readonly system: AnySystem;
  /** Implementations that take the place of the system's own: the outside world. */
  readonly replace?: readonly AnyService[];
  /**
   * The next release of the system, with `state.migrate` where states changed: in each run the nodes are restarted onto
   * it one by one, while clients go on with what the first release knows.
   */
  readonly upgrade?: AnySystem;
  /** How many nodes the system has; 3 to 5 when absent, by seed. */
  readonly nodes?: number;
  /** How many clients ask at the same time; 2 to 20 when absent, by seed. */
  readonly clients?: number;
  /** What they ask for; made from the schemas of the interfaces when absent. */
  readonly workload?: Workload;
  readonly invariants?: readonly Invariant[];
  /** How long faults happen, of simulated time: ms, or `"60s"`; a minute when absent. */
  readonly duration?: Duration;
}

export interface Scenario {
  readonly system: AnySystem;
  /** The release that comes in during a run. */
  readonly upgrade: AnySystem | undefined;
  readonly nodes: number | undefined;
  readonly clients: number | undefined;
  readonly workload: Workload;
  /** What a generated workload leaves out, each with the reason. */
  readonly unasked: readonly string[];
  readonly invariants: readonly Invariant[];
  readonly durationMs: number;
  /** Where it was loaded from by `loadScenario`: every node then has modules of its own. */
  readonly file?: string;
}

const scenarioMark: unique symbol = Symbol.for("synod.scenario");

/** Whether a value was made by {@link defineScenario}, be it by another copy of this package. */
export function isScenario(value: unknown): value is Scenario {
  return typeof value === "object" && value !== null && Object.hasOwn(value, scenarioMark);
}

const durationDefault: Duration = "60s";

/**
 * Says what is to be simulated.
 *
 * @example
 * ```ts
 * import { command, defineInterface, defineSystem, implement, query } from "synod";
 * import { defineScenario } from "synod/simulation";
 * import { z } from "zod";
 *
 * const Counter = defineInterface("counter", {
 *   key: z.string(),
 *   operations: { add: command({ output: z.number() }), value: query({ output: z.number() }) },
 * });
 * const counter = implement(Counter, {
 *   state: { version: 1, initial: () => ({ value: 0 }) },
 *   operations: { add: (ctx) => ++ctx.state.value, value: (ctx) => ctx.state.value },
 * });
 *
 * export default defineScenario({
 *   system: defineSystem({ name: "counting", services: [counter] }),
 *   nodes: 3,
 *   invariants: [
 *     {
 *       name: "no counter is negative",
 *       holds: (state) => [...state.all(Counter).values()].every((one) => (one as { value: number }).value >= 0),
 *     },
 *   ],
 * });
 * ```
 */
export function defineScenario(definition: ScenarioDefinition): Scenario {
  checkDefinition(definition);
  const { replace = [], nodes, clients, invariants = [], duration = durationDefault } = definition;
  const system = replace.length === 0 ? definition.system : replaceServices(definition.system, replace);
  const upgrade = definition.upgrade && withReplaced(definition.upgrade, replace);
  const { workload, unasked } = definition.workload
    ? { workload: definition.workload, unasked: [] }
    : generatedWorkload(system);
  const durationMs = parseDuration(duration, "the duration of the scenario");
  const marked = { [scenarioMark]: true };
  return { ...marked, system, upgrade, nodes, clients, workload, unasked, invariants, durationMs };
}

const members = ["system", "replace", "upgrade", "nodes", "clients", "workload", "invariants", "duration"];

/** A slip of the pen would simulate less than was meant, and find nothing. */
function checkDefinition(definition: ScenarioDefinition): void {
  checkMembers(definition, members, "a scenario");
  const { system, upgrade, replace, nodes, clients, workload, invariants } = definition;
  if (!isSystem(system)) throw definitionError("system of a scenario must be made by defineSystem()");
  if (upgrade !== undefined && !isSystem(upgrade)) {
    throw definitionError("upgrade of a scenario must be made by defineSystem()");
  }
  if (replace !== undefined && !Array.isArray(replace)) {
    throw definitionError("replace of a scenario must be a list of what implement() makes");
  }
  checkCount(nodes, "nodes");
  checkCount(clients, "clients");
  if (workload !== undefined && typeof workload !== "function") {
    throw definitionError("workload of a scenario must be a function that gives what a client asks for next");
  }
  if (invariants === undefined) return;
  if (!Array.isArray(invariants)) throw definitionError("invariants of a scenario must be a list");
  for (const [index, invariant] of invariants.entries()) checkInvariant(invariant, index);
}

function checkCount(count: number | undefined, member: string): void {
  if (count === undefined || (Number.isSafeInteger(count) && count >= 1)) return;
  throw definitionError(`${member} of a scenario is ${quoted(count)}, and must be a whole number from 1`);
}

function checkInvariant(invariant: Invariant, index: number): void {
  const subject = `invariants[${index}] of a scenario`;
  checkMembers(invariant, ["name", "holds"], subject);
  const { name, holds } = invariant;
  if (typeof name !== "string" || name === "") {
    throw definitionError(`${subject} has no name: say in words what must hold, for the report`);
  }
  if (typeof holds !== "function") {
    throw definitionError(`${subject} has no function holds, which says whether ${quoted(name)}`);
  }
}

/** What it hosts of these takes the place of its own. */
function withReplaced(upgrade: AnySystem, replace: readonly AnyService[]): AnySystem {
  const names = new Set(upgrade.services.map((service) => service.interface.name));
  const hosted = replace.filter((service) => names.has(service.interface.name));
  return hosted.length === 0 ? upgrade : replaceServices(upgrade, hosted);
}
