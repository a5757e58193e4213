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
  const readOptions = (): Pick<GatewayCall, "timeoutMs" | "idempotencyKey"> => {
    const { timeout, id } = options;
    if (timeout !== undefined) timeoutMs ??= parseDuration(timeout, "timeout");
    // Without an id of the caller's own nobody could ever repeat the call.
    return { timeoutMs, idempotencyKey: id };
  };
  const operations: Record<string, unknown> = {};
  for (const operation of Object.keys(target.operations)) {
    const call = (...input: unknown[]): Promise<unknown> =>
      perform(gateway, { service: target.name, key, operation, principal }, input[0], readOptions);
    const safe = (...input: unknown[]): Promise<unknown> =>
      call(...input).then(
        (value) => ({ ok: true, value }),
        (error: unknown) => ({ ok: false, error }),
      );
    operations[operation] = Object.assign(call, { safe });
  }
  return operations as Operations<I>;
}

function readAddress(target: AnyInterface, address: readonly unknown[]): [key: string | undefined, CallOptions] {
  const keyed = target.key !== undefined;
  const [key, options] = keyed ? address : [undefined, address[0]];
  if (keyed && typeof key !== "string") {
    throw new SynodError("invalid_argument", `service ${target.name} is keyed: give its key, a string`);
  }
  return [key as string | undefined, (options ?? {}) as CallOptions];
}

async function perform(
  gateway: Gateway,
  to: Pick<GatewayCall, "service" | "key" | "operation" | "principal">,
  input: unknown,
  options: () => Pick<GatewayCall, "timeoutMs" | "idempotencyKey">,
): Promise<unknown> {
  const subject = `${to.service}.${to.operation}`;
  const text = input === undefined ? undefined : encodeJson(input, `the input of ${subject}`);
  const { service, key, operation, principal } = to;
  const reply = await gateway.call({ service, key, operation, principal, input: text, ...options() });
  if (!reply.ok) throw errorOf(reply.error);
  return reply.output === undefined ? undefined : decodeJson(reply.output, `the output of ${subject}`);
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
