/** A draft of an entity's state: the handler of a command works on it, and what it leaves is encoded when it returns. */
import type { AnyService } from "../service/model.ts";
import { encodeJson } from "../values/json.ts";
import type { StateAccess } from "./handler-context.ts";
import { nameOfEntity } from "./invocation.ts";
import { absent, draftOf, initialText, type Snapshot } from "./snapshot.ts";

/** In place of a value: the handler has not asked for the state, or has cleared it since. Nobody else has it. */
const untouched: unique symbol = Symbol("untouched");

export interface DraftOptions {
  readonly service: AnyService;
  readonly key: string;
  /** What the command runs on. */
  readonly snapshot: Snapshot;
  readonly environment: { readonly limits: { readonly stateBytesMax: number } };
}

export class Draft implements StateAccess {
  readonly #options: DraftOptions;
  /** What the handler sees. */
  #value: unknown = untouched;
  #cleared = false;

  constructor(options: DraftOptions) {
    this.#options = options;
  }

  get(): unknown {
    if (this.#value === untouched) {
      const { service, key, snapshot } = this.#options;
      this.#value = draftOf(service, key, this.#cleared ? absent : snapshot);
    }
    return this.#value;
  }

  set(value: unknown): void {
    this.#value = value;
  }

  clear(): void {
    this.#cleared = true;
    this.#value = untouched;
  }

  /** The state that the handler left as text; null: back to the initial one; undefined: the state that it found. */
  left(): string | null | undefined {
    const { snapshot, environment } = this.#options;
    if (this.#value === untouched) return this.#cleared && snapshot.text !== null ? null : undefined;
    const text = encodeJson(this.#value, this, environment.limits.stateBytesMax);
    if (this.#cleared && text === this.#initialText) return snapshot.text === null ? undefined : null;
    // An entity without a row that was only looked at, or set to what it is, stays without a row.
    return text === (snapshot.text ?? this.#initialText) ? undefined : text;
  }

  get #initialText(): string {
    const { service, key } = this.#options;
    return initialText(service, key);
  }

  /** What it is called where something is wrong with it. */
  toString(): string {
    const { service, key } = this.#options;
    return `the state of ${nameOfEntity(service.interface.name, key)}`;
  }
}
