/** Copies of values that may be shared. */

/**
 * The same value in plain objects and arrays of its own; whatever else is in it (a Date, an instance of a class) is left as it is.
 * What it holds in two places, or within itself, its copy does too.
 */
export function ownCopy<Value>(value: Value): Value {
  return isObject(value) ? (copyOf(value, null) as Value) : value;
}

/** Copies by their originals; null until there is more than one, as mostly there is not. */
type Copies = Map<object, object> | null;

function copyOf(original: object, known: Copies): object {
  const prototype: unknown = Object.getPrototypeOf(original);
  if (prototype === Array.prototype) return arrayOf(original as unknown[], known);
  if (prototype === Object.prototype) return objectOf(original, { ...original }, known);
  return prototype === null ? objectOf(original, { __proto__: null, ...original }, known) : original;
}

function arrayOf(original: readonly unknown[], known: Copies): unknown[] {
  const copy = original.slice();
  const copies = known?.set(original, copy) ?? new Map([[original, copy]]);
  for (let index = 0; index < copy.length; index++) {
    const member = copy[index];
    if (isObject(member)) copy[index] = copies.get(member) ?? copyOf(member, copies);
  }
  return copy;
}

/** `copy` has the members of `original`; those that are objects are replaced by copies. */
function objectOf(original: object, copy: Record<string, unknown>, known: Copies): object {
  let copies: Copies = known?.set(original, copy) ?? null;
  for (const name of Object.keys(copy)) {
    const member = copy[name];
    if (!isObject(member)) continue;
    copies ??= new Map<object, object>([[original, copy]]);
    copy[name] = copies.get(member) ?? copyOf(member, copies);
  }
  return copy;
}

function isObject(value: unknown): value is object {
  return typeof value === "object" && value !== null;
}
