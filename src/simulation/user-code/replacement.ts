/**
 * Functions of JavaScript and Node that answer from the place of whoever calls them, and do what they always do when
 * nobody simulated calls. They stand where the real ones stood while a run lasts, and are gone afterwards; whoever kept
 * one has a function that does what the real one does.
 */
import { type Place, placeNow } from "./place.ts";

/** Any function or class: the originals have every signature there is. */
// biome-ignore lint/suspicious/noExplicitAny: a Proxy passes on whatever it is given.
export type AnyFunction = (...args: any[]) => any;

export interface Replacement {
  readonly target: object;
  readonly name: PropertyKey;
  /** What stands there instead, made from what stood there. */
  readonly by: (found: PropertyDescriptor) => PropertyDescriptor;
}

/** Does what the function, or class, does elsewhere; with other arguments, if some are given. */
export type Real = (args?: readonly unknown[]) => unknown;
/** What a function does at a place. */
export type Doing = (place: Place, args: readonly unknown[], real: Real) => unknown;

/** A function or class that does something else at a place; all that is written on it stays. */
export function atPlaces(target: object, name: PropertyKey, does: Doing): Replacement {
  // Node has a getter where it makes a function only for who asks for it.
  const by = ({ get, value, enumerable = false }: PropertyDescriptor): PropertyDescriptor => {
    const original = (get === undefined ? value : Reflect.apply(get, target, [])) as AnyFunction;
    return { configurable: true, enumerable, writable: true, value: guestOf(original, does) };
  };
  return { target, name, by };
}

/** A property that reads differently at a place. */
export function readAtPlaces(target: object, name: PropertyKey, read: (place: Place) => unknown): Replacement {
  return {
    target,
    name,
    by: ({ get, value, enumerable = false }) => ({
      configurable: true,
      enumerable,
      get(this: object) {
        const place = placeNow();
        if (place !== undefined) return read(place);
        return get === undefined ? value : Reflect.apply(get, this, []);
      },
    }),
  };
}

function guestOf(original: AnyFunction, does: Doing): AnyFunction {
  return new Proxy(original, {
    apply: (_, self, args) => {
      const place = placeNow();
      if (place === undefined) return Reflect.apply(original, self, args);
      return does(place, args, (others = args) => Reflect.apply(original, self, others));
    },
    construct: (_, args, newTarget) => {
      const place = placeNow();
      const real: Real = (others = args) => Reflect.construct(original, others, newTarget);
      return (place === undefined ? real() : does(place, args, real)) as object;
    },
  });
}

/** Puts replacements in place; the returned function takes them away again, the last one first. */
export function replaceAll(replacements: readonly Replacement[]): () => void {
  const undone: (() => void)[] = [];
  for (const { target, name, by } of replacements) {
    const found = descriptorOf(target, name);
    // An older or newer Node may not have it.
    if (found === undefined) continue;
    const own = Object.getOwnPropertyDescriptor(target, name);
    Object.defineProperty(target, name, { ...by(found), configurable: true });
    undone.push(() => {
      if (own === undefined) Reflect.deleteProperty(target, name);
      else Object.defineProperty(target, name, own);
    });
  }
  return () => {
    for (const undo of undone.toReversed()) undo();
  };
}

function descriptorOf(target: object, name: PropertyKey): PropertyDescriptor | undefined {
  for (let at: object | null = target; at !== null; at = Object.getPrototypeOf(at) as object | null) {
    const found = Object.getOwnPropertyDescriptor(at, name);
    if (found !== undefined) return found;
  }
  return undefined;
}
