/** Errors on their way between two processes. */
import { SynodError, toSynodError } from "../errors.ts";
import type { ErrorFacts } from "./messages.ts";

export function toErrorFacts(thrown: unknown): ErrorFacts {
  const { code, message, outcome, retryable, retryAfterMs, data, stack, cause } = toSynodError(thrown);
  const origin = cause instanceof Error ? cause.stack : undefined;
  return {
    code,
    message,
    outcome,
    retryable,
    ...(retryAfterMs !== undefined && { retryAfterMs }),
    ...(data !== undefined && { data }),
    stack: origin ? `${stack}\ncaused by: ${origin}` : stack,
  };
}

/** The error as it was over there, stack included. */
export function fromErrorFacts({ code, message, stack, ...options }: ErrorFacts): SynodError {
  const error = new SynodError(code, message, options);
  if (stack !== undefined) error.stack = stack;
  return error;
}
