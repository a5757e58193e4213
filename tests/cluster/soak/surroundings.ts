/**
 * What this machine lets a soak do. Packets can be lost and a disk can be small where a network and a mount namespace
 * of one's own may be made: as root, or where users may be root in a namespace. A wall clock can jump where libfaketime is
 * installed. What is missing is left out, and the report says why.
 */
import { execFileSync, spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { existsSync, mkdirSync, writeFileSync } from "node:fs";
import { arch, platform } from "node:os";
import { join } from "node:path";

export interface Surroundings extends Disposable {
  /** Whether the loopback network is ours alone, so that its packets may be lost. */
  readonly ownNetwork: boolean;
  /** Where a small disk is mounted; undefined where none can be. */
  readonly smallDisk: string | undefined;
  /** The library that sets wall clocks, and the folder of its files. */
  readonly clocks: { readonly library: string; readonly folder: string } | undefined;
  /** Why something is missing, for the report. */
  readonly missing: readonly string[];
}

const insideVariable = "SYNOD_SOAK_INSIDE";
const small = "512m";

/** `unshare` with these words makes namespaces of one's own, of which the first that works is taken. */
const ways = [
  ["--net", "--mount"],
  ["--user", "--map-root-user", "--net", "--mount"],
] as const;

/**
 * Runs this same program again in namespaces of its own, where they can be made; resolves with its exit code, or with
 * undefined in the process that is to do the work.
 */
export async function moveIn(): Promise<number | undefined> {
  if (process.env[insideVariable] !== undefined || platform() !== "linux") return undefined;
  const way = ways.find((words) => spawnSync("unshare", [...words, "true"]).status === 0);
  if (way === undefined) return undefined;
  const command = [...way, process.execPath, ...process.execArgv, ...process.argv.slice(1)];
  const child = spawn("unshare", command, {
    env: { ...process.env, [insideVariable]: way.join(" ") },
    // The channel is closed when this process ends, however it does: then the one inside cleans up.
    stdio: ["inherit", "inherit", "inherit", "ipc"],
  });
  for (const signal of ["SIGINT", "SIGTERM"] as const) process.on(signal, () => child.kill(signal));
  const [code] = (await once(child, "exit")) as [number | null];
  return code ?? 1;
}

/** Takes hold of what there is, in a folder of the soak. */
export function surroundingsIn(folder: string): Surroundings {
  const missing: string[] = [];
  const inside = process.env[insideVariable] !== undefined;
  const attempt = <Value>(what: string, make: () => Value): Value | undefined => {
    try {
      if (!inside && what !== "wall-clock jumps") throw new Error("no namespaces of one's own can be made here");
      return make();
    } catch (error) {
      missing.push(`${what}: ${(error as Error).message.split("\n")[0]}`);
      return undefined;
    }
  };
  const ownNetwork = attempt("loss of packets", takeNetwork) ?? false;
  const smallDisk = attempt("full disk", () => mountSmallDisk(join(folder, "disk")));
  const clocks = attempt("wall-clock jumps", () => clocksIn(join(folder, "clocks")));
  const dispose = (): void => {
    // Lazily: whoever still has a file open there keeps what is left of it.
    if (smallDisk !== undefined) execFileSync("umount", ["--lazy", smallDisk]);
  };
  return { ownNetwork, smallDisk, clocks, missing, [Symbol.dispose]: dispose };
}

/** Rules may then come before the one by which everything that is local is delivered. */
function takeNetwork(): true {
  ip("link", "set", "lo", "up");
  ip("rule", "add", "pref", "100", "lookup", "local");
  ip("rule", "del", "pref", "0");
  return true;
}

export function ip(...words: readonly string[]): void {
  execFileSync("ip", words, { stdio: ["ignore", "ignore", "pipe"] });
}

function mountSmallDisk(folder: string): string {
  mkdirSync(folder);
  execFileSync("mount", ["-t", "tmpfs", "-o", `size=${small}`, "tmpfs", folder], { stdio: "pipe" });
  return folder;
}

function clocksIn(folder: string): { library: string; folder: string } {
  const triplets = { x64: "x86_64-linux-gnu", arm64: "aarch64-linux-gnu" } as Readonly<Record<string, string>>;
  const library = `/usr/lib/${triplets[arch()] ?? arch()}/faketime/libfaketimeMT.so.1`;
  if (!existsSync(library)) throw new Error("libfaketime is not installed (Debian: apt-get install libfaketime)");
  mkdirSync(folder);
  for (const name of ["supervisor", "node-1", "node-2", "node-3"]) writeFileSync(join(folder, name), "+0");
  return { library, folder };
}

/** With what a process is started whose clock can be set; which one, it says itself (`instrument.ts`). */
export function clockEnvironment({ library, folder }: NonNullable<Surroundings["clocks"]>): Record<string, string> {
  return {
    LD_PRELOAD: library,
    FAKETIME_TIMESTAMP_FILE: join(folder, "supervisor"),
    // Seconds for which the file is believed; and nothing but the wall clock and what comes of it.
    FAKETIME_CACHE_DURATION: "1",
    FAKETIME_DONT_FAKE_MONOTONIC: "1",
    NO_FAKE_STAT: "1",
  };
}
