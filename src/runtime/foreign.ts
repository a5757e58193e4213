/**
 * Services that only other members host, because their system file is another version: all that is known here
 * is a name. Their calls are passed on as they are; whoever hosts the service judges them.
 */
import type { StandardSchemaV1 } from "@standard-schema/spec";
import { SynodError } from "../errors.ts";
import type { AnyOperation, AnyService } from "../service/model.ts";
import { isName } from "../values/ids.ts";
import type { Target } from "./invocation.ts";

/** A key of which nothing is known but that it is there. */
const anyKey: StandardSchemaV1<unknown, unknown> = {
  "~standard": { version: 1, vendor: "synod", validate: (value) => ({ value }) },
};

/** It may be a command, so it gets an id and is never repeated without one. */
const anyOperation: AnyOperation = {
  kind: "command",
  durable: false,
  input: undefined,
  output: undefined,
  errors: {},
  description: undefined,
  priority: "normal",
};

export function foreignTarget(name: string, key: string | undefined, operation: string): Target {
  if (!isName(operation)) throw new SynodError("invalid_argument", `${operation} is no name of an operation`);
  const keyed = key !== undefined;
  const service: AnyService = {
    interface: { name, key: keyed ? anyKey : undefined, operations: {} },
    calls: [],
    sends: [],
    state: undefined,
    operations: {},
  };
  return { service, key: key ?? null, name: operation, operation: anyOperation };
}
