/**
 * The calls that a handler makes, as it makes them: the operations of `ctx.to` with an ear at each answer. What the
 * handler gets is what the runtime gave.
 */
import type { AnyInterface } from "../service/model.ts";
import { nameOfEntity } from "./operation.ts";

/** A call of a handler that was answered with a value. */
export interface HeardCall {
  readonly service: string;
  readonly key: string | null;
  readonly operation: string;
  readonly kind: "query" | "command";
  /** The value as JSON text; undefined when there is none. */
  readonly output: string | undefined;
}

/** Who listens to the calls of a handler. */
export interface CallListener {
  /** A call is about to be made; what is returned is told its value, or its error. */
  made(name: string): (outcome: string) => void;
  /** It was answered with a value. */
  heard(call: HeardCall): void;
}

type SafeResult =
  | { readonly ok: true; readonly value: unknown }
  | { readonly ok: false; readonly error: { readonly code: string; readonly data?: unknown } };
type Safe = (input?: unknown) => Promise<SafeResult>;

/** `operations` is what `ctx.to(callee, key)` returned. */
export function watchedCalls(
  operations: Readonly<Record<string, { readonly safe: Safe }>>,
  callee: AnyInterface,
  key: unknown,
  listener: CallListener,
): Record<string, unknown> {
  const watched: Record<string, unknown> = {};
  for (const [name, { safe }] of Object.entries(operations)) {
    const { kind } = callee.operations[name]!;
    const entity = callee.key === undefined ? null : String(key);
    const ask = async (input?: unknown): Promise<SafeResult> => {
      const hear = listener.made(`${nameOfEntity(callee.name, entity)}.${name}`);
      const result = await safe(input);
      if (result.ok) {
        const output = result.value === undefined ? undefined : JSON.stringify(result.value);
        hear(output ?? "");
        listener.heard({ service: callee.name, key: entity, operation: name, kind, output });
      } else hear(`${result.error.code} ${JSON.stringify(result.error.data)}`);
      return result;
    };
    const heard: Safe = (input) => unheeded(ask(input));
    watched[name] = Object.assign((input?: unknown) => unheeded(heard(input).then(valueOrThrow)), { safe: heard });
  }
  return watched;
}

/** Whoever forgets to await a call is told so by the runtime, and not by a rejection that nobody heard. */
function unheeded<T>(call: Promise<T>): Promise<T> {
  call.catch(() => {});
  return call;
}

function valueOrThrow(result: SafeResult): unknown {
  if (result.ok) return result.value;
  throw result.error;
}
