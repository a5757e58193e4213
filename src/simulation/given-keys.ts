/**
 * Idempotency keys that a workload or a test gives. Several operations of one caller under one such key are one command
 * to the system: it takes effect once, and each of them is told its outcome. So they share what is known of its runs.
 */
import type { ClientOperation } from "./operation.ts";

export class GivenKeys {
  /** The first operation under each key, by the key's scope: that of the gateway. */
  readonly #first = new Map<string, ClientOperation>();

  /** An operation that is about to be asked for, as one with those that were before it under its key. */
  join(operation: ClientOperation): ClientOperation {
    const first = this.#firstUnderKeyOf(operation);
    if (first === undefined) {
      operation.underItsKey.push(operation);
      return operation;
    }
    // Its answer may be the first one's: what others have seen since need not be in it.
    const { idempotencyKey, floor, underItsKey, running, runs, committed, called } = first;
    const joined = { ...operation, idempotencyKey, floor, underItsKey, running, runs, committed, called };
    underItsKey.push(joined);
    return joined;
  }

  /** Undefined when there is none but this one. */
  #firstUnderKeyOf(operation: ClientOperation): ClientOperation | undefined {
    const { kind, principal, idempotencyKey, request } = operation;
    if (kind === "query" || idempotencyKey === undefined || request.idempotencyKey === undefined) return undefined;
    const { service, key, operation: name } = request;
    const scope = JSON.stringify([principal, service, key, name, request.idempotencyKey]);
    const first = this.#first.get(scope);
    if (first === undefined) this.#first.set(scope, operation);
    return first;
  }
}
