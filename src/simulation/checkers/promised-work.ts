/**
 * What was promised for later: durable commands, messages and timers, judged by the commits that the store accepts and
 * the handlers whose effect they are (guarantees G4 and G5).
 *
 * Think of a notary with a copy of every contract. What is sent, set or accepted must stand in a contract before
 * anybody acts on it; whoever acts on it does so once, and messages of one pair in their order; and nothing is struck
 * out that was not done. The store's own tables are not asked: what an accepted commit says is what must be so.
 */
import type { EntityChange, ShardId } from "../../ports/store.ts";
import type { InboxItem, OutboxMessage, ShardProgress } from "../../ports/work.ts";
import { callIdOf } from "../../runtime/durable-item.ts";
import { sessionRecordId } from "../../values/ids.ts";
import { type HandlerRun, isDurable, nameOfEntity } from "../operation.ts";
import { type KnownTimers, leavesNothing, leftWorkFault } from "./left-work.ts";
import { type Origin, originOf } from "./origin.ts";
import { RecordedOutcomes } from "./recorded-outcomes.ts";
import { type ExpectedItem, ShardWork } from "./shard-work.ts";

export type Report = (promise: string, text: string) => void;

/** Calls of one durable command to one target that are told from others; no workload makes as many. */
const callsToOneTargetMax = 8;

const handOn = "atomic hand-on";
const once = "effectively once";
const bounded = "bounded";

export class PromisedWork {
  readonly #report: Report;
  readonly #isDurable: (service: string, operation: string) => boolean;
  readonly #shards = new Map<string, ShardWork>();
  /** Ids of messages, timers and calls that have taken effect, with what they did. */
  readonly #done = new Map<string, string>();
  /** The same of durable commands, whose acceptance is their effect. */
  readonly #taken = new Set<string>();
  /** The last message of each pair that has taken effect. */
  readonly #last = new Map<string, number>();
  /** Messages to services without keys, of which somebody has seen the end. */
  readonly #ranWell = new Set<string>();
  readonly #outcomes: RecordedOutcomes;
  /** Calls of durable commands that take effect in the commit that is being told of. */
  #called: { readonly run: HandlerRun; readonly origin: Origin }[] = [];
  readonly #timersPerEntityMax: number;

  constructor(report: Report, isDurable: (service: string, operation: string) => boolean, timersPerEntityMax: number) {
    this.#report = report;
    this.#isDurable = isDurable;
    this.#timersPerEntityMax = timersPerEntityMax;
    this.#outcomes = new RecordedOutcomes(report);
  }

  /** Handlers tell. */

  started(run: HandlerRun): void {
    if (isDurable(run)) this.#outcomes.began(run);
    const origin = originOf(run.id);
    // What cannot become durable before it is announced may run before.
    if (origin === null || isUndoable(run, origin)) return;
    const shard = this.#shard(origin.session);
    const known = {
      message: [shard.sent],
      timer: [shard.generations],
      // Of a durable command, or of a service without keys that a message makes work.
      call: [shard.accepted, shard.sent],
    }[origin.kind];
    if (!known.some((numbers) => numbers.has(origin.number))) {
      return this.#report(handOn, `${nameOfRun(run)} was begun by ${wordsOf(origin)}, which is not in the store`);
    }
    const item = origin.kind === "call" ? shard.items.get(origin.number) : undefined;
    if (item !== undefined) this.#outcomes.left(item, origin.call);
  }

  learned(run: HandlerRun, call: HandlerRun["calls"][number]): void {
    if (isDurable(run)) this.#outcomes.learned(run, call);
  }

  ended(run: HandlerRun): void {
    if (run.key === null && originOf(run.id)?.kind === "message") this.#ranWell.add(run.id);
  }

  /** The store tells. */

  /** Whether these runs, one after the other, leave behind what this change writes. */
  explains(id: ShardId, change: EntityChange, runs: readonly HandlerRun[]): boolean {
    return leftWorkFault(change.work, runs, this.#timersOf(id, change.key)) === undefined;
  }

  /** A change of an entity was accepted, with the runs whose effect it is; null when nobody knows which. */
  entityCommitted(id: ShardId, change: EntityChange, runs: readonly HandlerRun[] | null): void {
    const shard = this.#shard(sessionOf(id));
    const name = nameOfEntity(id.service, change.key);
    if (runs !== null) {
      const fault = leftWorkFault(change.work, runs, this.#timersOf(id, change.key));
      if (fault !== undefined) this.#report(handOn, `of ${name}: ${fault}`);
      this.#checkTurn(shard, name, change, runs);
      this.#checkFinished(shard, name, change, runs);
      const cleared = new Set<number>();
      for (const run of runs) this.#tookEffect(shard, run, cleared);
    }
    if (change.work === null) return;
    for (const item of change.work.accepted) this.#accepted(name, item.id);
    shard.apply(change.key, change.work);
    const timers = shard.timersOf(change.key);
    if (timers > this.#timersPerEntityMax) {
      this.#report(bounded, `${name} has ${timers} timers, at most ${this.#timersPerEntityMax} may be`);
    }
  }

  shardCommitted(id: ShardId, progress: ShardProgress): void {
    const shard = this.#shard(sessionOf(id));
    for (const number of progress.messagesSettled) {
      if (shard.outbox.has(number)) this.#checkSettled(id, shard.sent.get(number)!.message);
    }
    shard.progress(progress);
  }

  /** All of a commit was told: what durable commands called is announced, in the same commit at the latest. */
  committed(): void {
    const called = this.#called;
    this.#called = [];
    for (const { run, origin } of called) {
      const { accepted, sent, items } = this.#shard(origin.session);
      const item = items.get(origin.number);
      if (item !== undefined) this.#outcomes.left(item, origin.call);
      if (item !== undefined && isCalledBy(item.item, run, origin) && !item.journal.has(origin.call)) {
        this.#report(handOn, `${nameOfRun(run)} took effect for ${wordsOf(origin)}, whose journal does not have it`);
      } else if (!accepted.has(origin.number) && !sent.has(origin.number)) {
        this.#report(handOn, `${nameOfRun(run)} took effect for ${wordsOf(origin)}, which is not in the store`);
      }
    }
  }

  /** Whether this run may have been undone: it was carried out at once, and what announces it is not in the store. */
  mayBeUndone(run: HandlerRun): boolean {
    const origin = originOf(run.id);
    if (origin === null || !isUndoable(run, origin)) return false;
    return this.#shard(origin.session).items.get(origin.number)?.journal.has(origin.call) !== true;
  }

  /** Somebody has decided that this message is not to be delivered. */
  readonly dropped: Set<string> = new Set();

  #shard(session: string): ShardWork {
    let shard = this.#shards.get(session);
    if (shard === undefined) {
      shard = new ShardWork();
      this.#shards.set(session, shard);
    }
    return shard;
  }

  #timersOf(id: ShardId, key: string): KnownTimers {
    const shard = this.#shard(sessionOf(id));
    return {
      firedBy: (run) => {
        const origin = originOf(run.id);
        return origin?.kind === "timer" ? shard.timerOf(key, origin.number)?.name : undefined;
      },
      runsDurable: (name) => {
        const row = shard.timer(key, name);
        return row !== undefined && this.#isDurable(id.service, row.operation);
      },
    };
  }

  #tookEffect(shard: ShardWork, run: HandlerRun, cleared: Set<number>): void {
    const origin = originOf(run.id);
    if (origin !== null) {
      const words = `${nameOfRun(run)} at position ${run.position} on ${run.process.name}`;
      const before = this.#done.get(run.id);
      this.#done.set(run.id, words);
      if (before !== undefined) this.#report(once, `${wordsOf(origin)} took effect twice: ${before}, and ${words}`);
      if (isUndoable(run, origin)) this.#called.push({ run, origin });
      if (origin.kind === "timer") this.#timerRan(shard, run, origin, cleared);
      else if (origin.kind === "message" && !this.#taken.has(run.id)) this.#delivered(origin, words);
    }
    // What it left takes the place of a timer of that name, whoever runs next.
    for (const name of run.left.timers.keys()) {
      const row = run.key === null ? undefined : shard.timer(run.key, name);
      if (row !== undefined) cleared.add(row.generation);
    }
  }

  #timerRan(shard: ShardWork, run: HandlerRun, { number }: Origin, cleared: Set<number>): void {
    const isSet = shard.timerOf(run.key!, number) !== undefined && !cleared.has(number);
    cleared.add(number);
    if (!isSet) this.#report(handOn, `${nameOfRun(run)} was run by a timer that was not set any more`);
  }

  /** A durable command was accepted under this id. */
  #accepted(name: string, id: string): void {
    const origin = originOf(id);
    if (origin === null) return;
    const words = `a durable command of ${name}`;
    if (this.#taken.has(id)) this.#report(once, `${wordsOf(origin)} was accepted twice as ${words}`);
    this.#taken.add(id);
    if (origin.kind === "message") this.#delivered(origin, words);
  }

  #delivered({ session, number }: Origin, words: string): void {
    const sent = this.#shard(session).sent.get(number);
    if (sent === undefined) return this.#report(handOn, `${words} is the effect of a message that nobody sent`);
    // One that leaves when it is due is in no order with those that are sent at about that time.
    if (sent.released) return;
    const pair = pairOf(session, sent.message);
    const last = this.#last.get(pair) ?? 0;
    if (number < last && !sent.parked) {
      this.#report(
        handOn,
        `message ${number} from ${pair} took effect after message ${last}, which was sent later: ${words}`,
      );
    }
    this.#last.set(pair, Math.max(number, last));
  }

  /** Its row goes: then it must have arrived. */
  #checkSettled(shard: ShardId, message: OutboxMessage): void {
    const { service, target, operation, number } = message;
    const id = sessionRecordId(sessionOf(shard), number);
    if (this.dropped.has(id)) return;
    const arrived = target === null ? this.#ranWell.has(id) : this.#done.has(id) || this.#taken.has(id);
    if (arrived) return;
    const to = `${nameOfEntity(service, target)}.${operation}`;
    this.#report(
      handOn,
      `message ${number} of ${sessionOf(shard)} to ${to} is not in the store any more, and never took effect`,
    );
  }

  /** While a durable command holds its entity's turn nothing else of that entity takes effect. */
  #checkTurn(shard: ShardWork, name: string, { work, records }: EntityChange, runs: readonly HandlerRun[]): void {
    const items = shard.itemsOf(runs[0]?.key ?? "");
    if (items.length === 0) return;
    const finished = new Set(work?.finished);
    for (const run of runs) {
      // What changed nothing may have run any time before: only its order is known by this commit.
      const isRecorded = records.some(({ id }) => id === run.id);
      if (!isRecorded && leavesNothing(run) && (run.end === null || run.end === run.start)) continue;
      const own = items.findIndex(({ item }) => item.id === run.id && finished.has(item.number));
      if (own >= 0) items.splice(own, 1);
      // Among several only one that has made a call must go first.
      const holder = items.find((item) => hasMadeCalls(item) || (own < 0 && isOpen(item)));
      if (holder === undefined) continue;
      const { number, parked } = holder.item;
      const doing = parked === null ? "is not finished" : "is parked and may have made calls";
      this.#report(
        "turn",
        `${run.operation} took effect on ${name} while its durable command ${number}, which ${doing}, has the turn`,
      );
    }
  }

  /** What goes from the inbox was done, by a handler that made all the calls that any attempt had made. */
  #checkFinished(shard: ShardWork, name: string, { work }: EntityChange, runs: readonly HandlerRun[]): void {
    for (const number of work?.finished ?? []) {
      const known = shard.items.get(number);
      if (known === undefined) continue;
      const run = runs.find(({ id }) => id === known.item.id);
      if (run === undefined) {
        this.#report("accepted work", `durable command ${number} of ${name} is finished, and no handler has done it`);
        continue;
      }
      const made = new Set(run.calls.map(({ name: called, count }) => `${called} ${count}`));
      const journaled = new Map<string, number>();
      for (const { name: called } of known.journal.values()) {
        const count = (journaled.get(called) ?? 0) + 1;
        journaled.set(called, count);
        if (made.has(`${called} ${count}`)) continue;
        this.#report(
          "recorded outcomes",
          `durable command ${number} of ${name} is finished by an attempt that did not make its call ${count} to ${called}, as one before did`,
        );
      }
    }
  }
}

function hasMadeCalls({ item, journal }: ExpectedItem): boolean {
  return item.parked === null ? journal.size > 0 : item.holdsTurn;
}

function isOpen({ item }: ExpectedItem): boolean {
  return item.parked === null && item.attempts > 0;
}

/** Whether its effect is a commit, by which alone it is known: a plain command of an entity that a durable command calls. */
function isUndoable(run: HandlerRun, { kind }: Origin): boolean {
  return kind === "call" && run.key !== null && run.kind === "command" && !isDurable(run);
}

/** Whether the durable command itself makes the call, without an id of its own, and not a service without keys that it calls. */
function isCalledBy({ id }: InboxItem, { service, key, operation }: HandlerRun, { call }: Origin): boolean {
  for (let count = 1; count <= callsToOneTargetMax; count++) {
    if (call === callIdOf(id, service, key ?? "", operation, `#${count}`)) return true;
  }
  return false;
}

function sessionOf({ service, number }: ShardId): string {
  return `${service}/${number}`;
}

function nameOfRun({ service, key, operation }: HandlerRun): string {
  return `${operation} on ${nameOfEntity(service, key)}`;
}

function wordsOf({ kind, session, number }: Origin): string {
  return kind === "call" ? `a call under number ${number} of ${session}` : `${kind} ${number} of ${session}`;
}

function pairOf(session: string, { key, service, target }: OutboxMessage): string {
  return `${session.slice(0, session.lastIndexOf("/"))}/${key} to ${nameOfEntity(service, target)}`;
}
