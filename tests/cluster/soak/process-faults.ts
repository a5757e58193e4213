/** Faults of processes: they die, stand still, and are restarted on purpose; and so does their supervisor. */
import { kill9, until } from "../../host/running-system.ts";
import type { Cluster } from "../cluster.ts";
import { wake } from "../cluster.ts";
import { anywhere, type FaultKind, pause } from "./scene.ts";

/** Longer than a lease lasts, and shorter than a supervisor's patience. */
export const stoppedMs = 10_000;
/** A node that is just being started has no process that serves; a supervisor that is, no answer. */
const findMaxMs = 30_000;
const restartMaxMs = 60_000;

const kill: FaultKind = {
  name: "kill -9",
  isPossible: anywhere,
  strike: async ({ cluster, note }, { node, force }) => {
    // Now and then it dies again as soon as it is back.
    for (let times = force > 0.6 ? 2 : 1; times > 0; times--) {
      const pid = await pidOf(cluster, node);
      note("kill", node);
      kill9(pid);
      await pause(500);
    }
  },
};

const stop: FaultKind = {
  name: "SIGSTOP for 10 s",
  isPossible: anywhere,
  strike: async ({ cluster, note }, { node }) => {
    const pid = await pidOf(cluster, node);
    note("stop", node);
    signal(pid, "SIGSTOP");
    try {
      await pause(stoppedMs);
    } finally {
      wake(pid);
      note("continue", node);
    }
  },
};

const rolling: FaultKind = {
  name: "rolling restart",
  isPossible: anywhere,
  strike: async ({ cluster, note }) => {
    for (const node of cluster.nodeIds) {
      note("restart", node);
      await patiently(() => cluster.restart(node));
    }
  },
};

const drain: FaultKind = {
  name: "drain and restart",
  isPossible: anywhere,
  strike: async ({ cluster, note }, { node }) => {
    note("drain", node);
    await patiently(() => cluster.drain(node));
    await pause(1_000);
    note("restart", node);
    await patiently(() => cluster.restart(node));
  },
};

const orphan: FaultKind = {
  name: "supervisor killed",
  isPossible: anywhere,
  strike: async ({ cluster, note }) => {
    note("kill supervisor");
    await cluster.killSupervisor();
    note("supervisor started");
  },
};

/** The process that serves as that node; waits for it. */
export async function pidOf(cluster: Cluster, node: string): Promise<number> {
  const find = async () =>
    (await cluster.nodes().catch(() => [])).find(({ id, state }) => id === node && state === "ready");
  return await until(`${node} serves`, async () => (await find())?.pid, findMaxMs);
}

/** Planned work meets nodes that die, and a supervisor that is killed: whoever restarts a system goes on until it is done. */
async function patiently(work: () => Promise<void>): Promise<void> {
  const end = performance.now() + restartMaxMs;
  for (;;) {
    try {
      return await work();
    } catch (error) {
      if (performance.now() > end) throw error;
      await pause(500);
    }
  }
}

/** To a process that may be dead by now, of another fault. */
export function signal(pid: number, name: NodeJS.Signals): void {
  try {
    process.kill(pid, name);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "ESRCH") throw error;
  }
}

export const processFaults: readonly FaultKind[] = [kill, stop, rolling, drain, orphan];
