/**
 * Schemas in an OpenAPI document. Each user's schema is a document of its own, whose references count from
 * its own root; inside another document they would point elsewhere. So every schema moves to
 * `#/components/schemas/NAME`, and its references are rewritten to follow it.
 */
import type { JsonSchema } from "../../ports/gateway.ts";

/** Keywords whose values are data, in which nothing is a reference. */
const dataKeywords: ReadonlySet<string> = new Set(["const", "enum", "default", "examples", "example"]);
/** Keywords whose values are maps from names to schemas, so that their keys are no keywords. */
const mapKeywords: ReadonlySet<string> = new Set([
  "properties",
  "patternProperties",
  "$defs",
  "definitions",
  "dependentSchemas",
]);

/** The schemas of one document, by name. */
export class SchemaComponents {
  readonly all: Record<string, JsonSchema> = {};

  /** Moves a schema in and gives the reference to it. A schema that nobody can say admits everything. */
  add(name: string, schema: JsonSchema | undefined): JsonSchema {
    if (schema === undefined) return {};
    const component = componentName(name);
    const { $schema: _dialect, ...rest } = schema;
    // With an id of its own a schema stays the root of its references.
    this.all[component] = Object.hasOwn(rest, "$id") ? rest : rebaseMap(rest, `#/components/schemas/${component}`);
    return referenceTo(component);
  }

  /** Puts a schema in that refers to other components already. */
  put(name: string, schema: JsonSchema): void {
    this.all[componentName(name)] = schema;
  }
}

/** A reference to a component by its name. */
export function referenceTo(name: string): JsonSchema {
  return { $ref: `#/components/schemas/${componentName(name)}` };
}

/** Component names take letters, digits, dot, dash and underscore. */
function componentName(name: string): string {
  return name.replace(/[^\w.-]/g, "_");
}

function rebase(value: unknown, root: string): unknown {
  if (Array.isArray(value)) return value.map((element) => rebase(element, root));
  if (typeof value !== "object" || value === null || Object.hasOwn(value, "$id")) return value;
  return rebaseMap(value, root);
}

function rebaseMap(schema: object, root: string): JsonSchema {
  return mapValues(schema, (value, keyword) => {
    if (dataKeywords.has(keyword)) return value;
    if (keyword === "$ref" && typeof value === "string") return value.startsWith("#") ? root + value.slice(1) : value;
    if (mapKeywords.has(keyword) && typeof value === "object" && value !== null) {
      return mapValues(value, (member) => rebase(member, root));
    }
    return rebase(value, root);
  });
}

function mapValues(object: object, change: (value: unknown, key: string) => unknown): JsonSchema {
  return Object.fromEntries(Object.entries(object).map(([key, value]) => [key, change(value, key)]));
}
