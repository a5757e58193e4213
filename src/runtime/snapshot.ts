/**
 * A state of an entity as text: what is durable, or what a command left. It is decoded afresh for every
 * command (its draft) and once, frozen, for all queries.
 */
import { invariant, SynodError } from "../errors.ts";
import type { ReadResult } from "../ports/store.ts";
import type { AnyService } from "../service/model.ts";
import { encodeJson } from "../values/json.ts";
import { nameOfEntity } from "./invocation.ts";

/**
 * What a decoded value takes in bytes for each character of its text: measured with objects of a few numbers and short
 * strings, 4 to 8; long strings take less.
 */
const decodedBytesPerCharacter = 6;

export class Snapshot {
  /** 0: there is no row, and the state is the initial one. */
  readonly version: number;
  /** JSON text in the shape of the code's own state version; null for the initial state. */
  readonly text: string | null;
  /** For queries, once there was one: JSON has no undefined. */
  #frozen: unknown;

  constructor(version: number, text: string | null) {
    this.version = version;
    this.text = text;
  }

  /** Bytes of memory that the state takes, in about. */
  get bytes(): number {
    const length = this.text?.length ?? 0;
    return this.#frozen === undefined ? length : length * (1 + decodedBytesPerCharacter);
  }

  /** The state for queries: decoded once, and nobody can change it. */
  frozen(service: AnyService, key: string): unknown {
    // `absent` is one object for all entities, and the initial state may depend on the key.
    if (this === absent) return freeze(draftOf(service, key, this));
    this.#frozen ??= freeze(draftOf(service, key, this));
    return this.#frozen;
  }
}

export const absent: Snapshot = new Snapshot(0, null);

/** What the store holds, in the shape that this code writes; throws when it cannot be used. */
export function loadSnapshot(service: AnyService, key: string, result: ReadResult): Snapshot {
  if (result.kind === "corrupt") throw result.error;
  invariant(result.kind === "entity", "an entity is read as an entity");
  const { row } = result;
  if (row === null) return absent;
  const state = service.state!;
  if (row.stateVersion === state.version) return new Snapshot(row.version, row.state);
  if (row.stateVersion > state.version) {
    const name = nameOfEntity(service.interface.name, key);
    throw new SynodError(
      "failed_precondition",
      `the state of ${name} has version ${row.stateVersion}, this code knows ${state.version}: run the newer code`,
    );
  }
  return new Snapshot(row.version, migratedText(service, key, row.stateVersion, row.state));
}

/** A state that was written in version `from`, in the shape that this code writes. */
export function migratedText(service: AnyService, key: string, from: number, text: string): string {
  const state = service.state!;
  const name = nameOfEntity(service.interface.name, key);
  let migrated = text;
  for (let version = from; version < state.version; version++) {
    const step = state.migrate[version];
    if (step === undefined) {
      throw new SynodError("failed_precondition", `no migration leads from version ${version} of the state of ${name}`);
    }
    try {
      migrated = encodeJson(step(JSON.parse(migrated)), "the migrated state");
    } catch (error) {
      throw new SynodError("internal", `the migration of ${name} from version ${version} failed`, { cause: error });
    }
  }
  return migrated;
}

/** A copy of the state that its holder may change. The initial one too: `initial` may return one shared object. */
export function draftOf(service: AnyService, key: string, { text }: Snapshot): unknown {
  return JSON.parse(text ?? initialText(service, key));
}

export function initialText(service: AnyService, key: string): string {
  const name = nameOfEntity(service.interface.name, key);
  return encodeJson(service.state!.initial(key), `the initial state of ${name}`);
}

function freeze(value: unknown): unknown {
  if (typeof value !== "object" || value === null) return value;
  for (const part of Object.values(value)) freeze(part);
  return Object.freeze(value);
}
