/**
 * Looks at one host of the store URL that is not the primary, for the moment in which it is promoted.
 *
 * A primary that was replaced and lives on would be believed for as long as it answers: nobody who asks only it can know
 * better. So a node also asks the others, far more often than a lease lasts. By the time in which a node that has met the new
 * primary may take over a shard, the shard's former owner knows of the promotion too, if it reaches that host at all.
 *
 * It writes nothing and decides nothing: what it has seen goes to {@link Timeline}, and the connections do the rest.
 */
import { Client as PgClient } from "pg";
import { hangUp } from "./goodbye.ts";
import { type Client, connectMaxMs } from "./primary.ts";
import { clusterNow } from "./server.ts";
import { type Timeline, timelineNow, timelineOf } from "./timeline.ts";

/** A lease is taken over 400 ms after its owner has stopped believing in it, at the earliest: the look has to be quicker. */
const lookEveryMs = 250;
/** How long an answer may take before the connection is given up. */
const answerMaxMs = 1_000;

const question = `SELECT ${clusterNow} AS cluster, CASE WHEN NOT pg_is_in_recovery() THEN ${timelineNow} END AS timeline`;

export interface LookoutOptions {
  /** The URL of one host. */
  readonly server: string;
  readonly timeline: Timeline;
  /** Whether that host is the primary, which the other connections see. */
  isPrimary(): boolean;
  /** Whether it is of another cluster. */
  isForeign(cluster: string): boolean;
}

export class Lookout {
  readonly #options: LookoutOptions;
  #client: Client | undefined;
  #timer: NodeJS.Timeout;
  #isClosed = false;

  constructor(options: LookoutOptions) {
    this.#options = options;
    this.#timer = this.#later();
  }

  close(): void {
    this.#isClosed = true;
    clearTimeout(this.#timer);
    this.#hangUp();
  }

  #later(): NodeJS.Timeout {
    return setTimeout(() => void this.#look(), lookEveryMs).unref();
  }

  async #look(): Promise<void> {
    const { isPrimary, timeline } = this.#options;
    if (isPrimary()) this.#hangUp();
    else {
      // A host that is down, or refuses this user, is for the connections to tell of.
      const seen = await this.#ask().catch(() => 0);
      if (seen > 0 && !this.#isClosed) timeline.admits(seen);
    }
    if (!this.#isClosed) this.#timer = this.#later();
  }

  /** The timeline of the host; 0 while it is a standby, or of another cluster. */
  async #ask(): Promise<number> {
    const client = this.#client ?? (await this.#connect());
    const timer = setTimeout(() => this.#hangUp(), answerMaxMs).unref();
    try {
      const { rows } = await client.query<{ readonly cluster: string; readonly timeline: string | null }>(question);
      const { cluster, timeline } = rows[0]!;
      return timeline === null || this.#options.isForeign(cluster) ? 0 : timelineOf(timeline);
    } catch (error) {
      this.#hangUp();
      throw error;
    } finally {
      clearTimeout(timer);
    }
  }

  async #connect(): Promise<Client> {
    const client: Client = new PgClient({
      connectionString: this.#options.server,
      connectionTimeoutMillis: connectMaxMs,
      application_name: "synod lookout",
      keepAlive: true,
    });
    this.#client = client;
    client.on("error", () => this.#forget(client));
    client.on("end", () => this.#forget(client));
    try {
      await client.connect();
      client.unref?.();
      return client;
    } catch (error) {
      this.#forget(client);
      throw error;
    }
  }

  #forget(client: Client): void {
    if (this.#client === client) this.#client = undefined;
  }

  #hangUp(): void {
    const client = this.#client;
    this.#client = undefined;
    if (client !== undefined) void hangUp(client);
  }
}
