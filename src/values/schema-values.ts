/**
 * Values from a JSON Schema: small, ordinary ones, because a system is broken sooner by two deposits that meet than
 * by one strange text. What the schema cannot say is left to whoever validates the value.
 */
import { textsMatching } from "./pattern-values.ts";
import { chance, type Prng, pick } from "./prng.ts";

/** A schema of JSON Schema 2020-12, as an object. */
export type JsonSchema = Record<string, unknown>;

const depthMax = 6;
/** Numbers stay below this unless the schema asks for more. */
const numberMax = 20;
const lengthMax = 3;
const words = ["alpha", "beta", "gamma", "delta", "omega", "", "a b", "ü"];

const formats: Readonly<Record<string, (prng: Prng) => string>> = {
  uuid: (prng) => `00000000-0000-4000-8000-${String(prng.below(1_000)).padStart(12, "0")}`,
  email: (prng) => `user${prng.below(10)}@example.org`,
  date: (prng) => `2026-01-${String(1 + prng.below(28)).padStart(2, "0")}`,
  "date-time": (prng) => `2026-01-${String(1 + prng.below(28)).padStart(2, "0")}T12:00:00Z`,
  time: () => "12:00:00Z",
  uri: (prng) => `https://example.org/${prng.below(10)}`,
  url: (prng) => `https://example.org/${prng.below(10)}`,
  ipv4: (prng) => `192.0.2.${prng.below(256)}`,
  ipv6: (prng) => `2001:db8::${prng.below(1_000)}`,
  cidrv4: (prng) => `192.0.${prng.below(256)}.0/24`,
  cidrv6: (prng) => `2001:db8:${prng.below(1_000)}::/48`,
  duration: (prng) => `PT${1 + prng.below(60)}M`,
  hostname: (prng) => `host${prng.below(10)}.example.org`,
  emoji: (prng) => pick(prng, ["😀", "🎉", "🐟"]),
  jwt: (prng) =>
    `eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9.${btoa(`{"sub":"${prng.below(10)}"}`).replaceAll("=", "")}.c2lnbmVk`,
};

export function generateValue(schema: JsonSchema, prng: Prng, root: JsonSchema = schema, depth: number = 0): unknown {
  const resolved = resolve(schema, root);
  if ("const" in resolved) return resolved.const;
  if (Array.isArray(resolved.enum)) return pick(prng, resolved.enum);
  const among = (resolved.anyOf ?? resolved.oneOf) as readonly JsonSchema[] | undefined;
  // Deep down the last alternative is the one that ends a recursion most often.
  if (among !== undefined)
    return generateValue(depth > depthMax ? among.at(-1)! : pick(prng, among), prng, root, depth + 1);
  if (Array.isArray(resolved.allOf)) {
    const parts = (resolved.allOf as readonly JsonSchema[]).map((part) => resolve(part, root));
    return generateValue(merged([resolved, ...parts]), prng, root, depth + 1);
  }
  const type = Array.isArray(resolved.type) ? pick(prng, resolved.type as readonly string[]) : resolved.type;
  switch (type) {
    case "object":
      return objectFrom(resolved, prng, root, depth);
    case "array":
      return arrayFrom(resolved, prng, root, depth);
    case "string":
      return stringFrom(resolved, prng);
    case "integer":
      return numberFrom(resolved, prng, true);
    case "number":
      return numberFrom(resolved, prng, false);
    case "boolean":
      return prng.below(2) === 1;
    case "null":
      return null;
    default:
      return pick(prng, [prng.below(numberMax), pick(prng, words), null, true]);
  }
}

function resolve(schema: JsonSchema, root: JsonSchema): JsonSchema {
  const reference = schema.$ref;
  if (typeof reference !== "string" || !reference.startsWith("#")) return schema;
  let found: unknown = root;
  for (const part of reference.slice(1).split("/").filter(Boolean)) found = (found as JsonSchema | undefined)?.[part];
  return (found as JsonSchema | undefined) ?? {};
}

function merged(parts: readonly JsonSchema[]): JsonSchema {
  const whole: JsonSchema = {};
  for (const { allOf: _, ...part } of parts) {
    Object.assign(whole, part, {
      properties: { ...(whole.properties as object), ...(part.properties as object) },
      required: [...((whole.required as string[]) ?? []), ...((part.required as string[]) ?? [])],
    });
  }
  return whole;
}

function objectFrom(schema: JsonSchema, prng: Prng, root: JsonSchema, depth: number): unknown {
  const required = new Set((schema.required as readonly string[] | undefined) ?? []);
  const made: Record<string, unknown> = {};
  for (const [name, part] of Object.entries((schema.properties as Record<string, JsonSchema> | undefined) ?? {})) {
    if (required.has(name) || (depth < depthMax && chance(prng, 0.5)))
      made[name] = generateValue(part, prng, root, depth + 1);
  }
  // The names of a record come from a schema too; those it needs are required without being properties.
  const others = schema.additionalProperties;
  if (typeof others !== "object" || others === null) return made;
  for (const name of required) {
    if (!Object.hasOwn(made, name)) made[name] = generateValue(others as JsonSchema, prng, root, depth + 1);
  }
  if (depth >= depthMax) return made;
  for (let count = prng.below(lengthMax + 1); count > 0; count--) {
    const name = generateValue((schema.propertyNames as JsonSchema | undefined) ?? { type: "string" }, prng, root);
    if (typeof name !== "string" || Object.hasOwn(made, name)) continue;
    made[name] = generateValue(others as JsonSchema, prng, root, depth + 1);
  }
  return made;
}

function arrayFrom(schema: JsonSchema, prng: Prng, root: JsonSchema, depth: number): unknown {
  const fixed = (schema.prefixItems as readonly JsonSchema[] | undefined) ?? [];
  const first = fixed.map((item) => generateValue(item, prng, root, depth + 1));
  if (fixed.length > 0 && (schema.items === undefined || schema.items === false)) return first;
  const least = (schema.minItems as number | undefined) ?? 0;
  const most = Math.min((schema.maxItems as number | undefined) ?? Number.POSITIVE_INFINITY, least + lengthMax);
  const length = depth > depthMax ? least : least + prng.below(most - least + 1);
  const items = (schema.items as JsonSchema | undefined) ?? {};
  const made = Array.from({ length }, () => generateValue(items, prng, root, depth + 1));
  return [...first, ...made];
}

function stringFrom(schema: JsonSchema, prng: Prng): string {
  const { pattern } = schema;
  const made = formats[String(schema.format)]?.(prng);
  if (made !== undefined && (typeof pattern !== "string" || matches(pattern, made))) return made;
  if (typeof pattern === "string") {
    const text = textsMatching(pattern)?.(prng);
    if (text !== undefined) return text;
  }
  const least = (schema.minLength as number | undefined) ?? 0;
  const most = (schema.maxLength as number | undefined) ?? Number.POSITIVE_INFINITY;
  return pick(prng, words).padEnd(least, "x").slice(0, most);
}

/** JSON Schema has no flags, and zod's patterns for emoji need this one. */
function matches(pattern: string, text: string): boolean {
  try {
    return new RegExp(pattern, "u").test(text);
  } catch {
    return new RegExp(pattern).test(text);
  }
}

function numberFrom(schema: JsonSchema, prng: Prng, whole: boolean): number {
  const step = (schema.multipleOf as number | undefined) ?? (whole ? 1 : 0.5);
  const above = schema.exclusiveMinimum as number | undefined;
  const below = schema.exclusiveMaximum as number | undefined;
  const given = (schema.minimum as number | undefined) ?? (above === undefined ? undefined : above + step);
  const end = (schema.maximum as number | undefined) ?? (below === undefined ? Number.POSITIVE_INFINITY : below - step);
  // From 0 unless the schema has nothing there.
  const lowest = end < 0 ? end - numberMax : 0;
  const least = given === undefined || given < -numberMax ? lowest : given;
  const most = Math.max(least, Math.min(end, least + numberMax));
  const steps = Math.floor((most - least) / step);
  return Math.ceil(least / step) * step + step * prng.below(steps + 1);
}
