/**
 * The shape of a state, taken from the state of a new entity: the names of its members and the kinds of their values.
 * A state has no schema, so this is what can be seen of a change that came without a new version; what does not show
 * in a new entity's state (a member that is set later, what an empty list will hold) cannot be seen.
 */
import type { AnyState } from "../service/model.ts";

/** `"string"`, `"number"`, `"boolean"`, `"null"`, a list with the shape of its first element, or members by name. */
export type Shape = string | readonly Shape[] | { readonly [name: string]: Shape };

/** Deeper members are not looked at. */
const shapeDepthMax = 16;

export function shapeOf(state: AnyState): Shape | null {
  try {
    return shapeOfValue(state.initial("key"), 0);
  } catch {
    return null;
  }
}

function shapeOfValue(value: unknown, depth: number): Shape {
  if (typeof value !== "object" || value === null || depth === shapeDepthMax) {
    return value === null ? "null" : typeof value;
  }
  if (Array.isArray(value)) return value.slice(0, 1).map((element) => shapeOfValue(element, depth + 1));
  const members = Object.entries(value).filter(([, member]) => member !== undefined);
  return Object.fromEntries(members.map(([name, member]) => [name, shapeOfValue(member, depth + 1)]));
}

/** The first place at which two shapes differ, in words; undefined where they do not. `null` may become anything. */
export function shapeChange(was: Shape, is: Shape, path: string = "state"): string | undefined {
  if (was === "null" || is === "null") return undefined;
  if (typeof was === "string" || typeof is === "string" || Array.isArray(was) || Array.isArray(is)) {
    return leafChange(was, is, path);
  }
  for (const name of Object.keys(was)) if (!Object.hasOwn(is, name)) return `${path}.${name} is gone`;
  for (const [name, shape] of Object.entries(is)) {
    if (!Object.hasOwn(was, name)) return `${path}.${name} is new`;
    const change = shapeChange((was as Record<string, Shape>)[name]!, shape, `${path}.${name}`);
    if (change !== undefined) return change;
  }
  return undefined;
}

function leafChange(was: Shape, is: Shape, path: string): string | undefined {
  if (Array.isArray(was) && Array.isArray(is)) {
    return was.length === 0 || is.length === 0 ? undefined : shapeChange(was[0], is[0], `${path}[]`);
  }
  return was === is ? undefined : `${path} is ${kindOf(is)}, it was ${kindOf(was)}`;
}

function kindOf(shape: Shape): string {
  if (typeof shape === "string") return `a ${shape}`;
  return Array.isArray(shape) ? "a list" : "an object";
}
