/**
 * Which values that one JSON Schema admits another one refuses. An upgrade is harmless where the answer is "none":
 * nodes and callers with the old code and with the new one talk to each other while it goes on.
 *
 * It judges the keywords that schema libraries write (2020-12: https://json-schema.org/draft/2020-12). Where it cannot
 * tell, because a keyword that it does not judge has changed, it says so and counts that as a refusal: a wrong warning
 * costs a look, a wrong silence an outage.
 */
import { isDeepStrictEqual } from "node:util";
import type { JsonSchema } from "../values/schema-values.ts";
import { admits, limitRefusals } from "./limits.ts";

/** One reason: where in the value, as a path such as `.lines[].amount` (empty: the value itself), and what. */
export interface Refusal {
  readonly path: string;
  /** What the later schema asks for that the earlier one did not, such as `maximum is 1000, it was 5000`. */
  readonly what: string;
}

/** How schemas that refuse members that they do not list are taken. */
export interface Reading {
  /** Members that a schema does not list are passed over by whoever reads the value, whatever the schema says. */
  readonly extraMembers: "passed-over" | "as-written";
}

/** The reasons for which a value that `earlier` admits may be refused by `later`. Empty: there are none. */
export function refusals(earlier: JsonSchema, later: JsonSchema, reading: Reading): readonly Refusal[] {
  return new Comparison(earlier, later, reading).refusals(earlier, later, "");
}

/** Keywords that say something to people and nothing about values. */
const annotations: ReadonlySet<string> = new Set(
  "$schema $id $defs definitions $comment title description examples default deprecated readOnly writeOnly".split(" "),
);

/** Keywords whose meaning is judged below or among the limits; any other one counts as written. */
const judged: ReadonlySet<string> = new Set(
  (
    "$ref type enum const anyOf oneOf allOf properties required additionalProperties propertyNames items prefixItems " +
    "minimum exclusiveMinimum maximum exclusiveMaximum multipleOf minLength maxLength pattern format minItems maxItems " +
    "uniqueItems minProperties maxProperties"
  ).split(" "),
);

/** One and the same each time, so that a pair with it is known again. */
const anything: JsonSchema = {};

class Comparison {
  readonly #earlierRoot: JsonSchema;
  readonly #laterRoot: JsonSchema;
  readonly #reading: Reading;
  /** The pairs of schemas that are being compared further out: a recursive schema comes back to one of them. */
  readonly #open: (readonly [JsonSchema, JsonSchema])[] = [];

  constructor(earlierRoot: JsonSchema, laterRoot: JsonSchema, reading: Reading) {
    this.#earlierRoot = earlierRoot;
    this.#laterRoot = laterRoot;
    this.#reading = reading;
  }

  refusals(earlierAsWritten: unknown, laterAsWritten: unknown, path: string): readonly Refusal[] {
    const earlier = resolved(earlierAsWritten, this.#earlierRoot);
    const later = resolved(laterAsWritten, this.#laterRoot);
    if (earlier === false || later === true) return [];
    if (later === false) return [{ path, what: "is refused" }];
    const from = earlier === true ? anything : earlier;
    if (this.#open.some(([a, b]) => a === from && b === later)) return [];
    this.#open.push([from, later]);
    try {
      return this.#refusalsOf(from, later, path);
    } finally {
      this.#open.pop();
    }
  }

  #refusalsOf(earlier: JsonSchema, later: JsonSchema, path: string): readonly Refusal[] {
    const alternatives = alternativesOf(earlier);
    if (alternatives !== undefined) return unique(alternatives.flatMap((one) => this.refusals(one, later, path)));
    const wanted = alternativesOf(later);
    if (wanted !== undefined) return this.#refusalsOfAll(earlier, wanted, path);
    if (Array.isArray(later.allOf)) {
      const { allOf, ...rest } = later;
      return unique([...allOf, rest].flatMap((one) => this.refusals(earlier, one, path)));
    }
    if (Array.isArray(earlier.allOf)) return this.refusals(merged(earlier), later, path);
    return [
      ...valueRefusals(earlier, later, path),
      ...limitRefusals(earlier, later).map((what) => ({ path, what })),
      ...this.#memberRefusals(earlier, later, path),
      ...this.#elementRefusals(earlier, later, path),
      ...unjudged(earlier, later, path),
    ];
  }

  /** One alternative that admits everything is enough; otherwise the reasons of the one that comes nearest. */
  #refusalsOfAll(earlier: JsonSchema, wanted: readonly unknown[], path: string): readonly Refusal[] {
    const listed = valuesOf(earlier);
    if (listed !== undefined && listed.length > 1) {
      return unique(listed.flatMap((value) => this.refusals({ const: value }, { anyOf: wanted }, path)));
    }
    const types = typesOf(earlier);
    if (types !== undefined && types.length > 1) {
      return unique(types.flatMap((type) => this.refusals({ ...earlier, type }, { anyOf: wanted }, path)));
    }
    let nearest: readonly Refusal[] | undefined;
    for (const one of wanted) {
      const found = this.refusals(earlier, one, path);
      if (found.length === 0) return [];
      if (nearest === undefined || found.length < nearest.length) nearest = found;
    }
    return nearest ?? [{ path, what: "is refused" }];
  }

  #memberRefusals(earlier: JsonSchema, later: JsonSchema, path: string): readonly Refusal[] {
    if (!mayBe(earlier, "object")) return [];
    const before = membersOf(earlier);
    const found: Refusal[] = [];
    const required = namesOf(later.required).filter((name) => !namesOf(earlier.required).includes(name));
    for (const name of required) found.push({ path: member(path, name), what: "has to be there" });
    for (const [name, schema] of Object.entries(membersOf(later))) {
      const own = Object.hasOwn(before, name) ? before[name] : rest(earlier);
      // What an earlier writer never put there cannot be refused.
      if (own === undefined) continue;
      found.push(...this.refusals(own, schema, member(path, name)));
    }
    for (const [name, schema] of Object.entries(before)) {
      if (Object.hasOwn(membersOf(later), name) || !isSchemaObject(later)) continue;
      found.push(...this.#extraMember(schema, later, member(path, name)));
    }
    if (rest(earlier) !== undefined) found.push(...this.#extraMember(rest(earlier), later, `${path}{}`));
    return found;
  }

  /** A member that the later schema does not list by its name. */
  #extraMember(schema: unknown, later: JsonSchema, path: string): readonly Refusal[] {
    const extra = later.additionalProperties;
    if (extra === undefined || extra === true) return [];
    if (extra !== false) return this.refusals(schema, extra, path);
    return this.#reading.extraMembers === "passed-over" ? [] : [{ path, what: "is not known" }];
  }

  #elementRefusals(earlier: JsonSchema, later: JsonSchema, path: string): readonly Refusal[] {
    if (!mayBe(earlier, "array")) return [];
    const before = Array.isArray(earlier.prefixItems) ? earlier.prefixItems : [];
    const after = Array.isArray(later.prefixItems) ? later.prefixItems : [];
    const found: Refusal[] = [];
    for (let index = 0; index < Math.max(before.length, after.length); index++) {
      const from = before[index] ?? earlier.items ?? true;
      const to = after[index] ?? later.items ?? true;
      found.push(...this.refusals(from, to, `${path}[${index}]`));
    }
    return [...found, ...this.refusals(earlier.items ?? true, later.items ?? true, `${path}[]`)];
  }
}

/** What a value may be: its type, and the values to which it is confined. */
function valueRefusals(earlier: JsonSchema, later: JsonSchema, path: string): readonly Refusal[] {
  const before = valuesOf(earlier);
  if (before !== undefined) {
    const gone = before.filter((value) => !admits(later, value));
    return gone.map((value) => ({ path, what: `${JSON.stringify(value)} is refused` }));
  }
  const after = valuesOf(later);
  if (after !== undefined) return [{ path, what: `only ${after.map((value) => JSON.stringify(value)).join(", ")}` }];
  const wanted = typesOf(later);
  if (wanted === undefined) return [];
  const types = typesOf(earlier);
  if (types === undefined) return [{ path, what: `has to be ${wanted.join(" or ")}` }];
  const refused = types.filter((type) => !wanted.includes(type) && !(type === "integer" && wanted.includes("number")));
  return refused.map((type) => ({ path, what: `is ${wanted.join(" or ")}, it was ${type}` }));
}

function unjudged(earlier: JsonSchema, later: JsonSchema, path: string): readonly Refusal[] {
  return Object.keys(later)
    .filter((keyword) => !judged.has(keyword) && !annotations.has(keyword) && !keyword.startsWith("x-"))
    .filter((keyword) => !isDeepStrictEqual(earlier[keyword], later[keyword]))
    .map((keyword) => ({ path, what: `\`${keyword}\` has changed, which cannot be judged` }));
}

function alternativesOf(schema: JsonSchema): readonly unknown[] | undefined {
  const { anyOf, oneOf } = schema;
  const listed = Array.isArray(anyOf) ? anyOf : Array.isArray(oneOf) ? oneOf : undefined;
  if (listed === undefined) return undefined;
  const { anyOf: _anyOf, oneOf: _oneOf, ...rest } = schema;
  const own = Object.keys(rest).filter((keyword) => !annotations.has(keyword));
  return own.length === 0 ? listed : listed.map((one) => ({ allOf: [one, rest] }));
}

/**
 * An `allOf` read as one schema. Where two parts say something of the same, one of them stands for both: that admits more
 * values than there are, so at worst a refusal too many is found.
 */
function merged(schema: JsonSchema): JsonSchema {
  const { allOf, ...rest } = schema;
  const parts = [...(allOf as JsonSchema[]), rest];
  return {
    ...Object.assign({}, ...parts),
    properties: Object.assign({}, ...parts.map(membersOf)),
    required: parts.flatMap((part) => namesOf(part.required)),
  };
}

function resolved(schema: unknown, root: JsonSchema): JsonSchema | boolean {
  let found = schema;
  for (let hops = 0; hops < referenceHopsMax; hops++) {
    if (typeof found === "boolean") return found;
    if (typeof found !== "object" || found === null) return true;
    const { $ref } = found as JsonSchema;
    if (typeof $ref !== "string") return found as JsonSchema;
    found = pointedAt($ref, root);
  }
  return true;
}

/** Longer chains of references are circles. */
const referenceHopsMax = 32;

function pointedAt(reference: string, root: JsonSchema): unknown {
  const steps = reference.replace(/^#\/?/, "").split("/").filter(Boolean);
  let found: unknown = root;
  for (const step of steps) {
    const name = step.replaceAll("~1", "/").replaceAll("~0", "~");
    if (typeof found !== "object" || found === null || !Object.hasOwn(found, name)) return true;
    found = (found as JsonSchema)[name];
  }
  return found;
}

function valuesOf(schema: JsonSchema): readonly unknown[] | undefined {
  if (Object.hasOwn(schema, "const")) return [schema.const];
  return Array.isArray(schema.enum) ? schema.enum : undefined;
}

function typesOf(schema: JsonSchema): readonly string[] | undefined {
  if (typeof schema.type === "string") return [schema.type];
  return Array.isArray(schema.type) ? schema.type : undefined;
}

function mayBe(schema: JsonSchema, type: string): boolean {
  return valuesOf(schema) === undefined && (typesOf(schema)?.includes(type) ?? true);
}

function isSchemaObject(schema: JsonSchema): boolean {
  return typesOf(schema)?.includes("object") ?? true;
}

function membersOf(schema: JsonSchema): JsonSchema {
  return typeof schema.properties === "object" && schema.properties !== null ? (schema.properties as JsonSchema) : {};
}

/** What a schema says of the members that it does not list: undefined where nobody who goes by it writes any. */
function rest(schema: JsonSchema): unknown {
  const extra = schema.additionalProperties;
  return extra === undefined || extra === false || extra === true ? undefined : extra;
}

function namesOf(required: unknown): readonly string[] {
  return Array.isArray(required) ? required : [];
}

function member(path: string, name: string): string {
  return /^[\w$]+$/.test(name) ? `${path}.${name}` : `${path}[${JSON.stringify(name)}]`;
}

function unique(found: readonly Refusal[]): readonly Refusal[] {
  const seen = new Map(found.map((refusal) => [`${refusal.path} ${refusal.what}`, refusal]));
  return [...seen.values()];
}
