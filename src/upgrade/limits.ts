/** The limits that a JSON Schema sets to a value, and whether a given value keeps them. */
import { isDeepStrictEqual } from "node:util";
import type { JsonSchema } from "../values/schema-values.ts";

/** Keywords by which more is refused the higher their number is, and those by which less is. */
const lowerLimits: readonly string[] = ["minimum", "exclusiveMinimum", "minLength", "minItems", "minProperties"];
const upperLimits: readonly string[] = ["maximum", "exclusiveMaximum", "maxLength", "maxItems", "maxProperties"];
/** Keywords that mean the same only if they are the same. */
const exactLimits: readonly string[] = ["pattern", "format", "propertyNames"];

/** The limits that `later` sets and `earlier` does not, in words. */
export function limitRefusals(earlier: JsonSchema, later: JsonSchema): readonly string[] {
  if (earlier.const !== undefined || earlier.enum !== undefined) return [];
  return [
    ...lowerLimits.filter((limit) => tighter(earlier, later, limit, (was, is) => is > was)),
    ...upperLimits.filter((limit) => tighter(earlier, later, limit, (was, is) => is < was)),
    ...exactLimits.filter((limit) => later[limit] !== undefined && !isDeepStrictEqual(earlier[limit], later[limit])),
    ...(isNumber(later.multipleOf) && !isMultiple(earlier.multipleOf, later.multipleOf) ? ["multipleOf"] : []),
    ...(later.uniqueItems === true && earlier.uniqueItems !== true ? ["uniqueItems"] : []),
  ].map((limit) => inWords(limit, earlier[limit], later[limit]));
}

function tighter(
  earlier: JsonSchema,
  later: JsonSchema,
  limit: string,
  isTighter: (was: number, is: number) => boolean,
): boolean {
  const is = later[limit];
  if (!isNumber(is)) return false;
  const was = earlier[limit] ?? otherForm(earlier, limit, is);
  return !isNumber(was) || isTighter(was, is);
}

/** A limit said in its other form: what keeps `exclusiveMinimum: 5` or `minimum: 6` keeps `minimum: 5` as well. */
function otherForm(earlier: JsonSchema, limit: string, is: number): number | undefined {
  const { exclusiveMinimum, exclusiveMaximum, minimum, maximum } = earlier;
  if (limit === "minimum" && isNumber(exclusiveMinimum)) return exclusiveMinimum;
  if (limit === "maximum" && isNumber(exclusiveMaximum)) return exclusiveMaximum;
  if (limit === "exclusiveMinimum" && isNumber(minimum) && minimum > is) return minimum;
  if (limit === "exclusiveMaximum" && isNumber(maximum) && maximum < is) return maximum;
  return undefined;
}

function inWords(limit: string, was: unknown, is: unknown): string {
  const before = was === undefined ? "there was none" : `it was ${JSON.stringify(was)}`;
  return `${limit} is ${JSON.stringify(is)}, ${before}`;
}

function isMultiple(was: unknown, is: number): boolean {
  return isNumber(was) && Number.isInteger(was / is);
}

function isNumber(value: unknown): value is number {
  return typeof value === "number";
}

/** Whether a schema admits one value that another schema lists, as far as types, listed values and limits say. */
export function admits(schema: JsonSchema, value: unknown): boolean {
  if (Object.hasOwn(schema, "const")) return isDeepStrictEqual(schema.const, value);
  if (Array.isArray(schema.enum)) return schema.enum.some((one) => isDeepStrictEqual(one, value));
  const types = typeof schema.type === "string" ? [schema.type] : schema.type;
  if (Array.isArray(types) && !types.some((type) => isOfType(value, type))) return false;
  if (typeof value === "string") return stringFits(schema, value);
  return typeof value !== "number" || numberFits(schema, value);
}

function isOfType(value: unknown, type: string): boolean {
  if (type === "null") return value === null;
  if (type === "array") return Array.isArray(value);
  if (type === "object") return typeof value === "object" && value !== null && !Array.isArray(value);
  if (type === "integer") return Number.isInteger(value);
  return typeof value === type;
}

function stringFits({ minLength, maxLength, pattern }: JsonSchema, value: string): boolean {
  const length = [...value].length;
  if (isNumber(minLength) && length < minLength) return false;
  if (isNumber(maxLength) && length > maxLength) return false;
  return typeof pattern !== "string" || new RegExp(pattern, "u").test(value);
}

function numberFits(schema: JsonSchema, value: number): boolean {
  const { minimum, maximum, exclusiveMinimum, exclusiveMaximum, multipleOf } = schema;
  if (isNumber(minimum) && value < minimum) return false;
  if (isNumber(maximum) && value > maximum) return false;
  if (isNumber(exclusiveMinimum) && value <= exclusiveMinimum) return false;
  if (isNumber(exclusiveMaximum) && value >= exclusiveMaximum) return false;
  return !isNumber(multipleOf) || Number.isInteger(value / multipleOf);
}
