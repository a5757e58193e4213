/**
 * What a failure of PostgreSQL means: whether anything was written, and one sentence with what to do.
 *
 * An error that the server reports for a statement undid it. Whatever ends the connection leaves it open what became of
 * the statement under way (rule S3); that also goes for errors of severity FATAL, which say that the server hangs up. The
 * word for the severity is translated into the server's language, so the codes of such errors count as well.
 */
import { DatabaseError } from "pg";
import { SynodError } from "../../errors.ts";
import type { CommitResult } from "../../ports/store.ts";
import { lostState } from "./losses-sql.ts";

/** Codes of PostgreSQL (https://www.postgresql.org/docs/current/errcodes-appendix.html), as far as they are told apart. */
const codes = {
  readOnly: "25006",
  recoveryInProgress: "55000",
  lockNotAvailable: "55P03",
  queryCancelled: "57014",
  diskFull: "53100",
  noDatabase: "3D000",
  missingSchema: "3F000",
  missingFunction: "42883",
  missingTable: "42P01",
} as const;

/** Classes of codes that are about the data of the statement: no repetition helps. */
const classesOfTheData = ["22", "23", "54"];

/**
 * How codes begin that come with the end of the connection: its failure, the server's shutdown or crash, its limits for
 * idle or long transactions, errors of its system, and its own bugs. Some of them may also be about a statement only.
 */
const endings = ["08", "57P", "58", "25P03", "25P04", "XX"];

/** Raised by a connection: the statement under way was undone, or was never sent. */
export function isCertain(error: unknown): error is DatabaseError {
  if (!(error instanceof DatabaseError) || error.severity === "FATAL" || error.severity === "PANIC") return false;
  return !endings.some((ending) => error.code?.startsWith(ending));
}

/** Whether a server answered that this user, or this database, is not known to it: it will say so again. */
export function isRefusal(error: unknown): boolean {
  return adviceOn(error) !== undefined;
}

/** The client's own words where the server wants a password and there is none. */
const passwordMissing = /client password must be a (?:non-empty )?string/;

/** What to do about it when the server turns this user away. */
function adviceOn(error: unknown): string | undefined {
  const places = "the store URL, PGPASSWORD or ~/.pgpass";
  if (error instanceof DatabaseError) {
    if (error.code?.startsWith("28") === true) return `check the user and the password (${places})`;
    return error.code === codes.noDatabase ? "create it, or correct the store URL" : undefined;
  }
  const isMissing = error instanceof Error && passwordMissing.test(error.message);
  return isMissing ? `put it into ${places}` : undefined;
}

/** Whether the server has become one that cannot be written to. */
export function isNoPrimary(error: unknown): boolean {
  return error instanceof DatabaseError && (error.code === codes.readOnly || error.code === codes.recoveryInProgress);
}

/** The error in Synod's words. `name` is that of the store. */
export function storeError(error: unknown, name: string): SynodError {
  if (error instanceof SynodError) return error;
  if (!isCertain(error)) {
    const message = `the connection to ${name} was lost: ${messageOf(error)}`;
    return new SynodError("unavailable", message, { outcome: "unknown", cause: error });
  }
  if (error.code === lostState) return lossError(name, error.message);
  return new SynodError("unavailable", `${name} ${reasonOf(error)}`, { cause: error });
}

/** The server is behind what it, or the one before it, has acknowledged: it must not be believed. */
export function lossError(name: string, what: string): SynodError {
  const advice =
    "promote a server that has all of them, or go on without what is gone: SELECT accept_loss() in the store's schema";
  return new SynodError("data_loss", `${name} has lost commits that were acknowledged: ${what}; ${advice}`);
}

function reasonOf({ code = "", message }: DatabaseError): string {
  switch (code) {
    case codes.lockNotAvailable:
    case codes.queryCancelled:
      return "has been kept locked by somebody else for too long";
    case codes.diskFull:
      return "has no room: free some space on its disk";
    case codes.readOnly:
    case codes.recoveryInProgress:
      return "is not the primary any more: the new one is looked for";
    case codes.missingSchema:
    case codes.missingFunction:
    case codes.missingTable:
      return `has lost tables or functions of the store (${message}): restore it from a backup`;
    default:
      return `cannot do it now: ${message} (${code})`;
  }
}

/** What a commit answers that PostgreSQL reported an error for; raises when the outcome is unknown. */
export function commitFailure(error: unknown, name: string): CommitResult {
  if (isCertain(error) && classesOfTheData.includes(error.code?.slice(0, 2) ?? "")) {
    const message = `${name} does not take it: ${error.message}`;
    return { status: "refused", error: new SynodError("invalid_argument", message, { cause: error }) };
  }
  const known = storeError(error, name);
  if (known.outcome === "unknown") throw known;
  return { status: "failed", error: known };
}

export function messageOf(error: unknown): string {
  // What cannot be reached at several addresses is told as one error without words of its own.
  if (error instanceof AggregateError) return error.errors.map(messageOf).join(", ");
  if (!(error instanceof Error)) return String(error);
  const said = passwordMissing.test(error.message) ? "the server wants a password, and there is none" : error.message;
  const advice = adviceOn(error);
  return advice === undefined ? said : `${said}; ${advice}`;
}
