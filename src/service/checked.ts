/** Schemas of Synod's own services, which need no library of schemas: a check, and what to say when it fails. */
import type { StandardSchemaV1 } from "@standard-schema/spec";

/** A schema of values for which `holds`; `what` completes "is not …". */
export function checked<T>(what: string, holds: (value: unknown) => boolean): StandardSchemaV1<T, T> {
  const validate = (value: unknown): StandardSchemaV1.Result<T> =>
    holds(value) ? { value: value as T } : { issues: [{ message: `is not ${what}` }] };
  return { "~standard": { version: 1, vendor: "synod", validate } };
}
