/**
 * The simulated store: one database (the memory adapter's, with its own rules) behind a server that is slow, cannot
 * be reached from everywhere, is restarted, has its write lock held by somebody else, and loses answers. Each process
 * gets a store port of its own.
 *
 * It is of one of two kinds, after the two adapters for real stores. A `file` (SQLite) has one writer. A `server` (PostgreSQL)
 * works on many writes at a time and is done with each when it is done, takes two commits of a node at a time (decision
 * 0012), leaves leases to heartbeats, and can be lost and replaced by a standby.
 *
 * It keeps the port's contract: what it answers is the truth, durably; what it rejects is unknown, and may have been
 * applied, or may be applied later still, as by a server that works off what a client has given up (rule S3).
 */
import { commit, read, trim } from "../../adapters/memory/changes.ts";
import type { MemoryDatabase } from "../../adapters/memory/database.ts";
import { claim, endLease, join, release, renew, view } from "../../adapters/memory/membership.ts";
import { SynodError } from "../../errors.ts";
import type { CommitBatch, CommitResult, Read, Store } from "../../ports/store.ts";
import { chance, type Prng } from "../../values/prng.ts";
import type { Process } from "./process.ts";
import { Standby } from "./promotion.ts";
import { isMinor, wordsOfAnswer, wordsOfRequest } from "./store-words.ts";
import { between, skewed, type World } from "./world.ts";

export type StoreMethod = Exclude<keyof Store, "identity" | "commitLanes" | "close">;

/** See above; {@link MemoryDatabase.commitsRenew} of the database goes with it. */
export type StoreKind = "file" | "server";

/** What passes between a machine and the store: everything, requests only, or answers only. */
export type StoreWays = "neither" | "requests" | "answers";

/** How requests are answered; mutations put their own between. */
export type Answers = {
  readonly [Method in StoreMethod]: (database: MemoryDatabase, request: never) => unknown;
};

/** The functions of the memory adapter, by the method that they answer. */
export const honestAnswers: Answers = { join, renew, claim, release, endLease, view, read, commit, trim };

/** What is told of every request that reached the database, in the order in which they did. */
export interface StoreObserver {
  /** A process sends its commit; what was executed until now may be in it. Returns what `committed` is told. */
  commitSent(process: Process, batch: CommitBatch): unknown;
  /** A commit is about to be decided on what the database holds now. */
  deciding(database: MemoryDatabase, batch: CommitBatch): void;
  committed(process: Process, batch: CommitBatch, result: CommitResult, sent: unknown): void;
  /** The process is told; when nothing was written, it goes back to what is durable. */
  delivered(process: Process, batch: CommitBatch, result: CommitResult): void;
  /** An entity, or a record, is going to be read for a process. */
  readSent(process: Process, reads: readonly Read[]): void;
  answered(process: Process, method: StoreMethod, request: unknown, answer: unknown): void;
}

export interface StoreWeather {
  /** One way between a node and the store, ms. */
  delayMinMs: number;
  delayMaxMs: number;
  /** What a write takes at the store, ms; writes go one by one. */
  writeMinMs: number;
  writeMaxMs: number;
  /** How likely it is that a request is lost on its way, that its answer is, or that it arrives much too late. */
  requestLost: number;
  answerLost: number;
  late: number;
}

/** How long a node waits for an answer that does not come, ms. */
const answerWaitMinMs = 50;
const answerWaitMaxMs = 2_000;
/** How long a write waits for the write lock, ms. */
const lockWaitMaxMs = 1_000;
/** How late a request may arrive that its sender has given up, ms. */
const lateMaxMs = 6_000;

/** Commits of one node under way at a time, as on PostgreSQL. */
const serverLanes = 2;

/** How long after the last renewal no lease is held any more: its time, the margin, and clocks that run slowly, ms. */
const leasesOverMs = 2_500;

const reading: ReadonlySet<StoreMethod> = new Set(["read", "view"]);

export class SimulatedStore {
  readonly world: World;
  readonly database: MemoryDatabase;
  readonly weather: StoreWeather;
  /** Chance of each process's requests, by method: what one asks for moves nothing for another. */
  readonly #prngs = new Map<string, Prng>();
  readonly #answers: Answers;
  readonly #observer: StoreObserver;
  readonly #kind: StoreKind;
  readonly #standby: Standby;
  /** How many faults keep requests, and answers, of each machine from passing. */
  readonly #blocked = { requests: new Map<string, number>(), answers: new Map<string, number>() };
  /** What each machine's requests and answers take besides, ms. */
  readonly #slowness = new Map<string, number>();
  /** Until when somebody else holds the write lock, and until when the store writes what it has; ms. */
  #lockedUntil = 0;
  #writingUntil = 0;
  /** Faults that keep it down. */
  #stops = 0;
  /** When the primary was lost the last time, ms. */
  #lostAt = 0;
  /** Counts restarts: what was under way before one is lost. */
  #run = 0;
  /** Writes that are under way, each as what decides it. */
  readonly #writes = new Set<() => void>();

  constructor(
    world: World,
    options: {
      readonly database: MemoryDatabase;
      readonly weather: StoreWeather;
      readonly kind?: StoreKind;
      readonly answers?: Answers;
      readonly observer: StoreObserver;
    },
  ) {
    this.world = world;
    this.database = options.database;
    this.weather = options.weather;
    this.#kind = options.kind ?? "file";
    this.#standby = new Standby(options.database);
    this.#answers = options.answers ?? honestAnswers;
    this.#observer = options.observer;
  }

  /** The store as one process sees it. */
  portOf(process: Process): Store {
    let closed = false;
    const ask = async (method: StoreMethod, request: unknown): Promise<never> => {
      if (closed) throw new SynodError("failed_precondition", "the connection to the store is closed");
      return this.#ask(process, method, request);
    };
    const { identity } = this.database;
    return {
      identity: { ...identity, secret: identity.secret.slice() },
      ...(this.#kind === "server" && { commitLanes: serverLanes }),
      join: (request) => ask("join", request),
      renew: (request) => ask("renew", request),
      claim: (request) => ask("claim", request),
      release: (request) => ask("release", request),
      endLease: (request) => ask("endLease", request),
      view: () => ask("view", undefined),
      read: (reads) => ask("read", reads),
      commit: (batch) => ask("commit", batch),
      trim: (request) => ask("trim", request),
      close: async () => {
        closed = true;
      },
    };
  }

  /** Between the store and a machine passes only this, until the returned function has been called. */
  cutOff(host: string, passes: StoreWays = "neither"): () => void {
    const { requests, answers } = this.#blocked;
    const undo: (() => void)[] = [];
    if (passes !== "requests") undo.push(raised(requests, host, 1));
    if (passes !== "answers") undo.push(raised(answers, host, 1));
    return () => {
      for (const one of undo.splice(0)) one();
    };
  }

  /** Whatever passes between the store and a machine takes so much longer, until the returned function has been called. */
  slowDown(host: string, ms: number): () => void {
    const undo = [raised(this.#slowness, host, ms)];
    return () => {
      for (const one of undo.splice(0)) one();
    };
  }

  /** Another process holds the write lock for so long. */
  lock(ms: number): void {
    this.#lockedUntil = Math.max(this.#lockedUntil, this.world.now + ms);
  }

  stop(): void {
    this.#stops += 1;
    this.#run += 1;
  }

  start(): void {
    this.#stops = Math.max(0, this.#stops - 1);
  }

  /** The primary is gone. Of the writes under way some have reached a standby, and nobody is told. */
  losePrimary(): void {
    this.#lostAt = this.world.now;
    this.#stops += 1;
    this.#run += 1;
    const prng = this.world.momentaryPrng("store/losePrimary");
    for (const decide of [...this.#writes]) if (chance(prng, 0.5)) decide();
  }

  /**
   * A standby takes its place; `lags`: it has not got the end of the log (see `promotion.ts`). Who is missing there may
   * hold a lease all the same, so such a one is promoted only when all have run out, as managers of servers do it.
   */
  promote(lags: boolean): void {
    const isLate = this.world.now - this.#lostAt >= leasesOverMs;
    this.#standby.promote(this.world.momentaryPrng("store/promote"), lags && isLate);
    this.start();
  }

  #ask(process: Process, method: StoreMethod, request: unknown): Promise<never> {
    const { world, weather } = this;
    const prng = this.#prngOf(process, method);
    const copy = copyOf(request);
    const sent = method === "commit" ? this.#observer.commitSent(process, copy as CommitBatch) : undefined;
    if (method === "read") this.#observer.readSent(process, copy as readonly Read[]);
    const { trace } = world;
    const says = trace.kept ? wordsOfRequest(method, request) : "";
    const there = trace.sent(process.name, "store", [says], isMinor(method));
    return new Promise((resolve, reject) => {
      let settled = false;
      const settle = (end: () => void): void => {
        if (settled) return;
        settled = true;
        process.deliver(end);
      };
      const answer = (value: unknown): void => {
        const words = trace.kept ? wordsOfAnswer(method, value) : "";
        const back = trace.sent("store", process.name, [words], isMinor(method));
        if (!this.#passes("answers", process) || chance(prng, weather.answerLost)) return giveUp();
        const deliver = (): void => {
          trace.arrived(back);
          if (method === "commit") this.#observer.delivered(process, copy as CommitBatch, value as CommitResult);
          resolve(value as never);
        };
        world.after(this.#delayMs(prng, process), () => settle(deliver));
      };
      const giveUp = (): void => {
        const waitMs = between(prng, answerWaitMinMs, answerWaitMaxMs);
        world.after(waitMs, () => settle(() => reject(connectionLost())));
      };
      const serve = (): void => this.#serve(process, method, copy, sent, { answer, giveUp });
      if (!this.#passes("requests", process) || chance(prng, weather.requestLost)) return giveUp();
      if (method !== "read" && chance(prng, weather.late)) {
        giveUp();
        return void world.after(skewed(prng, 0, lateMaxMs), () => {
          trace.arrived(there);
          serve();
        });
      }
      world.after(this.#delayMs(prng, process), () => {
        // What a process had just sent when it died may have left it, or not.
        if (!process.alive && chance(prng, 0.5)) return;
        trace.arrived(there);
        serve();
      });
    });
  }

  /** The request has come to the store. */
  #serve(
    process: Process,
    method: StoreMethod,
    request: unknown,
    sent: unknown,
    { answer, giveUp }: { readonly answer: (value: unknown) => void; readonly giveUp: () => void },
  ): void {
    const run = this.#run;
    if (!this.#passes("requests", process)) return giveUp();
    if (reading.has(method)) return answer(this.#apply(process, method, request, sent));
    const { now } = this.world;
    if (this.#lockedUntil - now > lockWaitMaxMs) {
      const error = new SynodError("unavailable", "another process has kept the store locked for too long");
      this.world.after(lockWaitMaxMs, () => {
        if (method === "commit") answer({ status: "failed", error });
        else giveUp();
      });
      return;
    }
    const decide = (): unknown => {
      this.#writes.delete(decide);
      this.#standby.follow(method);
      return this.#apply(process, method, request, sent);
    };
    this.#writes.add(decide);
    this.world.after(this.#writtenAt(process, method) - now, () => {
      if (this.#run === run) return answer(decide());
      this.#writes.delete(decide);
      giveUp();
    });
  }

  /** When a write that has come now is done, ms: after the ones before it, or each for itself. */
  #writtenAt(process: Process, method: StoreMethod): number {
    const takesMs = skewed(this.#prngOf(process, method), this.weather.writeMinMs, this.weather.writeMaxMs);
    const free = Math.max(this.world.now, this.#lockedUntil);
    if (this.#kind === "server") return free + takesMs;
    this.#writingUntil = Math.max(free, this.#writingUntil) + takesMs;
    return this.#writingUntil;
  }

  #apply(process: Process, method: StoreMethod, request: unknown, sent: unknown): unknown {
    if (method === "commit") this.#observer.deciding(this.database, request as CommitBatch);
    const answer = this.#answers[method](this.database, request as never);
    const essence = `for ${process.name}/${process.generation}: ${essenceOf(method, request, answer)}`;
    const words = (): string =>
      `${process.name}: ${wordsOfRequest(method, request)} → ${wordsOfAnswer(method, answer)}`;
    this.world.trace.add("store", method, essence, words);
    if (method === "commit") {
      this.#observer.committed(process, request as CommitBatch, answer as CommitResult, sent);
    }
    this.#observer.answered(process, method, request, answer);
    return answer;
  }

  #prngOf({ name, generation }: Process, method: StoreMethod): Prng {
    const purpose = `store/${name}/${generation}/${method}`;
    let prng = this.#prngs.get(purpose);
    if (prng === undefined) {
      prng = this.world.momentaryPrng(purpose);
      this.#prngs.set(purpose, prng);
    }
    return prng;
  }

  #passes(what: "requests" | "answers", { name }: Process): boolean {
    return this.#stops === 0 && !this.#blocked[what].has(name);
  }

  #delayMs(prng: Prng, { name }: Process): number {
    return skewed(prng, this.weather.delayMinMs, this.weather.delayMaxMs) + (this.#slowness.get(name) ?? 0);
  }
}

/** Raises what a map counts under a name, until the returned function is called, once; nothing is kept that is 0. */
function raised(counts: Map<string, number>, name: string, by: number): () => void {
  counts.set(name, (counts.get(name) ?? 0) + by);
  return () => {
    const left = counts.get(name)! - by;
    if (left > 0) counts.set(name, left);
    else counts.delete(name);
  };
}

/** A request as it travels: what its sender changes afterwards is not changed in it. Plain objects and arrays only. */
function copyOf<T>(value: T): T {
  if (typeof value !== "object" || value === null) return value;
  if (Array.isArray(value)) return value.map(copyOf) as T;
  // Spread keeps the shape, which is what makes this several times as fast as structuredClone.
  const copy = { ...value } as Record<string, unknown>;
  for (const name in copy) if (typeof copy[name] === "object") copy[name] = copyOf(copy[name]);
  return copy as T;
}

function connectionLost(): SynodError {
  return new SynodError("unavailable", "the connection to the store was lost");
}

/** What tells two runs apart, without putting all of it into words. */
function essenceOf(method: StoreMethod, request: unknown, answer: unknown): string {
  switch (method) {
    case "commit": {
      const { status } = answer as CommitResult;
      let text = status as string;
      for (const { shard, epoch, entities, floors } of (request as CommitBatch).shards) {
        text += `, ${shard.service}/${shard.number} epoch ${epoch} floors ${floors.length}`;
        for (const { key, version, state, records } of entities) {
          text += ` ${key}@${version} ${state}`;
          for (const { id, reply } of records) text += ` ${id} ${reply}`;
        }
      }
      return text;
    }
    case "read":
      return `${(request as readonly unknown[]).length} rows`;
    case "renew": {
      const { status, revision } = answer as { readonly status: string; readonly revision?: number };
      return `${status} at revision ${revision}`;
    }
    default:
      return inWords(request, answer);
  }
}

/** What was asked and answered, short enough for a line. */
function inWords(request: unknown, answer: unknown): string {
  const asked = short(request);
  const { status, view: _view, ...rest } = (answer ?? {}) as Record<string, unknown>;
  return status === undefined ? asked : `${asked} → ${String(status)} ${short(rest)}`;
}

function short(value: unknown): string {
  return JSON.stringify(value, (_key, part: unknown) => (part instanceof Map ? [...part] : part)) ?? "";
}
