/**
 * Who has which processor: the load the last one, what is measured all others. Where both share them, the load is late
 * when it matters, and the more is offered the less is left to answer it. Needs Linux' `taskset`; without it they share.
 */
import { execFileSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { availableParallelism, constants, setPriority } from "node:os";

const processors = availableParallelism();
let apart = false;

/** Takes this process and all its threads from the last processor; false where that cannot be. */
export function leaveLastProcessor(): boolean {
  if (processors < 2) return false;
  try {
    const others = `0-${processors - 2}`;
    execFileSync("taskset", ["--all-tasks", "--cpu-list", "--pid", others, String(process.pid)], { stdio: "ignore" });
    apart = true;
  } catch {
    apart = false;
  }
  return apart;
}

/** Puts this process before what else runs on the machine; false where that is not allowed. */
export function goFirst(): boolean {
  try {
    setPriority(constants.priority.PRIORITY_HIGH);
    return true;
  } catch {
    return false;
  }
}

/** How `fork` starts a process there, with these arguments for Node. */
export function onLastProcessor(execArgv: readonly string[]): { execPath?: string; execArgv: string[] } {
  if (!apart) return { execArgv: [...execArgv] };
  return {
    execPath: "taskset",
    execArgv: ["--cpu-list", String(processors - 1), process.execPath, ...execArgv],
  };
}

/** One tick of the kernel's accounts, ms: `USER_HZ`, which is 100 wherever Node runs on Linux. */
const tickMs = 10;

/** Processor time that all programs of the machine have taken since it started, ms; undefined where nobody says. */
export function machineBusyMs(): number | undefined {
  try {
    const [, user, nice, system, , , irq, softirq, steal] = readFileSync("/proc/stat", "latin1")
      .split(/ +/, 9)
      .map(Number);
    return tickMs * (user! + nice! + system! + irq! + softirq! + steal!);
  } catch {
    return undefined;
  }
}

/** Processor time of this process, ms. */
export function ownBusyMs(): number {
  const { user, system } = process.cpuUsage();
  return (user + system) / 1_000;
}
