/**
 * Replies as they travel and rest: JSON text, encoded once where it is made. The recorded reply of a command
 * is the same text that its first caller got.
 */
import { isStatusCode, type Outcome, SynodError, type SynodErrorOptions, type Violation } from "../errors.ts";
import type { GatewayError, GatewayReply } from "../ports/gateway.ts";

/** A reply that says what went wrong by a status code. */
export function failure(code: string, message: string, options: SynodErrorOptions = {}): GatewayReply {
  return failed(new SynodError(code, message, options));
}

/** A reply made of an error of the runtime (for declared errors see {@link declared}). */
export function failed(error: SynodError): GatewayReply {
  const violations = violationsOf(error.data);
  const { cut } = (error.data ?? {}) as { readonly cut?: unknown };
  return {
    ok: false,
    replayed: false,
    error: {
      code: error.code,
      declared: false,
      message: error.message,
      outcome: error.outcome,
      retryable: error.retryable,
      ...(error.retryAfterMs === undefined ? {} : { retryAfterMs: error.retryAfterMs }),
      ...(violations === undefined ? {} : { violations }),
      ...(cut === true && { cut }),
    },
  };
}

/** The reply by which an operation says one of its declared errors; `data` is JSON text. */
export function declared(code: string, message: string, data: string | undefined): GatewayReply {
  const error = { code, declared: true, message, data, outcome: "not-happened", retryable: false } as const;
  return { ok: false, replayed: false, error };
}

export function succeeded(output: string | undefined): GatewayReply {
  return { ok: true, output, replayed: false };
}

/** Once an attempt was cut, no later rejection says that the call did not happen (guarantee G7). */
export function withOutcome(reply: GatewayReply, outcome: Outcome): GatewayReply {
  if (reply.ok || reply.error.declared) return reply;
  return { ...reply, error: { ...reply.error, outcome } };
}

/** The same failure, as one whose answer was lost. A handler that passes it on passes that on, too. */
export function withCut(reply: GatewayReply): GatewayReply {
  return reply.ok || reply.error.declared ? reply : { ...reply, error: { ...reply.error, cut: true } };
}

/** The same failure with what a handler threw: for whoever parks what failed of it. */
export function withThrown(reply: GatewayReply, thrown: string): GatewayReply {
  return reply.ok ? reply : { ...reply, error: { ...reply.error, thrown } };
}

/** The reply as callers outside get it: what a handler threw may say things that are not for them. */
export function forCallers(reply: GatewayReply): GatewayReply {
  if (reply.ok || (reply.error.thrown === undefined && reply.error.cut === undefined)) return reply;
  const { thrown: _, cut: __, ...error } = reply.error;
  return { ...reply, error };
}

/** Whether the business logic has answered: a value, or a declared error. */
export function isRecorded(reply: GatewayReply): boolean {
  return reply.ok || reply.error.declared;
}

/** The text of a reply that is recorded. */
export function encodeRecorded(reply: GatewayReply): string {
  if (reply.ok) return reply.output === undefined ? '{"ok":true}' : `${recordedOutput}${reply.output}}`;
  const { code, message, data } = reply.error;
  const head = JSON.stringify({ ok: false, code, message });
  return data === undefined ? head : `${head.slice(0, -1)},"data":${data}}`;
}

/** A recorded reply, as it goes to a repeat. */
export function decodeRecorded(text: string): GatewayReply {
  if (text.startsWith(recordedOutput)) {
    return { ok: true, output: text.slice(recordedOutput.length, -1), replayed: true };
  }
  const parsed = JSON.parse(text) as { ok: boolean; code: string; message: string; data?: unknown };
  if (parsed.ok) return { ok: true, output: undefined, replayed: true };
  const data = parsed.data === undefined ? undefined : JSON.stringify(parsed.data);
  return { ...declared(parsed.code, parsed.message, data), replayed: true };
}

const recordedOutput = '{"ok":true,"output":';

/** An error reply as the error that a calling handler sees. */
export function toError(error: GatewayError): SynodError {
  const { code, message, outcome, retryable, retryAfterMs, violations, cut } = error;
  const details = violations === undefined && cut === undefined ? undefined : { violations, cut };
  const data: unknown = error.data === undefined ? details : JSON.parse(error.data);
  return new SynodError(code, message, {
    outcome,
    retryable,
    data,
    ...(retryAfterMs === undefined ? {} : { retryAfterMs }),
  });
}

function violationsOf(data: unknown): readonly Violation[] | undefined {
  const violations = (data as { violations?: unknown } | undefined)?.violations;
  return Array.isArray(violations) ? violations : undefined;
}

/** What a handler threw, when it is a failure that its caller should see as it is. */
export function passesThrough(error: unknown): error is SynodError {
  return error instanceof SynodError && isStatusCode(error.code) && transient.has(error.code);
}

const transient: ReadonlySet<string> = new Set(["unavailable", "deadline_exceeded", "resource_exhausted", "cancelled"]);
