/** The state of a keyed service: its shape's version, its beginning, and the way up from older versions. */
import { SynodError } from "../errors.ts";
import { encodeJson } from "../values/json.ts";
import { checkMembers, definitionError } from "./definition.ts";
import type { AnyState } from "./model.ts";

/** How a service defines its state. */
export interface StateDefinition<Key, State> {
  /** Version of the state's shape: 1 at first, one more whenever it changes. */
  readonly version: number;
  /** The state of an entity that has never changed. Its type is the type of the state. */
  readonly initial: (key: Key) => State;
  /** `migrate[n]` turns state of version n into state of version n + 1, for every version before this one. */
  readonly migrate?: Readonly<Record<number, Migration>>;
}

/** Takes what version n was, which only its author knows: hence a parameter that users may annotate. */
type Migration = { from(old: unknown): unknown }["from"];

/**
 * What a state adds to the definition's type: nothing if it is JSON, else a member that no state can have, whose
 * type says where it is not. The cheap question comes first; only states that fail it are searched for the path.
 */
export type StateIsJson<State> = [State] extends [AsJson<State>]
  ? unknown
  : { readonly state: { readonly initial: JsonFault<State, "state", []> } };

type Primitive = string | number | boolean | null;

/** The type itself if it is JSON, and otherwise one to which it cannot be assigned. */
type AsJson<T> = unknown extends T
  ? T
  : T extends Primitive
    ? T
    : T extends NotJson
      ? never
      : T extends readonly unknown[]
        ? { [Index in keyof T]: AsJson<T[Index]> }
        : { [Name in keyof T]: AsJsonMember<T[Name]> };

/** Members that are undefined are left out, so they may be. */
type AsJsonMember<T> = T extends undefined ? T : AsJson<T>;

type NotJson = ((...never: never[]) => unknown) | bigint | symbol | undefined | Date | Kept;
type Kept = ReadonlyMap<unknown, unknown> | ReadonlySet<unknown>;

/** How many levels are searched for the path; deeper faults are told without it. */
type SearchDepth = 8;

type JsonFault<T, Path extends string, Depth extends unknown[]> = unknown extends T
  ? never
  : T extends Primitive
    ? never
    : T extends NotJson
      ? `${Path} is ${NameOf<T>}, which JSON does not have`
      : Depth["length"] extends SearchDepth
        ? `${Path} contains something that JSON does not have`
        : T extends readonly (infer Element)[]
          ? JsonFault<Element, `${Path}[]`, [...Depth, 0]>
          : MemberFault<T, Path, Depth>;

type MemberFault<T, Path extends string, Depth extends unknown[]> = {
  [Name in keyof T]-?: [T[Name]] extends [AsJsonMember<T[Name]>]
    ? never
    : JsonFault<Exclude<T[Name], undefined>, `${Path}.${Name & string}`, [...Depth, 0]>;
}[keyof T];

type NameOf<T> = T extends Date
  ? "a Date"
  : T extends ReadonlyMap<unknown, unknown>
    ? "a Map"
    : T extends ReadonlySet<unknown>
      ? "a Set"
      : T extends bigint
        ? "a bigint"
        : T extends symbol
          ? "a symbol"
          : T extends undefined
            ? "undefined"
            : "a function";

/** The runtime's form of a state, checked. */
export function stateOf(definition: AnyStateDefinition, subject: string): AnyState {
  checkMembers(definition, ["version", "initial", "migrate"], `the state of ${subject}`);
  const { version, initial, migrate = {} } = definition;
  if (!(Number.isSafeInteger(version) && version >= 1)) {
    throw definitionError(`the state of ${subject} has the version ${version}, and must have a whole number from 1 up`);
  }
  if (typeof initial !== "function") {
    throw definitionError(`the state of ${subject} needs a function "initial" that returns the state of a new entity`);
  }
  checkMigrations(migrate, version, subject);
  checkInitial(initial, subject);
  return Object.freeze({ version, initial, migrate: Object.freeze({ ...migrate }) });
}

interface AnyStateDefinition {
  readonly version: number;
  readonly initial: AnyState["initial"];
  readonly migrate?: AnyState["migrate"];
}

function checkMigrations(migrate: AnyState["migrate"], version: number, subject: string): void {
  for (let from = 1; from < version; from++) {
    if (typeof migrate[from] === "function") continue;
    throw definitionError(
      `the state of ${subject} has version ${version} and no migrate[${from}], which turns version ${from} into ${from + 1}`,
    );
  }
  for (const from of Object.keys(migrate)) {
    if (/^[1-9]\d*$/.test(from) && Number(from) < version) continue;
    throw definitionError(
      `the state of ${subject} has a migrate[${from}], and its version is ${version}: nothing would call it`,
    );
  }
}

/** An initial state that depends on the key can only be judged when there is one: the runtime does, then. */
function checkInitial(initial: AnyState["initial"], subject: string): void {
  if (initial.length > 0) return;
  try {
    encodeJson(initial(""), `the initial state of ${subject}`);
  } catch (error) {
    if (error instanceof SynodError) throw error;
    throw definitionError(`the initial state of ${subject} cannot be made: ${String(error)}`, error);
  }
}
