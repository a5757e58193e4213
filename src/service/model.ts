/**
 * What the runtime knows of a system: the user's definitions without their types. `interface.ts`,
 * `implement.ts` and `system.ts` build these values and give them the types that users see.
 */
import type { StandardSchemaV1 } from "@standard-schema/spec";
import type { InboundAdapter } from "../ports/gateway.ts";
import type { Priority } from "../values/priority.ts";
import type { AvailabilityTargets } from "./availability.ts";
import type { SystemSettings } from "./settings.ts";

export type Schema = StandardSchemaV1<unknown, unknown>;

/** `query` reads and is safe to repeat; `command` may change state. */
export type OperationKind = "query" | "command";

export interface AnyOperation {
  readonly kind: OperationKind;
  /** Once accepted, it is repeated until it is done. Only commands of keyed services are. */
  readonly durable: boolean;
  readonly input: Schema | undefined;
  readonly output: Schema | undefined;
  /** Declared errors by name, with the schema of their data. */
  readonly errors: Readonly<Record<string, Schema>>;
  readonly description: string | undefined;
  /** What goes first when a node has more to do than it can do. */
  readonly priority: Priority;
}

export interface AnyInterface {
  readonly name: string;
  /** Schema of the key; undefined for a stateless service. */
  readonly key: Schema | undefined;
  readonly operations: Readonly<Record<string, AnyOperation>>;
}

export interface AnyState {
  /** Version of the shape that this code writes; 1 or more. */
  readonly version: number;
  /** The state of an entity that has no row. */
  readonly initial: (key: string) => unknown;
  /** `migrate[n]` turns state of version n into state of version n + 1. */
  readonly migrate: Readonly<Record<number, (old: unknown) => unknown>>;
}

/** A handler: it gets the context of its operation and its decoded, validated input. */
export type AnyHandler = (context: unknown, input: unknown) => unknown;

export interface AnyService {
  readonly interface: AnyInterface;
  /** The interfaces that the service calls and waits for. */
  readonly calls: readonly AnyInterface[];
  /** The interfaces that the service sends to, without waiting. */
  readonly sends: readonly AnyInterface[];
  /** Present exactly for keyed services. */
  readonly state: AnyState | undefined;
  readonly operations: Readonly<Record<string, AnyHandler>>;
}

export interface AnySystem {
  readonly name: string;
  readonly services: readonly AnyService[];
  readonly adapters: readonly InboundAdapter[];
  /** What the system file says of where and how its nodes run. */
  readonly settings?: SystemSettings;
  /** What is promised of its availability; undefined when nothing is. */
  readonly availability?: AvailabilityTargets | undefined;
}
