/** PgBouncer in transaction mode before a server, where it is installed (`apt-get install pgbouncer`): sessions belong to nobody. */
import { spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { chownSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { until } from "../host/running-system.ts";
import { freePort, type PostgresServer, query, unprivileged } from "./server.ts";

/** Sessions with the server, for however many clients. */
export const poolSessionsMax = 2;
const startMaxMs = 10_000;

/** Why there can be none; undefined when it is installed. */
export function obstacle(): string | undefined {
  return spawnSync("pgbouncer", ["--version"]).error === undefined ? undefined : "PgBouncer is not installed here";
}

export interface Pooler extends AsyncDisposable {
  /** Of the server behind, without a database. */
  readonly url: string;
  /** Whoever has a session behind it gets one of this server for the next transaction. */
  leadTo(server: PostgresServer): void;
}

export async function startPooler(server: PostgresServer): Promise<Pooler> {
  const folder = mkdtempSync(join(tmpdir(), "synod-pooler-"));
  const port = await freePort();
  const users = join(folder, "users.txt");
  const settings = join(folder, "pgbouncer.ini");
  writeFileSync(users, '"synod" ""\n');
  const configure = (behind: PostgresServer): void => {
    const lines = [
      ...["[databases]", `postgres = host=${behind.address} port=${behind.port}`, "[pgbouncer]"],
      ...["listen_addr = 127.0.0.1", `listen_port = ${port}`, "unix_socket_dir =", "auth_type = trust"],
      ...[`auth_file = ${users}`, "pool_mode = transaction", `default_pool_size = ${poolSessionsMax}`],
    ];
    writeFileSync(settings, `${lines.join("\n")}\n`);
  };
  configure(server);
  const user = unprivileged();
  const { uid, gid } = user;
  if (uid !== undefined && gid !== undefined) for (const path of [folder, users, settings]) chownSync(path, uid, gid);
  const child = spawn("pgbouncer", ["-q", settings], { ...user, stdio: ["ignore", "ignore", "pipe"] });
  let said = "";
  child.stderr.setEncoding("utf8").on("data", (text: string) => (said += text));
  const url = `postgres://synod@127.0.0.1:${port}`;
  const stop = async (): Promise<void> => {
    if (child.exitCode === null && child.signalCode === null) {
      const exited = once(child, "exit");
      child.kill("SIGKILL");
      await exited;
    }
    rmSync(folder, { recursive: true, force: true });
  };
  try {
    const answers = (): Promise<boolean> =>
      query(`${url}/postgres`, "SELECT 1").then(
        () => true,
        () => false,
      );
    await until("PgBouncer answers", answers, startMaxMs);
  } catch (error) {
    await stop();
    throw new Error(`PgBouncer does not start: ${said}`, { cause: error });
  }
  const leadTo = (next: PostgresServer): void => {
    configure(next);
    child.kill("SIGHUP");
  };
  return { url, leadTo, [Symbol.asyncDispose]: stop };
}
