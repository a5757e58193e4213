/** Whether a server may be believed: that it is the primary, and that what it acknowledges has reached its disk. */
import type { Client } from "pg";
import type { PostgresLocation } from "./location.ts";
import { timelineNow, timelineOf } from "./timeline.ts";

/** The oldest PostgreSQL whose settings and functions are as they are used here. */
const versionMin = 14;
/** How long the server may take to tell its settings. */
const answerMaxMs = 2_000;

export interface Examined {
  /** Undefined when the server may be used. */
  readonly fault: ServerFault | undefined;
  /** On which it writes its log: a server that is promoted begins the next one. 0 for a standby. */
  readonly timeline: number;
  /**
   * The number that a cluster has from its initdb: that of its standbys, too, and of no other. Empty where there is one
   * host only: not every service of PostgreSQL tells it.
   */
  readonly cluster: string;
}

export interface ServerFault {
  readonly reason: string;
  /** Whether it is that; else it is about settings, which another attempt will hardly find otherwise. */
  readonly isStandby: boolean;
}

interface Settings {
  readonly version: number;
  readonly recovering: boolean;
  readonly encoding: string;
  readonly isolation: string;
  readonly readonly: string;
  readonly fsync: string;
  readonly pages: string;
  readonly commit: string;
  readonly standbys: string;
  /** Eight hexadecimal digits. */
  readonly timeline: string | null;
  readonly cluster: string;
}

/** Of the cluster of the server that runs it. */
export const clusterNow = "(SELECT system_identifier::text FROM pg_control_system())";

const question = (
  cluster: string,
): string => `SELECT current_setting('server_version_num')::integer AS version, pg_is_in_recovery() AS recovering,
  current_setting('server_encoding') AS encoding, current_setting('default_transaction_isolation') AS isolation,
  current_setting('default_transaction_read_only') AS readonly, current_setting('fsync') AS fsync,
  current_setting('full_page_writes') AS pages, current_setting('synchronous_commit') AS commit,
  current_setting('synchronous_standby_names') AS standbys,
  ${cluster} AS cluster, CASE WHEN NOT pg_is_in_recovery() THEN ${timelineNow} END AS timeline`;

export async function examine(client: Client, { unsafe, servers }: PostgresLocation): Promise<Examined> {
  const timer = setTimeout(() => void client.end(), answerMaxMs);
  try {
    const { rows } = await client.query<Settings>(question(servers.length > 1 ? clusterNow : "''"));
    const settings = rows[0]!;
    const { cluster, recovering } = settings;
    const timeline = timelineOf(settings.timeline);
    if (recovering) return { fault: { reason: "a standby, not the primary", isStandby: true }, timeline, cluster };
    const reason = misfit(settings) ?? (unsafe ? undefined : danger(settings));
    return { fault: reason === undefined ? undefined : { reason, isStandby: false }, timeline, cluster };
  } finally {
    clearTimeout(timer);
  }
}

function misfit({ version, encoding, isolation, readonly }: Settings): string | undefined {
  if (version < versionMin * 10_000) {
    return `is PostgreSQL ${Math.floor(version / 10_000)}: use version ${versionMin} or newer`;
  }
  if (encoding !== "UTF8") return `has the encoding ${encoding}: create the database with UTF8`;
  if (isolation !== "read committed") {
    return `begins transactions as ${isolation}: set default_transaction_isolation to 'read committed' for this user`;
  }
  if (readonly !== "off") {
    const unless = "unless it was replaced by another server, and that one has to be in the store URL";
    return `begins transactions read-only: set default_transaction_read_only to off for this user, ${unless}`;
  }
  return undefined;
}

function danger({ fsync, pages, commit, standbys }: Settings): string | undefined {
  const loses = (setting: string, by: string): string =>
    `has ${setting} and would lose acknowledged commands ${by}: change it, or add unsafe=true to the store URL`;
  if (fsync === "off") return loses("fsync = off", "when its machine crashes");
  if (pages === "off") return loses("full_page_writes = off", "when its machine crashes");
  if (commit === "off") return loses("synchronous_commit = off", "when it crashes");
  if (commit === "local" && standbys !== "") return loses("synchronous_commit = local", "when a standby takes over");
  return undefined;
}
