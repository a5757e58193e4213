/**
 * Every error that Synod raises or carries, in one file.
 *
 * A failed call answers two questions: what went wrong (`code`) and whether the operation may have
 * taken effect all the same (`outcome`, guarantee G7). `docs/errors.md` documents each code; a test
 * keeps that page and this file equal.
 */

/** The codes of the runtime: the gRPC status names in lower case, with the HTTP status of each. */
export const statusCodes = {
  cancelled: 499,
  unknown: 500,
  invalid_argument: 400,
  deadline_exceeded: 504,
  not_found: 404,
  already_exists: 409,
  permission_denied: 403,
  resource_exhausted: 429,
  failed_precondition: 409,
  aborted: 409,
  out_of_range: 400,
  unimplemented: 501,
  internal: 500,
  unavailable: 503,
  data_loss: 500,
  unauthenticated: 401,
} as const;

/**
 * One of the runtime's own codes. A declared error of an operation has a name of its own instead.
 *
 * @example
 * ```ts
 * import type { StatusCode } from "synod";
 *
 * const overload: StatusCode = "resource_exhausted";
 * console.assert(overload.length > 0);
 * ```
 */
export type StatusCode = keyof typeof statusCodes;

/**
 * Codes of failures that are the caller's own doing, or his own wish: who counts how well a system answers leaves
 * them out. A declared error is a reply, and none of these.
 */
export const callersFaults: ReadonlySet<string> = new Set<StatusCode>([
  ...(["invalid_argument", "not_found", "already_exists", "permission_denied", "unauthenticated"] as const),
  ...(["failed_precondition", "out_of_range", "cancelled", "unimplemented"] as const),
]);

/**
 * `not-happened`: the operation certainly had no effect. `unknown`: it may have had one.
 *
 * @example
 * ```ts
 * import { type Outcome, SynodError } from "synod";
 *
 * const outcome: Outcome = new SynodError("deadline_exceeded", "no answer in 5 s", { outcome: "unknown" }).outcome;
 * console.assert(outcome === "unknown");
 * ```
 */
export type Outcome = "not-happened" | "unknown";

/**
 * One violation of a schema or of the JSON discipline, with the path of the offending value. An
 * `invalid_argument` error lists them as `data.violations`.
 *
 * @example
 * ```ts
 * import type { Violation } from "synod";
 *
 * const line = ({ path, message }: Violation) => `${path}: ${message}`;
 * console.assert(line({ path: "$.amount", message: "too small" }) === "$.amount: too small");
 * ```
 */
export interface Violation {
  /** Where, as a JSON path: `$`, `$.amount`, `$.lines[2].price`. */
  readonly path: string;
  /** What is wrong there, in words. */
  readonly message: string;
}

/**
 * What a {@link SynodError} is made of besides code and message.
 *
 * @example
 * ```ts
 * import { SynodError, type SynodErrorOptions } from "synod";
 *
 * const busy: SynodErrorOptions = { retryAfterMs: 250 };
 * console.assert(new SynodError("unavailable", "try again soon", busy).retryAfterMs === 250);
 * ```
 */
export interface SynodErrorOptions {
  readonly outcome?: Outcome;
  readonly retryable?: boolean;
  /** Suggested wait before a retry, in ms. */
  readonly retryAfterMs?: number;
  /** For a declared error: its data. For a status: details such as `{ violations }`. */
  readonly data?: unknown;
  readonly cause?: unknown;
}

const retryableByDefault: ReadonlySet<string> = new Set(["unavailable", "resource_exhausted", "aborted"]);

/**
 * The one error class of Synod.
 *
 * @example
 * ```ts
 * import { SynodError } from "synod";
 *
 * const error = new SynodError("unavailable", "the store did not answer", { outcome: "unknown" });
 * console.assert(error.code === "unavailable" && error.retryable && error.outcome === "unknown");
 * ```
 */
export class SynodError extends Error {
  override readonly name = "SynodError";
  /** A {@link StatusCode}, or the name of an error that the operation declares. */
  readonly code: string;
  /** Whether the failed operation certainly did not happen, or may have happened. */
  readonly outcome: Outcome;
  /** Whether the same call may succeed when it is repeated later. */
  readonly retryable: boolean;
  /** Suggested wait before a retry, in ms. */
  readonly retryAfterMs: number | undefined;
  readonly data: unknown;

  constructor(code: string, message: string, options: SynodErrorOptions = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.code = code;
    this.outcome = options.outcome ?? "not-happened";
    this.retryable = options.retryable ?? retryableByDefault.has(code);
    this.retryAfterMs = options.retryAfterMs;
    this.data = options.data;
  }

  /** True when the operation declares this error, so that it is a reply and not a failure. */
  get declared(): boolean {
    return !isStatusCode(this.code);
  }
}

/** Whether a code is one of the runtime's own. */
export function isStatusCode(code: string): code is StatusCode {
  return Object.hasOwn(statusCodes, code);
}

/** Anything thrown, as a {@link SynodError}: itself, or `internal` with the original as its cause. */
export function toSynodError(thrown: unknown, outcome: Outcome = "unknown"): SynodError {
  if (thrown instanceof SynodError) return thrown;
  const message = thrown instanceof Error ? thrown.message : String(thrown);
  return new SynodError("internal", message, { outcome, cause: thrown });
}

/** A broken invariant of Synod itself: our bug, never the caller's. */
export class InvariantError extends Error {
  override readonly name = "InvariantError";
}

/** Throws {@link InvariantError} naming the invariant unless it holds. */
export function invariant(holds: boolean, name: string): asserts holds {
  if (!holds) throw new InvariantError(`invariant broken: ${name}`);
}
