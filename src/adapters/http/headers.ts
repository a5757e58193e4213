/**
 * The request headers that mean something to a call, each read by one function that gives the value, or
 * `undefined` where the header is absent, or refuses what cannot be meant.
 *
 * Node joins a header that was sent twice with ", "; none of the forms here admits that, so that a
 * duplicate is refused and never half of it believed.
 */
import type { IncomingHttpHeaders } from "node:http";
import { traceparentBytesMax } from "../../values/call-bounds.ts";
import { type Priority, priorities } from "../../values/priority.ts";
import { badRequest } from "./problem.ts";

/** 1 to 255 visible ASCII characters. */
const idempotencyKeyForm = /^[\x21-\x7e]{1,255}$/;
const secondsForm = /^(?:\d+(?:\.\d+)?|\.\d+)$/;
/** https://www.w3.org/TR/trace-context/: version, trace id, parent id, flags, and what later versions add. */
const traceparentForm = /^([\da-f]{2})-(?!0{32})[\da-f]{32}-(?!0{16})[\da-f]{16}-[\da-f]{2}(-.*)?$/;
const jsonForm = /^application\/json[ \t]*(?:;[ \t]*charset="?utf-8"?[ \t]*)?$/i;

/** `Idempotency-Key`: the id under which a command takes effect at most once. */
export function idempotencyKey(headers: IncomingHttpHeaders): string | undefined {
  const header = headers["idempotency-key"];
  if (header === undefined) return undefined;
  const key = String(header);
  if (idempotencyKeyForm.test(key)) return key;
  throw badRequest(
    "Idempotency-Key must be one header of 1 to 255 visible ASCII characters, without spaces, " +
      `not ${key.length === 0 ? "empty" : `${key.length} characters that break this`}`,
  );
}

/** `Request-Timeout`: how long the caller waits for the answer, in seconds on the wire and in ms here. */
export function requestTimeoutMs(headers: IncomingHttpHeaders, timeoutMaxMs: number): number | undefined {
  const header = headers["request-timeout"];
  if (header === undefined) return undefined;
  const seconds = secondsForm.test(String(header)) ? Number(header) : Number.NaN;
  if (seconds > 0 && seconds * 1_000 <= timeoutMaxMs) return Math.max(1, Math.round(seconds * 1_000));
  throw badRequest(
    `Request-Timeout must be a number of seconds above 0 and up to ${timeoutMaxMs / 1_000}, such as 2.5, ` +
      `not ${quote(String(header))}`,
  );
}

/** `Synod-Priority`: the call may wait longer than its operation's priority says. */
export function priority(headers: IncomingHttpHeaders): Priority | undefined {
  const header = headers["synod-priority"];
  if (header === undefined) return undefined;
  const known = priorities.find((name) => name === header);
  if (known !== undefined) return known;
  throw badRequest(`Synod-Priority must be ${priorities.join(", ")}, not ${quote(String(header))}`);
}

/** `Prefer: respond-async` (RFC 7240): of a durable command the acceptance is answer enough. Other preferences are ignored. */
export function prefersAsync(headers: IncomingHttpHeaders): boolean {
  const preferences = String(headers.prefer ?? "").split(",");
  return preferences.some((preference) => /^\s*respond-async\s*(?:;|$)/i.test(preference));
}

/** `traceparent`: W3C trace context; ignored when it is malformed, as its specification asks, or longer than links carry. */
export function traceparent(headers: IncomingHttpHeaders): string | undefined {
  const header = headers.traceparent;
  const form = typeof header === "string" ? traceparentForm.exec(header) : null;
  if (form === null || form[1] === "ff" || (form[1] === "00" && form[2] !== undefined)) return undefined;
  return Buffer.byteLength(form[0]) > traceparentBytesMax ? undefined : form[0];
}

/** Whether a body follows the head. */
export function announcesBody(headers: IncomingHttpHeaders): boolean {
  const length = headers["content-length"];
  return headers["transfer-encoding"] !== undefined || (length !== undefined && Number(length) !== 0);
}

/** Whether the body is declared as JSON in UTF-8, which is the only charset that JSON has. */
export function declaresJson(headers: IncomingHttpHeaders): boolean {
  return jsonForm.test(headers["content-type"] ?? "");
}

/** What a caller sent, short enough for a sentence. */
export function quote(text: string): string {
  return JSON.stringify(text.length <= 64 ? text : `${text.slice(0, 64)}…`);
}
