/**
 * What an error of SQLite means: whether anything was written, whether the store may be used again, and one
 * sentence that names the file and what to do.
 */
import { SynodError } from "../../errors.ts";

/** Primary result codes of SQLite (https://sqlite.org/rescode.html), as far as they are told apart here. */
export const sqliteCodes = {
  busy: 5,
  readOnly: 8,
  inputOutput: 10,
  corrupt: 11,
  full: 13,
  cannotOpen: 14,
  tooBig: 18,
  constraint: 19,
  mismatch: 20,
  range: 25,
  notADatabase: 26,
} as const;

/** The primary result code of an error that SQLite raised; undefined for any other error. */
export function sqliteCode(error: unknown): number | undefined {
  if (!(error instanceof Error) || !("errcode" in error) || typeof error.errcode !== "number") return undefined;
  return error.errcode & 0xff;
}

/** Raised when another process keeps the lock. A class of its own, because that is what nodes are killed for. */
export class LockedError extends SynodError {}

/** Raised by a transaction that did not come to its end. */
export class TransactionError extends Error {
  override readonly name = "TransactionError";
  /** Whether the transaction has certainly been rolled back. */
  readonly rolledBack: boolean;
  /** Whether the error came from COMMIT itself. */
  readonly committing: boolean;

  constructor(cause: unknown, at: { readonly rolledBack: boolean; readonly committing: boolean }) {
    super(cause instanceof Error ? cause.message : String(cause), { cause });
    this.rolledBack = at.rolledBack;
    this.committing = at.committing;
  }
}

/**
 * `refused`: the data will never be taken. `failed`: nothing was written, another time it may be. `broken`:
 * nobody knows, or the file is damaged; the store must not be used again.
 */
export interface Failure {
  readonly status: "refused" | "failed" | "broken";
  readonly error: SynodError;
}

/** What was done when an error came. */
type Doing = "transaction" | "checkpoint";

/** What an error means for the one who asked for a transaction, or for the store when its log was copied. */
export function failureOf(thrown: unknown, path: string, doing: Doing = "transaction"): Failure {
  const cause = thrown instanceof TransactionError ? thrown.cause : thrown;
  const certain = !(thrown instanceof TransactionError) || thrown.rolledBack;
  const committing = thrown instanceof TransactionError && thrown.committing;
  const code = sqliteCode(cause);
  if (code === sqliteCodes.corrupt || code === sqliteCodes.notADatabase) {
    return { status: "broken", error: damaged(path, cause) };
  }
  if (certain && code === sqliteCodes.full)
    return failed(`there is no room for ${path} to grow: free some space`, cause);
  if (certain && code === sqliteCodes.busy) {
    const message = `another process has kept ${path} locked for too long`;
    return { status: "failed", error: new LockedError("unavailable", message, { cause }) };
  }
  if (code === sqliteCodes.inputOutput || committing || !certain) return broken(path, cause, doing);
  if (isOfTheData(code)) return refused("invalid_argument", path, cause);
  // Raised on purpose by the body of a transaction that was undone.
  if (cause instanceof SynodError) return { status: "failed", error: cause };
  // Not an error of SQLite: a defect of ours, which no repetition mends.
  if (code === undefined) return refused("internal", path, cause);
  return failed(`${path} cannot be written now: ${messageOf(cause)}`, cause);
}

function refused(code: "invalid_argument" | "internal", path: string, cause: unknown): Failure {
  return { status: "refused", error: new SynodError(code, `${path}: ${messageOf(cause)}`, { cause }) };
}

function failed(message: string, cause: unknown): Failure {
  return { status: "failed", error: new SynodError("unavailable", message, { cause }) };
}

function broken(path: string, cause: unknown, doing: Doing): Failure {
  const message =
    doing === "transaction"
      ? `${path} failed while writing (${messageOf(cause)}): check its disk, then start the node again`
      : `${path} failed while its write-ahead log was copied (${messageOf(cause)}), and recent commits may be missing in it: ` +
        "stop all nodes, check its disk and the store, and restore a backup if it is damaged";
  return { status: "broken", error: new SynodError("unavailable", message, { outcome: "unknown", cause }) };
}

/** A file whose inside SQLite can no longer make sense of. */
export function damaged(path: string, cause: unknown): SynodError {
  const message = `${path} is damaged (${messageOf(cause)}): restore it from a backup`;
  return new SynodError("data_loss", message, { outcome: "unknown", cause });
}

function isOfTheData(code: number | undefined): boolean {
  const { tooBig, constraint, mismatch, range } = sqliteCodes;
  return code === tooBig || code === constraint || code === mismatch || code === range;
}

export function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
