/** How a command ends: its exit code, and one sentence on standard error when it failed. */
import { SynodError } from "../errors.ts";

/** Exit codes, as `synod --help` documents them. */
export const exitCodes = {
  done: 0,
  failed: 1,
  usage: 2,
  nothingRuns: 3,
  declaredError: 4,
} as const;

/** The command was written wrongly. */
export class UsageError extends Error {
  override readonly name = "UsageError";
}

/** There is no running system to talk to. */
export class NothingRunsError extends Error {
  override readonly name = "NothingRunsError";
}

/** Says why the command failed; with `verbose` also from where. */
export function reportFailure(thrown: unknown, verbose: boolean): number {
  const error = thrown instanceof Error ? thrown : new Error(String(thrown));
  process.stderr.write(`synod: ${error.message}\n`);
  if (verbose) process.stderr.write(`${chainOf(error)}\n`);
  if (error instanceof UsageError) return exitCodes.usage;
  if (error instanceof NothingRunsError) return exitCodes.nothingRuns;
  if (error instanceof SynodError && error.declared) return exitCodes.declaredError;
  return exitCodes.failed;
}

function chainOf(error: Error): string {
  const cause = error.cause instanceof Error ? `\ncaused by: ${chainOf(error.cause)}` : "";
  return `${error.stack ?? error.message}${cause}`;
}
