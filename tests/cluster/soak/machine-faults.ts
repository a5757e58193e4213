/** Faults of what the nodes stand on: the store's lock is taken or its server killed, the disk is full, the wall clock jumps. */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { closeSync, openSync, renameSync, rmSync, statfsSync, writeFileSync, writeSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { wake } from "../cluster.ts";
import { pidOf, signal, stoppedMs } from "./process-faults.ts";
import { type FaultKind, pause } from "./scene.ts";

const lockedMs = 5_000;
const fullMs = 5_000;
const awayMsMax = 6_000;
/** Until every node has a commit that waits for the lock. */
const gatheringMs = 400;
/** For how long a node that goes on does not hear from the store. */
const deafMs = 1_000;
const jumpedMs = 6_000;
/** How far the wall clock jumps, at the most, seconds. */
const jumpMax = 3_600;

const lock: FaultKind = {
  name: "store locked",
  isPossible: (_, server) => server === undefined,
  strike: async ({ cluster, note }) => {
    const release = await lockStore(cluster.database);
    if (release === undefined) return;
    note("lock store");
    await pause(lockedMs);
    await release();
    note("unlock store");
  },
};

/**
 * A node stands still with commits on their way that wait for the store's lock: when it goes on, they are written before
 * it has heard that others have taken over. Only the store can refuse them.
 */
const stopBehindLock: FaultKind = {
  name: "SIGSTOP behind a lock",
  isPossible: (_, server) => server === undefined,
  strike: async ({ cluster, note }, { node }) => {
    const pid = await pidOf(cluster, node);
    const release = await lockStore(cluster.database);
    note("lock store");
    await pause(gatheringMs);
    note("stop", node);
    signal(pid, "SIGSTOP");
    try {
      await release?.();
      note("unlock store");
      await pause(stoppedMs);
    } finally {
      // Behind another lock it cannot hear for a while that its lease has ended: only its clocks tell it.
      const releaseAgain = await lockStore(cluster.database);
      wake(pid);
      note("continue", node);
      await pause(deafMs);
      await releaseAgain?.();
    }
  },
};

/** Takes the write lock of a store in a process of its own; undefined when it cannot be had. */
async function lockStore(database: string): Promise<(() => Promise<void>) | undefined> {
  const program = fileURLToPath(new URL("../../conformance/sqlite-lock.ts", import.meta.url));
  const holder = spawn(process.execPath, [program, database], { stdio: ["pipe", "pipe", "ignore"] });
  const ended = once(holder, "exit");
  // One that does not get the lock in all the seconds that it tries ends without a word.
  const locked = await Promise.race([once(holder.stdout, "data"), ended.then(() => undefined)]);
  if (locked === undefined) return undefined;
  return async () => {
    holder.stdin.end();
    await ended;
  };
}

const full: FaultKind = {
  name: "disk full",
  isPossible: ({ smallDisk }, server) => smallDisk !== undefined && server === undefined,
  strike: async ({ surroundings, note }) => {
    const ballast = join(surroundings.smallDisk!, "ballast");
    note("fill disk");
    try {
      fill(ballast, surroundings.smallDisk!);
      await pause(fullMs);
    } finally {
      rmSync(ballast, { force: true });
      note("free disk");
    }
  },
};

/** Writes until there is no room. */
function fill(path: string, disk: string): void {
  const file = openSync(path, "w");
  try {
    const { bsize, bavail } = statfsSync(disk);
    const block = Buffer.alloc(bsize * 256);
    for (let blocks = Math.ceil(bavail / 256) + 1; blocks > 0; blocks--) writeSync(file, block);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "ENOSPC") throw error;
  } finally {
    closeSync(file);
  }
}

const killServer: FaultKind = {
  name: "store killed",
  isPossible: (_, server) => server !== undefined,
  strike: async ({ server, note }, { force }) => {
    note("kill store");
    await server!.kill();
    await pause(awayMsMax * force);
    await server!.start();
    note("start store");
  },
};

const clock: FaultKind = {
  name: "wall clock jumps",
  isPossible: ({ clocks }) => clocks !== undefined,
  strike: async ({ surroundings, note }, { node, force }) => {
    const file = join(surroundings.clocks!.folder, node);
    const seconds = Math.round((2 * force - 1) * jumpMax);
    note("set clock", node, seconds);
    setClock(file, seconds);
    await pause(jumpedMs);
    setClock(file, 0);
    note("set clock", node, 0);
  },
};

/** At once: who reads it finds one or the other. */
function setClock(file: string, seconds: number): void {
  writeFileSync(`${file}.next`, `${seconds < 0 ? "" : "+"}${seconds}`);
  renameSync(`${file}.next`, file);
}

export const machineFaults: readonly FaultKind[] = [lock, stopBehindLock, killServer, full, clock];
