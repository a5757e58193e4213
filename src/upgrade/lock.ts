/**
 * The lock: what a system promised when it was last released, as a file that is kept with the code. It holds the
 * interfaces with their schemas, what each service calls, and the version and the shape of each state: all that nodes
 * with the old code, stored states and callers go by while the next release comes in.
 */
import { SynodError } from "../errors.ts";
import { describeService } from "../service/description.ts";
import type { AnyService, AnySystem } from "../service/model.ts";
import type { JsonSchema } from "../values/schema-values.ts";
import { type Shape, shapeOf } from "./shape.ts";

/** Null where a schema cannot be said as JSON Schema. */
type LockedSchema = JsonSchema | null;

export interface LockedOperation {
  readonly kind: "query" | "command" | "durable command";
  /** Left out where the operation takes none, or returns none. */
  readonly input?: LockedSchema;
  readonly output?: LockedSchema;
  readonly errors?: Readonly<Record<string, LockedSchema>>;
}

export interface LockedState {
  readonly version: number;
  /** Of the state of a new entity; null where it could not be made without a key of the user's. */
  readonly shape: Shape | null;
}

export interface LockedService {
  /** Left out for a stateless service. */
  readonly key?: LockedSchema;
  readonly calls: readonly string[];
  readonly state?: LockedState;
  readonly operations: Readonly<Record<string, LockedOperation>>;
}

export interface Lock {
  /** Version of this file's format. */
  readonly lockVersion: 1;
  readonly system: string;
  readonly services: Readonly<Record<string, LockedService>>;
}

export function lockOf(system: AnySystem): Lock {
  const services = system.services.map((service) => [service.interface.name, lockedService(service)] as const);
  return { lockVersion: 1, system: system.name, services: Object.fromEntries(services) };
}

/** As it is written to a file: the same lock is always the same text. */
export function formatLock(lock: Lock): string {
  return `${JSON.stringify(lock, undefined, 2)}\n`;
}

/** Reads what {@link formatLock} wrote. Throws `invalid_argument` with the file's name for anything else. */
export function parseLock(text: string, file: string): Lock {
  let read: Partial<Lock> | null;
  try {
    read = JSON.parse(text) as Partial<Lock> | null;
  } catch (cause) {
    throw new SynodError("invalid_argument", `${file} is not JSON: ${String(cause)}`, { cause });
  }
  if (read?.lockVersion === 1 && typeof read.services === "object") return read as Lock;
  const version = read?.lockVersion;
  const known =
    version === undefined ? "is not a lock" : `is a lock of version ${version}, which this Synod cannot read`;
  throw new SynodError("invalid_argument", `${file} ${known}: write one with \`synod check SYSTEM --write\`.`);
}

function lockedService(service: AnyService): LockedService {
  const { keyed, key, operations } = describeService(service);
  return {
    ...(keyed && { key: key ?? null }),
    calls: service.calls.map(({ name }) => name),
    ...(service.state && { state: { version: service.state.version, shape: shapeOf(service.state) } }),
    operations: Object.fromEntries(operations.map((operation) => [operation.name, lockedOperation(operation)])),
  };
}

type Described = ReturnType<typeof describeService>["operations"][number];

function lockedOperation({ kind, durable, hasInput, input, hasOutput, output, errors }: Described): LockedOperation {
  const declared = Object.entries(errors).map(([code, schema]) => [code, schema ?? null] as const);
  return {
    kind: durable ? "durable command" : kind,
    ...(hasInput && { input: input ?? null }),
    ...(hasOutput && { output: output ?? null }),
    ...(declared.length > 0 && { errors: Object.fromEntries(declared) }),
  };
}
