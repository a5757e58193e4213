/**
 * Finds the server that may be written to among the hosts of a store URL, for all connections of one store.
 *
 * Think of somebody at a door with several bells: the one that answered last is rung first, and when it keeps silent the
 * next is rung without hanging up on the first, so that a host that has vanished costs a moment and not a timeout. Whoever
 * opens first and is the primary is taken. Only who has never been there rings all bells at once: a primary that was
 * replaced and lives on would open, too.
 *
 * A server that was promoted counts its log on a higher timeline than all before it; one on a lower timeline than was seen
 * (`timeline.ts`) is a primary of yesterday that does not know that it was replaced, and is never believed again (rule S5).
 */
import { setTimeout as pause } from "node:timers/promises";
import { Client as PgClient } from "pg";
import { SynodError } from "../../errors.ts";
import type { Log } from "../../ports/log.ts";
import { isRefusal, messageOf } from "./failures.ts";
import { hangUp } from "./goodbye.ts";
import type { PostgresLocation } from "./location.ts";
import { examine } from "./server.ts";
import { Timeline } from "./timeline.ts";

/** How long one host may take to answer a connection attempt. */
export const connectMaxMs = 2_000;
/** How long a host may keep silent before the next one is asked as well. */
const silenceMaxMs = 200;

/** Its types leave out that it can let the process end. */
export type Client = PgClient & { ref?(): void; unref?(): void };

/** A connection to a server that was the primary when it was asked. */
export interface Found {
  readonly client: Client;
  readonly timeline: number;
  /** Its place among the hosts. */
  readonly at: number;
}

/** Why a host was not taken. */
interface Failure {
  readonly reason: string;
  readonly error?: unknown;
  /** Whether it is about the host's settings, which another attempt will hardly find otherwise. */
  readonly isFinal?: boolean;
  readonly isForeign?: boolean;
}

/** What became of one host. */
type Attempt = Found | Failure;

export class Primary {
  readonly #location: PostgresLocation;
  /** What all connections of the store have seen. */
  readonly timeline: Timeline;
  /** The host that was the primary when it was last looked for; none at first. */
  #at: number | undefined;
  readonly #log: Log | undefined;
  /** That of the primary that was met first. */
  #cluster: string | undefined;
  readonly #foreign = new Set<number>();

  constructor(location: PostgresLocation, log: Log | undefined) {
    this.#location = location;
    this.#log = log;
    this.timeline = new Timeline(location.name, log);
  }

  /** The place of that host. */
  get at(): number | undefined {
    return this.#at;
  }

  /** Whether a primary at this place is one of another cluster, whose timelines mean nothing to this store. */
  isForeign(at: number, cluster: string): boolean {
    const { servers, name } = this.#location;
    this.#cluster ??= cluster;
    if (cluster === this.#cluster) return false;
    if (!this.#foreign.has(at)) {
      const { host } = new URL(servers[at]!);
      this.#log?.warn(`${host} belongs to another cluster than the primary of ${name}, and is passed by`);
    }
    this.#foreign.add(at);
    return true;
  }

  /** Connects for this kind of work. Rejects with the reasons of all hosts when none of them may be used. */
  async connect(role: string): Promise<Found> {
    const { servers, name } = this.#location;
    const last = this.#at;
    if (last === undefined) return await this.connectNewest(role, silenceMaxMs);
    const over = new AbortController();
    const attempts: Promise<Attempt>[] = [];
    for (let count = 0; count < servers.length; count++) {
      attempts.push(this.#attempt((last + count) % servers.length, role, attempts.at(-1), over.signal));
    }
    try {
      return await this.#take(attempts, firstOf(attempts, name));
    } finally {
      over.abort();
    }
  }

  /**
   * Connects to the one on the newest timeline of all hosts, of which each has its time; of those that keep silent for
   * longer than `othersMaxMs` after another was found, nothing is known.
   */
  async connectNewest(role: string, othersMaxMs: number = 2 * connectMaxMs): Promise<Found> {
    const { servers, name } = this.#location;
    const attempts = servers.map((_, at) => this.#tryServer(at, role));
    return await this.#take(attempts, newestOf(attempts, name, othersMaxMs));
  }

  async #take(attempts: readonly Promise<Attempt>[], choice: Promise<Found>): Promise<Found> {
    let taken: Found | undefined;
    try {
      taken = await choice;
      this.#at = taken.at;
      return taken;
    } finally {
      for (const attempt of attempts) void attempt.then((late) => hangUpUnless(taken, late));
    }
  }

  /** Begins when the host before it has failed, or has kept silent. */
  async #attempt(
    at: number,
    role: string,
    before: Promise<Attempt> | undefined,
    signal: AbortSignal,
  ): Promise<Attempt> {
    if (before !== undefined) {
      const silence = pause(silenceMaxMs, undefined, { signal }).catch(nothing);
      await Promise.race([silence, before]);
      if (signal.aborted) return { reason: "not asked" };
    }
    return await this.#tryServer(at, role);
  }

  /** Never rejects: a host that must not be used may be the former primary, and another one the primary. */
  async #tryServer(at: number, role: string): Promise<Attempt> {
    const client: Client = new PgClient({
      connectionString: this.#location.servers[at]!,
      connectionTimeoutMillis: connectMaxMs,
      application_name: `synod ${role}`,
      keepAlive: true,
    });
    client.on("error", nothing);
    try {
      await client.connect();
      const { fault, timeline, cluster } = await examine(client, this.#location);
      if (!fault?.isStandby && this.isForeign(at, cluster)) {
        void hangUp(client);
        return { reason: "a server of another cluster", isForeign: true };
      }
      // Whatever else is wrong with a former primary is nobody's business: the settings may be what it was fenced with.
      const isFormer = !fault?.isStandby && !this.timeline.admits(timeline);
      if (fault === undefined && !isFormer) return { client, timeline, at };
      void hangUp(client);
      if (!isFormer) return { reason: fault!.reason, isFinal: !fault!.isStandby };
      return { reason: `a former primary (timeline ${timeline}, and ${this.timeline.newest} was seen)` };
    } catch (error) {
      void hangUp(client);
      return { reason: messageOf(error), error };
    }
  }
}

/** The first that was found; rejects when there is none. */
async function firstOf(attempts: readonly Promise<Attempt>[], name: string): Promise<Found> {
  const first = Promise.withResolvers<Found>();
  const all = attempts.map(async (attempt): Promise<Failure> => {
    const result = await attempt;
    if (!("client" in result)) return result;
    first.resolve(result);
    return { reason: "" };
  });
  void Promise.all(all).then((failures) => first.reject(noneOf(failures, name)));
  return await first.promise;
}

async function newestOf(attempts: readonly Promise<Attempt>[], name: string, othersMaxMs: number): Promise<Found> {
  let newest = await firstOf(attempts, name);
  let isMixed = false;
  const all = attempts.map(async (attempt) => {
    const result = await attempt;
    if (!("client" in result)) isMixed ||= result.isForeign === true;
    else if (result.timeline > newest.timeline) newest = result;
  });
  const over = new AbortController();
  await Promise.race([Promise.all(all), pause(othersMaxMs, undefined, { signal: over.signal }).catch(nothing)]);
  over.abort();
  if (!isMixed) return newest;
  const message = `the hosts of ${name} are of different clusters: name only those of one in the store URL`;
  throw new SynodError("failed_precondition", message);
}

function noneOf(failures: readonly Failure[], name: string): SynodError {
  const reasonsOf = (some: readonly Failure[]): string => [...new Set(some.map(({ reason }) => reason))].join("; ");
  const final = failures.filter(({ isFinal }) => isFinal);
  if (final.length > 0) return new SynodError("failed_precondition", `${name} ${reasonsOf(final)}`);
  const cause = failures.find(({ error }) => isRefusal(error))?.error;
  const message = `${name} cannot be reached: ${reasonsOf(failures)}`;
  return new SynodError("unavailable", message, cause === undefined ? {} : { cause });
}

function hangUpUnless(taken: Found | undefined, late: Attempt): void {
  if ("client" in late && late !== taken) void hangUp(late.client);
}

function nothing(): void {}
