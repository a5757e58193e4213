/**
 * What a release changes, judged by what goes on while it comes in: nodes with the old code and with the new one serve
 * the same keys and call each other, callers outside keep the old interface for longer than that, and stored states
 * and accepted work were written by the old code.
 *
 * So an input may only admit more than before and an output only less, each seen from the side that reads it; and what
 * goes the other way (an input that admits more is refused by nodes that have the old code) takes two releases: the
 * first brings it in, the second one uses it.
 */
import { isDeepStrictEqual } from "node:util";
import type { JsonSchema } from "../values/schema-values.ts";
import type { Lock, LockedOperation, LockedService, LockedState } from "./lock.ts";
import { type Reading, type Refusal, refusals } from "./narrowing.ts";
import { shapeChange } from "./shape.ts";

/** `breaking` fails requests or stored data; `two steps` does unless the next release uses it first; `fine` does not. */
export type Weight = "breaking" | "two steps" | "fine";

export interface Change {
  readonly weight: Weight;
  /** What has changed, as it is named on the command line: `account`, `account.deposit`. */
  readonly name: string;
  /** Where it stands in the lock (steps from its root); in the new one if the old one does not have it. */
  readonly steps: readonly string[];
  readonly what: string;
  readonly advice: string;
}

/** Everything that differs, in the order of the old lock, what is new last. */
export function changesBetween(was: Lock, is: Lock): readonly Change[] {
  const changes: Change[] = was.system === is.system ? [] : [renamed(was.system, is.system)];
  for (const [name, service] of Object.entries(was.services)) {
    const now = own(is.services, name);
    changes.push(...(now === undefined ? [serviceGone(name, service)] : serviceChanges(name, service, now, is)));
  }
  for (const name of Object.keys(is.services)) {
    if (own(was.services, name) === undefined) changes.push(added(is, name, undefined));
  }
  return changes;
}

/** A store belongs to a system by its name, and where none is named, its place goes by it, too. */
function renamed(was: string, is: string): Change {
  const what = `the system is called ${is}, it was ${was}`;
  const advice = `Keep the name: its states stay under the old one, and ${is} begins with none, or is refused where they are.`;
  return { weight: "breaking", name: was, steps: ["system"], what, advice };
}

function serviceGone(name: string, { state }: LockedService): Change {
  const left = state === undefined ? "" : " Its states stay in the store, and nobody serves them.";
  return {
    weight: "breaking",
    name,
    steps: ["services", name],
    what: "the service is gone",
    advice: `First a release in which nobody calls it, then this one, with \`--allow ${name}\`.${left}`,
  };
}

function serviceChanges(name: string, was: LockedService, is: LockedService, lock: Lock): readonly Change[] {
  const steps = ["services", name];
  if ((was.key === undefined) !== (is.key === undefined)) {
    const what = is.key === undefined ? "has no key any more" : "has a key now";
    return [{ weight: "breaking", name, steps, what, advice: "Give the other kind of service a name of its own." }];
  }
  const changes: Change[] = keyChanges(name, was, is);
  if (was.state !== undefined && is.state !== undefined) changes.push(...stateChanges(name, was.state, is.state));
  for (const [operation, then] of Object.entries(was.operations)) {
    const now = own(is.operations, operation);
    const place = { name: `${name}.${operation}`, steps: [...steps, "operations", operation] };
    changes.push(...(now === undefined ? [operationGone(place)] : operationChanges(place, then, now)));
  }
  for (const operation of Object.keys(is.operations)) {
    if (own(was.operations, operation) === undefined) changes.push(added(lock, name, operation));
  }
  return changes;
}

/** Something new is in nobody's way; but who calls it while old nodes are there is told that there is no such thing. */
function added(lock: Lock, service: string, operation: string | undefined): Change {
  const name = operation === undefined ? service : `${service}.${operation}`;
  const steps = ["services", service, ...(operation === undefined ? [] : ["operations", operation])];
  const what = operation === undefined ? "the service is new" : "the operation is new";
  const callers = Object.entries(lock.services).filter(([, { calls }]) => calls.includes(service));
  if (operation === undefined || callers.length === 0) {
    return { weight: "fine", name, steps, what, advice: "Call it when every node has this release." };
  }
  const names = callers.map(([caller]) => caller).join(" and ");
  const advice = `If ${names} calls it already, that belongs into the next release: nodes with the old code refuse it.`;
  return { weight: "two steps", name, steps, what, advice };
}

type Place = Pick<Change, "name" | "steps">;

function operationGone(place: Place): Change {
  const advice = `First a release in which nobody calls it, then this one, with \`--allow ${place.name}\`.`;
  return { weight: "breaking", ...place, what: "the operation is gone", advice };
}

function operationChanges(place: Place, was: LockedOperation, is: LockedOperation): readonly Change[] {
  if (was.kind !== is.kind) {
    const what = `is a ${is.kind}, it was a ${was.kind}`;
    const advice = "Callers and stored work go by the old kind: add an operation with a name of its own instead.";
    return [{ weight: "breaking", ...place, steps: [...place.steps, "kind"], what, advice }];
  }
  return [...inputChanges(place, was, is), ...outputChanges(place, was, is), ...errorChanges(place, was, is)];
}

const narrower = "Take what callers send until now as well, or add an operation with a name of its own.";
const wider = "Nodes with the old code refuse it: it may be sent when every node has this release, not before.";
const asWritten: Reading = { extraMembers: "as-written" };
const passedOver: Reading = { extraMembers: "passed-over" };

function inputChanges(place: Place, was: LockedOperation, is: LockedOperation): readonly Change[] {
  const at = { ...place, steps: [...place.steps, "input"] };
  if (was.input === undefined || is.input === undefined) {
    if (was.input === is.input) return [];
    const what = is.input === undefined ? "takes no input any more" : "takes an input now";
    const steps = is.input === undefined ? at.steps : place.steps;
    return [{ weight: "breaking", ...place, steps, what, advice: narrower }];
  }
  const broken = compared("input", was.input, is.input, asWritten).map((what) => breaking(at, what, narrower));
  if (broken.length > 0) return broken;
  return compared("input", is.input, was.input, asWritten)
    .slice(0, 1)
    .map(() => ({ weight: "two steps", ...at, what: "the input admits more than before", advice: wider }));
}

const moreThanExpected = "Callers with the old interface do not expect it: return it from an operation of its own.";
const lessThanExpected =
  "Nodes with the old code still return what they did: whoever goes by the narrower output belongs into the next release.";

function outputChanges(place: Place, was: LockedOperation, is: LockedOperation): readonly Change[] {
  const at = { ...place, steps: [...place.steps, "output"] };
  if (was.output === undefined || is.output === undefined) {
    if (was.output === is.output) return [];
    const what = is.output === undefined ? "returns nothing any more" : "returns a value now";
    const steps = is.output === undefined ? at.steps : place.steps;
    const weight = is.output === undefined ? "breaking" : "two steps";
    return [{ weight, ...place, steps, what, advice: weight === "breaking" ? moreThanExpected : lessThanExpected }];
  }
  const broken = compared("output", is.output, was.output, passedOver).map((what) =>
    breaking(at, what, moreThanExpected),
  );
  if (broken.length > 0) return broken;
  return compared("output", was.output, is.output, passedOver)
    .slice(0, 1)
    .map(() => ({
      weight: "two steps",
      ...at,
      what: "the output promises more than before",
      advice: lessThanExpected,
    }));
}

function errorChanges(place: Place, was: LockedOperation, is: LockedOperation): readonly Change[] {
  const changes: Change[] = [];
  for (const [code, schema] of Object.entries(is.errors ?? {})) {
    const before = own(was.errors ?? {}, code);
    if (before === undefined) {
      const advice = "Callers must know it first: declare it in this release, and fail with it in the next one.";
      changes.push({ weight: "two steps", ...place, what: `the error ${code} is new`, advice });
      continue;
    }
    const at = { ...place, steps: [...place.steps, "errors", code] };
    const found = compared(`the data of ${code}`, schema, before, passedOver);
    changes.push(...found.map((what) => breaking(at, what, moreThanExpected)));
  }
  return changes;
}

function keyChanges(name: string, was: LockedService, is: LockedService): Change[] {
  if (was.key === undefined || is.key === undefined) return [];
  const at = { name, steps: ["services", name, "key"] };
  const advice = "Entities with such keys are in the store, and could not be reached any more.";
  const broken = compared("the key", was.key, is.key, asWritten).map((what) => breaking(at, what, advice));
  if (broken.length > 0) return broken;
  return compared("the key", is.key, was.key, asWritten)
    .slice(0, 1)
    .map(() => ({ weight: "two steps", ...at, what: "admits more keys than before", advice: wider }));
}

function stateChanges(name: string, was: LockedState, is: LockedState): readonly Change[] {
  const at = { name, steps: ["services", name, "state"] };
  if (is.version < was.version) {
    const what = `the state has version ${is.version}, it had ${was.version}`;
    return [breaking(at, what, "States of the newer version are in the store, and this code cannot read them.")];
  }
  if (is.version > was.version) {
    const what = `the state has version ${is.version}, it had ${was.version}`;
    const advice = "Nodes with the old code give these keys up to nodes with the new one, and cannot take them back.";
    return [{ weight: "fine", ...at, what, advice }];
  }
  if (was.shape === null || is.shape === null) return [];
  const change = shapeChange(was.shape, is.shape);
  if (change === undefined) return [];
  const next = is.version + 1;
  const advice = `Stored states have the old shape: raise the version to ${next} and add migrate[${is.version}].`;
  return [
    breaking({ ...at, steps: [...at.steps, "shape"] }, `${change}, and the version is still ${is.version}`, advice),
  ];
}

/** In words: why values of one schema may be refused by another. Null: it could not be said as JSON Schema. */
function compared(part: string, from: JsonSchema | null, to: JsonSchema | null, reading: Reading): readonly string[] {
  if (isDeepStrictEqual(from, to)) return [];
  if (from === null || to === null) return [`${part} cannot be compared: it cannot be said as JSON Schema`];
  return refusals(from, to, reading).map((refusal: Refusal) => `${part}${refusal.path}: ${refusal.what}`);
}

function breaking(place: Place, what: string, advice: string): Change {
  return { weight: "breaking", ...place, what, advice };
}

function own<T>(record: Readonly<Record<string, T>>, name: string): T | undefined {
  return Object.hasOwn(record, name) ? record[name] : undefined;
}
