/** A draft of an entity's state: the handler of a command works on it, and what it leaves is encoded when it returns. */
import type { AnyService } from "../service/model.ts";
import { encodeJson } from "../values/json.ts";
import type { StateAccess } from "./handler-context.ts";
import { nameOfEntity } from "./invocation.ts";
import { absent, draftOf, initialText, type Snapshot } from "./snapshot.ts";

export interface DraftOptions {
  readonly service: AnyService;
  readonly key: string;
  /** What the command runs on. */
  readonly snapshot: Snapshot;
  readonly stateBytesMax: number;
}

export class Draft {
  readonly #options: DraftOptions;
  #value: { value: unknown } | null = null;
  #cleared = false;

  constructor(options: DraftOptions) {
    this.#options = options;
  }

  get access(): StateAccess {
    const { service, key, snapshot } = this.#options;
    return {
      get: () => {
        this.#value ??= { value: draftOf(service, key, this.#cleared ? absent : snapshot) };
        return this.#value.value;
      },
      set: (value) => {
        this.#value = { value };
      },
      clear: () => {
        this.#cleared = true;
        this.#value = null;
      },
    };
  }

  /** The state that the handler left as text; null: back to the initial one; undefined: the state that it found. */
  left(): string | null | undefined {
    const { service, key, snapshot, stateBytesMax } = this.#options;
    if (this.#value === null) return this.#cleared && snapshot.text !== null ? null : undefined;
    const subject = `the state of ${nameOfEntity(service.interface.name, key)}`;
    const text = encodeJson(this.#value.value, subject, stateBytesMax);
    if (this.#cleared && text === initialText(service, key)) return snapshot.text === null ? undefined : null;
    // An entity without a row that was only looked at, or set to what it is, stays without a row.
    return text === (snapshot.text ?? initialText(service, key)) ? undefined : text;
  }
}
