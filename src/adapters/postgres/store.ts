/**
 * The store port on PostgreSQL, for the nodes of any number of machines.
 *
 * Every request is one statement that calls one function of the store's schema, so it is one transaction, one round trip,
 * and nothing is ever held between two of them. A node has five connections, so that no kind of work waits for
 * another: heartbeats, ownership and upkeep, commits in two lanes, reads.
 */
import { SynodError } from "../../errors.ts";
import { batchFault } from "../../ports/batch.ts";
import type { Log } from "../../ports/log.ts";
import {
  type ClaimedShard,
  type ClaimRequest,
  type ClaimResult,
  type CommitBatch,
  type CommitResult,
  compareShards,
  type JoinRequest,
  type Member,
  type RenewResult,
  type Store,
  type StoreIdentity,
  type TrimRequest,
  type TrimResult,
  type View,
} from "../../ports/store.ts";
import type { RefusalReason } from "./commit-sql.ts";
import { Connection, closed, type Row, type Statement } from "./connection.ts";
import { commitFailure, lossError, storeError } from "./failures.ts";
import { type PostgresLocation, readPostgresUrl } from "./location.ts";
import { Lookout } from "./lookout.ts";
import { numbers, packBatch, packRange, texts } from "./packing.ts";
import { type Patience, patiently } from "./patience.ts";
import { Primary } from "./primary.ts";
import { type FoundRow, highestStatement, readsOf, rowsAndTimersStatement, rowsStatement } from "./reads.ts";
import { isReplaced, prepareSchema, quoted, type StoreFunction } from "./schema.ts";
import { StateVersions } from "./state-versions.ts";
import { timelineNow } from "./timeline.ts";

export interface PostgresStoreOptions {
  /** `postgres://USER:PASSWORD@HOST:PORT/DATABASE`; several hosts with commas between them; see `location.ts`. */
  readonly url: string;
  /** The system that the store belongs to; the store of another one is refused. */
  readonly system: string;
  /** Where trouble that no answer tells of is reported. */
  readonly log?: Log;
  /** Fixed when the store is created. */
  readonly shardsPerService?: number;
  /** Whether servers that cannot be reached are waited for; without it, one attempt is made. */
  readonly patience?: Patience;
}

/** Commits of one node under way at a time: the server works on one while the node makes the next. */
const commitLanes = 2;
/** How long the server may work on a heartbeat: less than half of a lease's time (2 s), so that there is time for another. */
const heartbeatStatementMaxMs = 800;
/** How long its answer may take. */
const heartbeatMaxMs = 950;
/** How long other requests may take. Before that the server gives up waiting for locks. */
const answerMaxMs = 5_000;

/**
 * Opens a store. Rejects with one sentence when the server must not be believed or the schema is not this system's.
 *
 * @example
 * ```ts
 * import { openPostgresStore } from "synod/postgres";
 *
 * const open = () => openPostgresStore({ url: "postgres://synod@localhost/bank", system: "bank" });
 * console.assert(typeof open === "function");
 * ```
 */
export async function openPostgresStore({
  url,
  system,
  log,
  shardsPerService = 64,
  patience = { forMs: 0 },
}: PostgresStoreOptions): Promise<Store> {
  const location = readPostgresUrl(url, system);
  const primary = new Primary(location, log);
  const connectionFor = (role: string): Connection => new Connection(primary, { role, name: location.name, log });
  const connections = {
    heartbeat: connectionFor("heartbeat"),
    ownership: connectionFor("ownership"),
    commits: Array.from({ length: commitLanes }, () => connectionFor("commits")),
    read: connectionFor("reads"),
  };
  try {
    const prepare = (): Promise<StoreIdentity> =>
      prepareSchema(connections.ownership, location, { system, shardsPerService });
    const identity = await patiently(prepare, { name: location.name, patience, log });
    return new PostgresStore(identity, location, { ...connections, lookouts: lookoutsOf(location, primary) }, log);
  } catch (error) {
    await Promise.all(
      Object.values(connections)
        .flat()
        .map((connection) => connection.close()),
    );
    throw storeError(error, location.name);
  }
}

/** One for each host, so that whichever becomes the primary is seen; none where there is no other host. */
function lookoutsOf({ servers }: PostgresLocation, primary: Primary): readonly Lookout[] {
  if (servers.length < 2) return [];
  const { timeline } = primary;
  return servers.map((server, place) => {
    const isForeign = (cluster: string): boolean => primary.isForeign(place, cluster);
    return new Lookout({ server, timeline, isPrimary: () => primary.at === place, isForeign });
  });
}

interface Connections {
  readonly lookouts: readonly Lookout[];
  readonly heartbeat: Connection;
  readonly ownership: Connection;
  readonly read: Connection;
  /** One for each lane. */
  readonly commits: readonly Connection[];
}

/** The highest count that each lane was answered. */
interface Acknowledged {
  readonly incarnation: number;
  readonly commits: readonly number[];
}

/** What functions take: JSON and arrays as text. */
type Argument = string | number | boolean | null;

class PostgresStore implements Store {
  readonly identity: StoreIdentity;
  readonly commitLanes: number = commitLanes;
  readonly #name: string;
  readonly #schemaName: string;
  readonly #schema: string;
  readonly #connections: Connections;
  readonly #reads: ReturnType<typeof readsOf>;
  readonly #log: Log | undefined;
  readonly #stateVersions = new StateVersions();
  /** The commits that were acknowledged to the incarnation which committed last; what a server must not be behind of. */
  #acknowledged: Acknowledged = { incarnation: 0, commits: [] };
  #closing: Promise<void> | undefined;

  constructor(
    identity: StoreIdentity,
    { name, schema }: PostgresLocation,
    connections: Connections,
    log: Log | undefined,
  ) {
    this.identity = identity;
    this.#log = log;
    this.#name = name;
    this.#schemaName = schema;
    this.#schema = quoted(schema);
    this.#connections = connections;
    const rows = rowsStatement(this.#schema);
    const highest = highestStatement(this.#schema);
    const rowsAndTimers = rowsAndTimersStatement(this.#schema);
    const ask = {
      rows: (document: string) => this.#readBy(rows, document),
      rowsAndTimers: (document: string, timers: string) => this.#readBy(rowsAndTimers, document, timers),
      highest: (document: string) => this.#readBy(highest, document),
    };
    this.#reads = readsOf(ask, name);
  }

  async join({ node, address, hosts }: JoinRequest): ReturnType<Store["join"]> {
    const hosted = JSON.stringify(hosts.map(({ service, stateVersion }) => ({ service, stateVersion })));
    const former = this.#acknowledged;
    const what = [node, address, hosted, former.incarnation, numbers(former.commits)];
    const answer = await this.#ask<JoinAnswer>(this.#connections.ownership, "join_member", what);
    if ("status" in answer) throw this.#lost();
    const { incarnation } = answer;
    await this.#refuseReplaced(node, incarnation);
    return { incarnation, view: viewOf(answer.view) };
  }

  /** After the join: a restore that comes later than that has ended its lease. */
  async #refuseReplaced(node: string, incarnation: number): Promise<void> {
    const { ownership } = this.#connections;
    let isOther: boolean;
    try {
      isOther = await isReplaced(ownership, this.#schemaName, this.identity);
    } catch (error) {
      throw storeError(error, this.#name);
    }
    if (!isOther) return;
    await this.endLease({ node, incarnation });
    const message = "has become another store, by a restore, since this node opened it: start the node again";
    throw new SynodError("failed_precondition", `${this.#name} ${message}`);
  }

  /**
   * As one text without arguments, because only so the server's own limit on its time can travel with it and bind
   * nothing that comes after.
   */
  async renew({ incarnation, draining, knownRevision }: Parameters<Store["renew"]>[0]): Promise<RenewResult> {
    const commits = this.#acknowledged.incarnation === incarnation ? this.#acknowledged.commits : [];
    const known = `${Math.trunc(knownRevision)}, '${numbers(commits.map(Math.trunc))}'`;
    const call = `renew(${Math.trunc(incarnation)}, ${draining ? "true" : "false"}, ${known})`;
    const select = fenced(`${this.#schema}.${call}`);
    const text = (timelineMin: string): string =>
      `SET LOCAL statement_timeout = ${heartbeatStatementMaxMs}; ${select(timelineMin)}`;
    const rows = await this.#run(this.#connections.heartbeat, { text, answerMaxMs: heartbeatMaxMs });
    const answer = rows[0]!.answer as RenewAnswer;
    if ("status" in answer) {
      if (answer.status === "lost") throw this.#lost();
      return { status: "ended" };
    }
    const { revision, renewals, view } = answer;
    return {
      status: "renewed",
      revision,
      renewals: new Map(renewals),
      view: view === null ? undefined : viewOf(view),
    };
  }

  async claim({ incarnation, shards, expired }: ClaimRequest): Promise<ClaimResult> {
    const answer = await this.#ask<ClaimAnswer>(this.#connections.ownership, "claim", [
      incarnation,
      texts(shards.map(({ service }) => service)),
      numbers(shards.map(({ number }) => number)),
      numbers(expired.map((lease) => lease.incarnation)),
      numbers(expired.map(({ renewals }) => renewals)),
    ]);
    if ("status" in answer) return answer;
    const claimed = answer.claimed
      .map(({ service, number, ...rest }) => ({ shard: { service, number }, ...rest }))
      .sort((a, b) => compareShards(a.shard, b.shard));
    for (const shard of claimed) this.#stateVersions.note(shard);
    return { status: "claimed", claimed, view: viewOf(answer.view) };
  }

  async release({ incarnation, shards }: Parameters<Store["release"]>[0]): Promise<void> {
    await this.#ask(this.#connections.ownership, "release", [
      incarnation,
      texts(shards.map(({ shard }) => shard.service)),
      numbers(shards.map(({ shard }) => shard.number)),
      numbers(shards.map(({ epoch }) => epoch)),
    ]);
  }

  async endLease({ node, incarnation }: Parameters<Store["endLease"]>[0]): Promise<{ readonly ended: boolean }> {
    return { ended: await this.#ask<boolean>(this.#connections.ownership, "end_lease", [node, incarnation]) };
  }

  async view(): Promise<View> {
    return viewOf(await this.#ask<ViewAnswer>(this.#connections.ownership, "view_json", []));
  }

  read: Store["read"] = (reads) => {
    return this.#closing === undefined ? this.#reads.read(reads) : Promise.reject(closed());
  };

  async commit(batch: CommitBatch): Promise<CommitResult> {
    if (this.#closing !== undefined) throw closed();
    const fault = batchFault(batch);
    if (fault !== undefined) return { status: "refused", error: fault };
    const shards = batch.shards.map(({ shard }) => ({ ...shard }));
    try {
      const lane = this.#freeLane();
      const raised = batch.shards.map((changes) => this.#stateVersions.raisedBy(changes));
      const statement = this.#call("commit_batch", packBatch(batch, lane + 1, raised));
      const [row] = await this.#connections.commits[lane]!.ask(statement);
      const answer = row!.answer as CommitAnswer;
      switch (answer.status) {
        case "committed":
          this.#acknowledge(batch.incarnation, lane, answer.commits);
          for (const version of raised) if (version !== null) this.#stateVersions.note(version);
          return { status: "committed", renewed: false };
        case "ended":
          return answer;
        case "fenced":
          return { status: "fenced", shards: answer.shards.map((at) => shards[at]!) };
        case "conflict":
          return { status: "conflict", entities: entitiesAt(batch, answer.entities) };
        case "refused":
          return { status: "refused", error: refusalOf(shards[answer.at]!, answer.reason) };
      }
    } catch (error) {
      return commitFailure(error, this.#name);
    }
  }

  /** The lane with the fewest commits before it. */
  #freeLane(): number {
    const open = this.#connections.commits.map((connection) => connection.open);
    return open.indexOf(Math.min(...open));
  }

  #acknowledge(incarnation: number, lane: number, count: number | null): void {
    const former = this.#acknowledged;
    if (count === null || incarnation < former.incarnation) return;
    const before = incarnation === former.incarnation ? former.commits : this.#connections.commits.map(() => 0);
    const commits = before.map((highest, index) => (index === lane ? Math.max(highest, count) : highest));
    this.#acknowledged = { incarnation, commits };
  }

  #lost(): SynodError {
    const error = lossError(this.#name, "it is behind what this node remembers");
    this.#log?.error(error.message);
    return error;
  }

  async trim(request: TrimRequest): Promise<TrimResult> {
    const { incarnation, shard, epoch, finishedBefore, timedCap, timedRowsMax, endedSessions, removeMax } = request;
    const ended = JSON.stringify(endedSessions.map((session) => ({ session, ...packRange(session) })));
    const bounds = [finishedBefore, timedCap, timedRowsMax, ended, removeMax];
    const what = [incarnation, shard.service, shard.number, epoch, ...bounds];
    return await this.#ask<TrimResult>(this.#connections.ownership, "trim_shard", what);
  }

  close(): Promise<void> {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  async #close(): Promise<void> {
    const { heartbeat, ownership, commits, read, lookouts } = this.#connections;
    for (const lookout of lookouts) lookout.close();
    const others = Promise.all([heartbeat, ownership, ...commits].map((connection) => connection.close()));
    await this.#reads.drained();
    await Promise.all([others, read.close()]);
  }

  async #readBy(text: string, ...documents: readonly string[]): Promise<readonly FoundRow[]> {
    const rows = await this.#run(this.#connections.read, { text, values: documents, answerMaxMs });
    return rows.filter(({ place }) => place !== null) as unknown as readonly FoundRow[];
  }

  #call(name: StoreFunction, values: readonly Argument[]): Statement {
    const places = values.map((_, index) => `$${index + 1}`).join(", ");
    return { text: fenced(`${this.#schema}.${name}(${places})`), values, answerMaxMs };
  }

  async #ask<Answer>(connection: Connection, name: StoreFunction, values: readonly Argument[]): Promise<Answer> {
    const rows = await this.#run(connection, this.#call(name, values));
    return rows[0]!.answer as Answer;
  }

  async #run(connection: Connection, statement: Statement): Promise<readonly Row[]> {
    try {
      return await connection.ask(statement);
    } catch (error) {
      throw storeError(error, this.#name);
    }
  }
}

/** The entities of a batch, of which an answer says the how many-eth they are in it, from 1 on. */
function entitiesAt(
  batch: CommitBatch,
  places: readonly number[],
): Extract<CommitResult, { status: "conflict" }>["entities"] {
  const entities = batch.shards.flatMap(({ shard, entities }) =>
    entities.map(({ key }) => ({ shard: { ...shard }, key })),
  );
  return places.map((place) => entities[place - 1]!);
}

/** One call, by a server that was not replaced: the condition is looked at once, and before the call. */
function fenced(call: string): (timelineMin: string) => string {
  const select = `SELECT ${call} AS answer, ${timelineNow} AS timeline WHERE ${timelineNow} >=`;
  return (timelineMin) => `${select} '${timelineMin}'`;
}

interface ViewAnswer {
  readonly revision: number;
  readonly members: readonly Member[];
  readonly shards: readonly (readonly [
    service: string,
    number: number,
    owner: number | null,
    epoch: number,
    stateVersion: number,
  ])[];
}

type JoinAnswer = { readonly status: "lost" } | { readonly incarnation: number; readonly view: ViewAnswer };

type RenewAnswer =
  | { readonly status: "ended" | "lost" }
  | {
      readonly revision: number;
      readonly renewals: readonly (readonly [incarnation: number, renewals: number])[];
      readonly view: ViewAnswer | null;
    };

type ClaimAnswer =
  | { readonly status: "ended" }
  | {
      readonly claimed: readonly (Omit<ClaimedShard, "shard"> & {
        readonly service: string;
        readonly number: number;
      })[];
      readonly view: ViewAnswer;
    };

/** Shards are counted from 0, entities from 1 over all shards. */
type CommitAnswer =
  | { readonly status: "committed"; readonly commits: number | null }
  | { readonly status: "ended" }
  | { readonly status: "fenced"; readonly shards: readonly number[] }
  | { readonly status: "conflict"; readonly entities: readonly number[] }
  | { readonly status: "refused"; readonly at: number; readonly reason: RefusalReason };

function viewOf({ revision, members, shards }: ViewAnswer): View {
  return {
    revision,
    members,
    shards: shards
      .map(([service, number, owner, epoch, stateVersion]) => {
        return { shard: { service, number }, owner, epoch, stateVersion };
      })
      .sort((a, b) => compareShards(a.shard, b.shard)),
  };
}

function refusalOf({ service, number }: { service: string; number: number }, reason: RefusalReason): SynodError {
  return reason === "numbers"
    ? new SynodError("invalid_argument", `this commit of ${service}/${number} uses a number that is not for it`)
    : new SynodError(
        "failed_precondition",
        `${service}/${number} has forgotten timed keys as old as one in this batch`,
      );
}
