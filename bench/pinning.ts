/**
 * Pins a caller and the process that it calls to a core each. With one call in flight the two take turns, and a
 * side whose processes happen to share a core would be measured by its scheduler's choice instead of by its work.
 */
import { execFileSync } from "node:child_process";
import { availableParallelism } from "node:os";

/** Pins them, or lets them run anywhere. False where that cannot be done: not Linux, one core, or no `taskset`. */
export function pinApart(apart: boolean, caller: number, called: number): boolean {
  if (process.platform !== "linux" || availableParallelism() < 2) return false;
  const all = `0-${availableParallelism() - 1}`;
  return pin(caller, apart ? "0" : all) && pin(called, apart ? "1" : all);
}

function pin(processId: number, cores: string): boolean {
  try {
    execFileSync("taskset", ["--all-tasks", "--cpu-list", "--pid", cores, String(processId)], { stdio: "ignore" });
    return true;
  } catch {
    return false;
  }
}
