/**
 * JSON in and out, strictly.
 *
 * Values travel and rest as JSON text, so whatever JSON would bend on the way (a Date becomes a string, a
 * Map becomes `{}`, NaN becomes null) is refused where it appears, with its path, instead of arriving as
 * something else. What passes `encodeJson` comes out of `decodeJson` equal. The common case costs one
 * cheap walk; only a value that fails it is walked again to find the paths.
 *
 * Runs in browsers too: no `node:` imports.
 */
import { SynodError, type Violation } from "../errors.ts";

/** Containers inside one another, counting the outermost. */
const depthMax = 100;
/** Violations that one error lists; a value with more is no clearer for listing them. */
const violationsMax = 20;

/** What a value is called in messages; where it takes words that are hardly ever needed, something that has them. */
export type Subject = string | { toString(): string };

/**
 * A value as JSON text. `subject` names it in messages ("the state of account alice"); `bytesMax` bounds the
 * text, as UTF-8. Object properties that are undefined are left out; -0 becomes 0.
 */
export function encodeJson(value: unknown, subject: Subject, bytesMax: number = Number.POSITIVE_INFINITY): string {
  if (!isCleanShape(value, 0)) throw notJson(value, subject);
  const text = JSON.stringify(value);
  // JSON.stringify escapes exactly NUL, the other control characters and lone surrogates as \uXXXX.
  if (text.includes("\\u") && !hasCleanStrings(value)) throw notJson(value, subject);
  const bytes = utf8LengthBeyond(text, bytesMax);
  if (bytes > bytesMax) throw tooLarge(subject, bytes, bytesMax);
  return text;
}

/** The value of a JSON text; -0 becomes 0. */
export function decodeJson(text: string, subject: Subject): unknown {
  const value = parse(text, subject);
  const stringsAreClean = (!text.includes("\\u") && text.isWellFormed()) || hasCleanStrings(value);
  if (stringsAreClean && isCleanShape(value, 0)) return withoutNegativeZero(value, text);
  throw notJson(value, subject);
}

/** A path as users read it: `$`, `$.amount`, `$.lines[2]`, `$["two words"]`. */
export function formatPath(segments: readonly PropertyKey[]): string {
  let path = "$";
  for (const segment of segments) {
    if (typeof segment === "number") path += `[${segment}]`;
    else if (/^[A-Za-z_$][\w$]*$/.test(String(segment))) path += `.${String(segment)}`;
    else path += `[${JSON.stringify(String(segment))}]`;
  }
  return path;
}

function parse(text: string, subject: Subject): unknown {
  try {
    return JSON.parse(text);
  } catch (cause) {
    const message = `cannot be read as JSON: ${cause instanceof Error ? cause.message : String(cause)}`;
    const data = { violations: [{ path: "$", message }] };
    throw new SynodError("invalid_argument", `${subject} ${message}`, { data, cause });
  }
}

/** Everything but the contents of strings, which one search in the text settles for nearly all values. */
function isCleanShape(value: unknown, depth: number): boolean {
  switch (typeof value) {
    case "string":
    case "boolean":
      return true;
    case "number":
      return Number.isFinite(value);
    case "object":
      if (value === null) return true;
      if (depth >= depthMax || hasToJson(value)) return false;
      return Array.isArray(value) ? isCleanArray(value, depth + 1) : isCleanObject(value, depth + 1);
    default:
      return false;
  }
}

function isCleanArray(array: readonly unknown[], depth: number): boolean {
  if (Object.getPrototypeOf(array) !== Array.prototype) return false;
  for (let index = 0; index < array.length; index++) if (!isCleanShape(array[index], depth)) return false;
  return true;
}

function isCleanObject(object: object, depth: number): boolean {
  const prototype: unknown = Object.getPrototypeOf(object);
  if (prototype !== Object.prototype && prototype !== null) return false;
  for (const name of Object.keys(object)) {
    if (name === "__proto__") return false;
    const member = (object as Record<string, unknown>)[name];
    if (member !== undefined && !isCleanShape(member, depth)) return false;
  }
  return true;
}

/** A function: data may well have a member of that name. */
function hasToJson(value: object): boolean {
  return typeof (value as { toJSON?: unknown }).toJSON === "function";
}

/** Only for values of a clean shape, which are trees. */
function hasCleanStrings(value: unknown): boolean {
  if (typeof value === "string") return stringFault(value) === undefined;
  if (typeof value !== "object" || value === null) return true;
  if (Array.isArray(value)) return value.every(hasCleanStrings);
  return Object.entries(value).every(([name, member]) => stringFault(name) === undefined && hasCleanStrings(member));
}

function stringFault(text: string): string | undefined {
  if (text.includes("\0")) return "contains a NUL character";
  if (!text.isWellFormed()) return "contains a lone surrogate (half of a character)";
  return undefined;
}

/** The slow walk: every reason why a value is not JSON, with its path. */
function notJson(root: unknown, subject: Subject): SynodError {
  const violations: Violation[] = [];
  const ancestors: unknown[] = [];
  const report = (path: readonly PropertyKey[], message: string) => {
    if (violations.length < violationsMax) violations.push({ path: formatPath(path), message });
  };

  const visit = (value: unknown, path: readonly PropertyKey[]): void => {
    const fault = typeof value === "string" ? stringFault(value) : shapeFault(value, ancestors);
    if (fault !== undefined) report(path, fault);
    else if (typeof value === "object" && value !== null) visitMembers(value, path);
  };
  const visitMembers = (value: object, path: readonly PropertyKey[]): void => {
    if (violations.length >= violationsMax) return;
    ancestors.push(value);
    if (Array.isArray(value)) {
      for (let index = 0; index < value.length; index++) visit(value[index], [...path, index]);
    } else {
      for (const [name, member] of Object.entries(value)) {
        const nameFault = name === "__proto__" ? "is a name that JSON objects may not have here" : stringFault(name);
        if (nameFault !== undefined) report([...path, name], nameFault);
        else if (member !== undefined) visit(member, [...path, name]);
      }
    }
    ancestors.pop();
  };
  visit(root, []);
  const listed = violations.map(({ path, message }) => `${path} ${message}`).join(", ");
  return new SynodError("invalid_argument", `${subject} is not JSON: ${listed}`, { data: { violations } });
}

function shapeFault(value: unknown, ancestors: readonly unknown[]): string | undefined {
  switch (typeof value) {
    case "number":
      return Number.isFinite(value) ? undefined : `is ${value}; JSON numbers are finite`;
    case "bigint":
      return "is a bigint; use a string or a number";
    case "function":
    case "symbol":
    case "undefined":
      return `is ${typeof value === "undefined" ? "undefined" : `a ${typeof value}`}, which JSON does not have`;
    case "object":
      return value === null ? undefined : containerFault(value, ancestors);
    default:
      return undefined;
  }
}

function containerFault(value: object, ancestors: readonly unknown[]): string | undefined {
  if (ancestors.includes(value)) return "refers back to a value that contains it (a cycle)";
  if (ancestors.length >= depthMax) return `is nested deeper than ${depthMax} levels`;
  const prototype: unknown = Object.getPrototypeOf(value);
  const isPlain = prototype === null || prototype === (Array.isArray(value) ? Array.prototype : Object.prototype);
  if (!isPlain) return `is a ${nameOfClass(value)}; only plain objects and arrays are JSON`;
  return hasToJson(value) ? "has a toJSON method, which would change it silently" : undefined;
}

function nameOfClass(value: object): string {
  const made: unknown = value.constructor;
  return (typeof made === "function" && made.name) || "class instance";
}

/**
 * `-0`, `-0.0` and numbers too small such as `-1e-400` are read as negative zero, which would be written as 0.
 * In place: the value was just parsed, nobody else holds it.
 */
function withoutNegativeZero(value: unknown, text: string): unknown {
  if (!text.includes("-") || !/-(?:0|\d[\d.]*[eE]-)/.test(text)) return value;
  return dropNegativeZero(value);
}

function dropNegativeZero(value: unknown): unknown {
  if (value === 0) return 0;
  if (typeof value !== "object" || value === null) return value;
  const members = value as Record<string, unknown>;
  for (const name of Object.keys(members)) members[name] = dropNegativeZero(members[name]);
  return value;
}

/** The UTF-8 length of a text if it can exceed the limit, else a lower bound that does not. */
function utf8LengthBeyond(text: string, bytesMax: number): number {
  // A UTF-16 unit takes one to three bytes of UTF-8.
  if (text.length * 3 <= bytesMax) return text.length;
  return new TextEncoder().encode(text).length;
}

function tooLarge(subject: Subject, bytes: number, bytesMax: number): SynodError {
  const message = `has ${bytes} bytes as JSON, and the limit is ${bytesMax} bytes`;
  const violations: readonly Violation[] = [{ path: "$", message }];
  return new SynodError("invalid_argument", `${subject} ${message}`, { data: { violations, bytes, bytesMax } });
}
