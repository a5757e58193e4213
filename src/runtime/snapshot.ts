/**
 * A state of an entity as text: what is durable, or what a command left. It is decoded afresh for every
 * command (its draft) and once, frozen, for all queries.
 */
import { invariant, SynodError } from "../errors.ts";
import type { ReadResult } from "../ports/store.ts";
import type { AnyService } from "../service/model.ts";
import { encodeJson } from "../values/json.ts";
import { nameOfEntity } from "./invocation.ts";

export interface Snapshot {
  /** 0: there is no row, and the state is the initial one. */
  readonly version: number;
  /** JSON text in the shape of the code's own state version; null for the initial state. */
  readonly text: string | null;
}

export const absent: Snapshot = { version: 0, text: null };

/** What the store holds, in the shape that this code writes; throws when it cannot be used. */
export function loadSnapshot(service: AnyService, key: string, result: ReadResult): Snapshot {
  if (result.kind === "corrupt") throw result.error;
  invariant(result.kind === "entity", "an entity is read as an entity");
  const { row } = result;
  if (row === null) return absent;
  const state = service.state!;
  if (row.stateVersion === state.version) return { version: row.version, text: row.state };
  if (row.stateVersion > state.version) {
    const name = nameOfEntity(service.interface.name, key);
    throw new SynodError(
      "failed_precondition",
      `the state of ${name} has version ${row.stateVersion}, this code knows ${state.version}: run the newer code`,
    );
  }
  return { version: row.version, text: migratedText(service, key, row.stateVersion, row.state) };
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

const frozenStates = new WeakMap<Snapshot, unknown>();

/** The state for queries: decoded once, and nobody can change it. */
export function frozenOf(service: AnyService, key: string, snapshot: Snapshot): unknown {
  // `absent` is one object for all entities, and the initial state may depend on the key.
  if (snapshot === absent) return freeze(draftOf(service, key, snapshot));
  if (!frozenStates.has(snapshot)) frozenStates.set(snapshot, freeze(draftOf(service, key, snapshot)));
  return frozenStates.get(snapshot);
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
