/** Typed calls through a gateway: values are written as JSON, and replies read back, as for any caller. */
import { SynodError, toSynodError } from "../errors.ts";
import type { Gateway, GatewayCall, GatewayError } from "../ports/gateway.ts";
import type { Address, CallOptions, Operations } from "../service/call.ts";
import type { AnyInterface } from "../service/model.ts";
import { parseDuration } from "../values/durations.ts";
import { decodeJson, encodeJson } from "../values/json.ts";

/** The operations of an interface, each as a function with a `safe` form. */
export function callThrough<I extends AnyInterface>(
  gateway: Gateway,
  principal: string,
  target: I,
  address: Address<I>,
): Operations<I> {
  const [key, options] = readAddress(target, address);
  // A timeout that cannot be read is told by the call, where callers expect what is wrong.
  let timeoutMs: number | undefined;
  const callOf: CallOf = (operation, input) => {
    // Without an id of the caller's own nobody could ever repeat the call.
    const { timeout, id: idempotencyKey } = options;
    if (timeout !== undefined) timeoutMs ??= parseDuration(timeout, "timeout");
    return { service: target.name, key, operation, principal, input, timeoutMs, idempotencyKey };
  };
  const Own = calleeOf(target);
  return new Own((called) => {
    const call = (input?: unknown): Promise<unknown> => perform(gateway, called, callOf, input);
    const safe = (input?: unknown): Promise<unknown> =>
      call(input).then(
        (value) => ({ ok: true, value }),
        (error: unknown) => ({ ok: false, error }),
      );
    return Object.assign(call, { safe });
  }) as unknown as Operations<I>;
}

/** An operation, and what its input is called where something is wrong with it. */
interface Called {
  readonly name: string;
  readonly input: string;
}

/** The call of an operation of one address; the input as text. */
type CallOf = (operation: string, input: string | undefined) => GatewayCall;

type FunctionOf = (called: Called) => unknown;

/** One address of an interface. The operations of the interface are getters of a class of its own. */
class Callee {
  readonly #functionOf: FunctionOf;

  constructor(functionOf: FunctionOf) {
    this.#functionOf = functionOf;
  }

  static functionOf(callee: Callee, called: Called): unknown {
    return callee.#functionOf(called);
  }
}

/** Made once for each interface: nearly all who name an address call one operation there, once. */
const callees = new WeakMap<AnyInterface, typeof Callee>();

function calleeOf(target: AnyInterface): typeof Callee {
  const known = callees.get(target);
  if (known !== undefined) return known;
  const made = class extends Callee {};
  for (const name of Object.keys(target.operations)) {
    const called = { name, input: `the input of ${target.name}.${name}` };
    const get = function (this: Callee): unknown {
      return Callee.functionOf(this, called);
    };
    Object.defineProperty(made.prototype, name, { get, enumerable: true });
  }
  callees.set(target, made);
  return made;
}

function readAddress(target: AnyInterface, address: readonly unknown[]): [key: string | undefined, CallOptions] {
  const keyed = target.key !== undefined;
  const [key, options] = keyed ? address : [undefined, address[0]];
  if (keyed && typeof key !== "string") {
    throw new SynodError("invalid_argument", `service ${target.name} is keyed: give its key, a string`);
  }
  return [key as string | undefined, (options ?? {}) as CallOptions];
}

async function perform(gateway: Gateway, called: Called, callOf: CallOf, input: unknown): Promise<unknown> {
  const text = input === undefined ? undefined : encodeJson(input, called.input);
  const reply = await gateway.call(callOf(called.name, text));
  if (!reply.ok) throw errorOf(reply.error);
  // What a node has encoded is JSON.
  return reply.output === undefined ? undefined : JSON.parse(reply.output);
}

function errorOf({ code, message, data, violations, outcome, retryable, retryAfterMs }: GatewayError): SynodError {
  try {
    const details = data === undefined ? violations && { violations } : decodeJson(data, `the data of ${code}`);
    return new SynodError(code, message, {
      outcome,
      retryable,
      ...(details !== undefined && { data: details }),
      ...(retryAfterMs !== undefined && { retryAfterMs }),
    });
  } catch (error) {
    return toSynodError(error);
  }
}
