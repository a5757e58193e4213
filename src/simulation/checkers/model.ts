/**
 * A model: a sequential specification, the plain thing that a distributed one claims to be. It knows states
 * and what one operation does to them, and nothing of time, processes or nodes.
 */
import { SynodError } from "../../errors.ts";
import type { Operation, Reply } from "../operations.ts";

/** What a model needs to know of an operation. */
export type Call = Pick<Operation, "f" | "key" | "value">;

/** `ok: false`: an operation in this state does not give that reply. */
export type Step<State> = { readonly ok: true; readonly state: State } | { readonly ok: false };

export interface Model<State> {
  /** What it is, for messages: "register". */
  readonly name: string;
  /** The state of an entity that nobody has touched. */
  readonly init: (key: string | null) => State;
  /**
   * The state after `call`, if `call` gives `reply` in `state`. Without a reply (nobody heard it) any will do.
   * Pure; states are never changed in place.
   */
  readonly step: (state: State, call: Call, reply: Reply | undefined) => Step<State>;
  /** Equal exactly for equal states. */
  readonly stateKey: (state: State) => string | number;
  /** Whether the call, with this reply, leaves every state as it is. Saves the checker most of its work. */
  readonly readOnly: (call: Call, reply: Reply | undefined) => boolean;
  /** The state in words. */
  readonly describe: (state: State) => string;
}

/** The step that is refused; one value, as models refuse often. */
export const refused: { readonly ok: false } = { ok: false };

/** The history holds something that the model does not know. */
export function unknownOperation(model: string, call: Call): SynodError {
  return new SynodError("invalid_argument", `a ${model} has no operation ${call.f} with ${JSON.stringify(call.value)}`);
}

/** JSON text with the members of objects in one order, so that equal values give equal texts. */
export function canonical(value: unknown): string {
  if (typeof value === "number") return String(value);
  if (typeof value !== "object" || value === null) return JSON.stringify(value) ?? "null";
  if (Array.isArray(value)) return `[${value.map(canonical).join(",")}]`;
  const members = Object.entries(value).filter(([, member]) => member !== undefined);
  members.sort(([a], [b]) => (a < b ? -1 : 1));
  return `{${members.map(([name, member]) => `${JSON.stringify(name)}:${canonical(member)}`).join(",")}}`;
}
