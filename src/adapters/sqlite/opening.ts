/** Why a store could not be opened, in one sentence that names the file and what to do. */
import { SynodError } from "../../errors.ts";
import { damaged, messageOf, sqliteCode, sqliteCodes, TransactionError } from "./failures.ts";

export function openFailure(path: string, thrown: unknown): SynodError {
  if (thrown instanceof SynodError) return thrown;
  const cause = thrown instanceof TransactionError ? thrown.cause : thrown;
  const refusal = (message: string) => new SynodError("failed_precondition", message, { cause });
  switch (sqliteCode(cause)) {
    case sqliteCodes.notADatabase:
      return refusal(`${path} is not a SQLite file: choose another path for the store, or move the file away`);
    case sqliteCodes.corrupt:
      return damaged(path, cause);
    case sqliteCodes.readOnly:
      return refusal(`${path} is read-only: make it and its folder writable for this user, or choose another path`);
    case sqliteCodes.busy:
      return new SynodError("unavailable", `${path} is locked by another process: end it, or try again`, { cause });
    case sqliteCodes.full:
      return new SynodError("unavailable", `${path} cannot be opened, because its disk is full: free some space`, {
        cause,
      });
    default:
      return refusal(`${path} cannot be opened (${messageOf(cause)}): choose another path for the store`);
  }
}
