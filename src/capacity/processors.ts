/**
 * Who has which processor of a machine that the load shares with the system it is offered to. Where both may use all of
 * them, the load takes from the system what the system is being asked for, is late itself when the system is busy, and the capacity
 * that is found depends on how they happen to meet. So each gets its own, where Linux' `taskset` can be had.
 */
import { execFileSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { availableParallelism } from "node:os";

/** Numbers of processors, as Linux counts them. */
export interface Division {
  readonly system: readonly number[];
  readonly load: readonly number[];
}

/**
 * Leaves a processor to each process of the load, but never more than half of them: this process, and the system that it starts,
 * keep to the others from now on. Undefined where they have to be shared.
 */
export function leaveToLoad(loadProcesses: number): Division | undefined {
  const division = divided(ownProcessors(), loadProcesses);
  return division !== undefined && keepTo(division.system, process.pid) ? division : undefined;
}

export function divided(processors: readonly number[], loadProcesses: number): Division | undefined {
  const forLoad = Math.min(loadProcesses, Math.floor(processors.length / 2));
  return forLoad === 0 ? undefined : { system: processors.slice(0, -forLoad), load: processors.slice(-forLoad) };
}

/** So many nodes `synod up` starts: a system on one machine has little use for more. */
const nodesMax = 3;

/** How many processors are left to a system that shares this machine with the load. */
export function leftToSystem(division: Division | undefined, loadProcesses: number): number {
  return division?.system.length ?? Math.max(1, availableParallelism() - loadProcesses);
}

/**
 * How many nodes so many processors carry: one each. Of nodes that take turns on a processor it is the kernel's scheduler that is measured,
 * and what it does for whom in the few milliseconds that matter is chance.
 */
export function nodesCarriedBy(processors: number): number {
  return Math.min(nodesMax, processors);
}

/** Has a process, with all its threads and what it starts from now on, run on these only. False where that cannot be had. */
export function keepTo(processors: readonly number[], pid: number): boolean {
  try {
    execFileSync("taskset", ["--all-tasks", "--cpu-list", "--pid", processors.join(","), String(pid)], {
      stdio: "ignore",
    });
    return true;
  } catch {
    return false;
  }
}

/** Those that this process may use: a container, or whoever started it, may allow less than the machine has. */
function ownProcessors(): readonly number[] {
  try {
    const list = /^Cpus_allowed_list:\s*(\S+)$/m.exec(readFileSync("/proc/self/status", "latin1"))?.[1] ?? "";
    return listed(list);
  } catch {
    return [];
  }
}

/** `0-2,5` is 0, 1, 2 and 5. */
export function listed(list: string): readonly number[] {
  return [...list.matchAll(/(\d+)(?:-(\d+))?/g)].flatMap(([, from, to = from]) =>
    Array.from({ length: Number(to) - Number(from) + 1 }, (_, at) => Number(from) + at),
  );
}
