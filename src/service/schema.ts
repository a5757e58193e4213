/**
 * The users' schemas: any library that speaks Standard Schema (https://standardschema.dev) will do. Synod
 * asks them two things only: is this value valid, and what are you in JSON Schema.
 */
import type { StandardJSONSchemaV1, StandardSchemaV1 } from "@standard-schema/spec";
import { type StatusCode, SynodError, type Violation } from "../errors.ts";
import type { JsonSchema } from "../ports/gateway.ts";
import { formatPath, type Subject } from "../values/json.ts";
import type { Schema } from "./model.ts";

/** Violations that one error lists. */
const violationsMax = 100;

/**
 * The value as the schema returns it, or an error that lists every violation with its path. `code` says whose
 * fault an invalid value is: `invalid_argument` the caller's, `internal` the service's (a reply).
 */
export function validate<Output>(
  schema: StandardSchemaV1<unknown, Output>,
  value: unknown,
  subject: Subject,
  code: StatusCode = "invalid_argument",
): Output {
  const result = answerOf(schema, value, subject);
  if (result.issues === undefined) return result.value;
  const violations = result.issues.slice(0, violationsMax).map(violationOf);
  const listed = violations.map(({ path, message }) => `${path}: ${message}`).join("; ");
  throw new SynodError(code, `${subject} does not fit its schema: ${listed}`, { data: { violations } });
}

/**
 * The schema in JSON Schema, draft 2020-12: of what it takes (`input`) or of what it returns (`output`).
 * Undefined where the library cannot say it, or this schema cannot be said.
 */
export function jsonSchema(schema: Schema, direction: "input" | "output"): JsonSchema | undefined {
  const standard: Schema["~standard"] & Partial<StandardJSONSchemaV1.Props> = schema["~standard"];
  try {
    const { $schema: _, ...described } = standard.jsonSchema?.[direction]({ target: "draft-2020-12" }) ?? {};
    return standard.jsonSchema === undefined ? undefined : described;
  } catch {
    return undefined; // The standard has libraries throw at what JSON Schema cannot express, such as transforms.
  }
}

/** Whether a value is a schema at all. */
export function isSchema(value: unknown): value is Schema {
  if (value === null || (typeof value !== "object" && typeof value !== "function")) return false;
  const standard = (value as Partial<Schema>)["~standard"];
  return typeof standard === "object" && typeof standard?.validate === "function";
}

function answerOf<Output>(
  schema: StandardSchemaV1<unknown, Output>,
  value: unknown,
  subject: Subject,
): StandardSchemaV1.Result<Output> {
  let result: ReturnType<(typeof schema)["~standard"]["validate"]>;
  try {
    result = schema["~standard"].validate(value);
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message : String(cause);
    throw new SynodError("internal", `the schema of ${subject} threw: ${reason}`, { cause });
  }
  if (!("then" in result)) return result;
  result.then(undefined, () => {}); // Nobody reads this answer.
  throw new SynodError(
    "internal",
    `the schema of ${subject} answers with a promise; schemas must answer at once, so look things up in the handler instead`,
  );
}

function violationOf(issue: StandardSchemaV1.Issue): Violation {
  const segments = (issue.path ?? []).map((segment) => (typeof segment === "object" ? segment.key : segment));
  return { path: formatPath(segments), message: issue.message };
}
