/**
 * The inbox of one entity in memory: its durable commands from their acceptance to their end. It runs their attempts,
 * counts them before they start, and decides by the core's schedule what follows one that did not finish.
 *
 * What it does to rows: an acceptance and a finish are changes of the entity (the activation commits them); attempts,
 * journals and parking are progress of the shard.
 */
import type { Prerequisite } from "../core/commits/prerequisite.ts";
import { type AttemptEnd, afterAttempt, mayStart, type Next, triedSince } from "../core/durable/schedule.ts";
import { SynodError, toSynodError } from "../errors.ts";
import type { Timer } from "../ports/clock.ts";
import type { GatewayReply } from "../ports/gateway.ts";
import type { CallRecord } from "../ports/store.ts";
import type { InboxItem, ItemProgress, JournalEntry, JournaledItem } from "../ports/work.ts";
import { SmallMap } from "../values/small-map.ts";
import type { ActivationOptions } from "./activation.ts";
import { nothing, type TurnResult } from "./command-turn.ts";
import type { ProgressReport } from "./committer.ts";
import { acceptedItem, outcomeOf, parkedReply, targetOfItem } from "./durable-item.ts";
import { DurableTurn } from "./durable-turn.ts";
import { decodeInput } from "./handler-run.ts";
import { type CommandId, type Invocation, nameOfEntity } from "./invocation.ts";
import type { MailboxDriver } from "./mailbox-driver.ts";
import type { EntityTimers } from "./messages/entity-timers.ts";
import { encodeRecorded, failed, failure, succeeded } from "./replies.ts";
import type { Snapshot } from "./snapshot.ts";

/** Suggested to whom a durable command is in the way of, ms. */
const blockedRetryAfterMs = 1_000;
/** Items that one read of an entity's inbox brings. */
const pageLengthMax = 64;

/** A command in the mailbox, with what its lookup found or its turn left. */
export interface Pending {
  /** Null for what was found in the inbox. */
  readonly invocation: Invocation | null;
  record: CallRecord | null;
  result: TurnResult | null;
  /** Once it is accepted. */
  entry: InboxEntry | null;
}

/** A durable command that was accepted. */
export interface InboxEntry {
  item: InboxItem;
  readonly pending: Pending;
  /** Names it in the mailbox. */
  readonly token: number;
  /** Whether its row is in the store. */
  durable: boolean;
  /** As it was read; a later one is that of the last turn. */
  readonly journal: readonly JournalEntry[];
  /** How often in a row an attempt has ended uncounted. */
  waits: number;
  /** From then on its age counts, ms since 1970. */
  triedSince: number;
  /** Until the next attempt. */
  timer: Timer | null;
  /** The last attempt here; its journal grows until all that it wrote is durable. */
  turn: DurableTurn | null;
  lastWrite: Promise<unknown>;
}

/** One attempt, as the mailbox has given it the turn. */
export interface GivenTurn {
  readonly token: number;
  readonly attempt: number;
  readonly pending: Pending;
  readonly snapshot: Snapshot;
  readonly departure: () => Promise<void>;
  readonly timers: () => EntityTimers | null;
}

export class EntityInbox {
  readonly #options: ActivationOptions;
  readonly #key: string;
  readonly #driver: MailboxDriver;
  readonly #entries = new SmallMap<number, InboxEntry>();
  /** The attempt under way: not only whose it is, because a turn that is taken away may be given to the same command at once. */
  #running: GivenTurn | null = null;
  /** Begins the first attempt of what is being accepted. */
  #begin: (() => void) | null = null;
  /** Of those that gave the turn up. */
  #lastParked: InboxEntry | null = null;
  #leaving = false;
  #dropped = false;

  constructor(options: ActivationOptions, key: string, driver: MailboxDriver) {
    this.#options = options;
    this.#key = key;
    this.#driver = driver;
  }

  get #name(): string {
    return nameOfEntity(this.#options.service.interface.name, this.#key);
  }

  get #runningEntry(): InboxEntry | null {
    return this.#running?.pending.entry ?? null;
  }

  /** Services without durable commands pay nothing for those of others. */
  get mayHaveItems(): boolean {
    const { shard } = this.#options;
    return shard.hasLeftItems || shard.takesItems;
  }

  /** Reads what the entity has accepted and tells the mailbox, which is not loaded yet. */
  async read(): Promise<readonly JournaledItem[]> {
    const { environment, shard } = this.#options;
    const items: JournaledItem[] = [];
    for (let after: number | null = 0; after !== null; ) {
      const read = { kind: "inboxOf", shard: shard.id, key: this.#key, after, limit: pageLengthMax } as const;
      const result = await environment.reader.read(read);
      if (result.kind === "corrupt") throw result.error;
      if (result.kind !== "inboxOf") throw new SynodError("internal", "an inbox is read as an inbox");
      const [damaged] = result.page.damaged;
      if (damaged !== undefined) throw damaged.error;
      items.push(...result.page.rows);
      after = result.page.next;
    }
    return items;
  }

  /** Puts what was read into the mailbox: who keeps the turn, and who waits for it. */
  found(items: readonly JournaledItem[]): void {
    const open = items.filter(({ parked, holdsTurn }) => parked === null || holdsTurn);
    // Whoever may have made a call has the turn; what an operator had tried again meanwhile waits for it.
    const holder = open.find(({ journal, holdsTurn }) => holdsTurn || journal.length > 0) ?? open[0];
    for (const read of items) {
      const { journal, ...item } = read;
      const pending: Pending = { invocation: null, record: null, result: null, entry: null };
      const entry = this.#add({ item, journal, pending, token: this.#driver.token(), durable: true });
      this.#options.shard.session.found(item.number, null);
      if (!open.includes(read)) continue;
      const turn = read !== holder ? null : item.parked === null ? "waits" : "parked";
      this.#find(entry, turn);
      if (turn === "waits") this.#resumeAfter(entry, 0);
    }
  }

  #find({ token, item, pending }: InboxEntry, turn: "waits" | "parked" | null): void {
    const { id, inputHash } = item;
    this.#driver.drive({ kind: "found", token, id, inputHash, turn, payload: pending });
  }

  /** Gives an attempt its turn; a command that was not accepted yet is accepted first. */
  run(given: GivenTurn): void {
    const { pending } = given;
    if (pending.entry === null) return this.#accept(given);
    this.#running = given;
    void this.#count(given, pending.entry);
  }

  /** The mailbox took the turn away from the attempt under way. */
  abandoned(): void {
    const entry = this.#runningEntry;
    this.#running = null;
    if (entry === null) return;
    entry.turn?.abandon();
    if (entry.durable && !this.#dropped) this.#uncount(entry);
  }

  /** Its row is durable. */
  becameDurable(entry: InboxEntry): void {
    entry.durable = true;
    this.#options.shard.session.durable(entry.item.number);
  }

  /** Its outcome is durable, and its row is gone. */
  finished({ item }: InboxEntry): void {
    this.#entries.delete(item.number);
    this.#options.shard.session.durable(item.number);
    this.#options.shard.session.settle(item.number);
  }

  /** What was not durable is void: an acceptance among it never was. */
  restored(): void {
    for (const entry of this.#entries.values()) if (!entry.durable) this.#void(entry);
  }

  /** The result of a command was not written. */
  suspended(entry: InboxEntry, blame: boolean, error: SynodError): void {
    const { code, message } = error;
    this.#ended(entry, { kind: blame ? "failed" : "waited", code, message });
  }

  /** The entity moves: nothing starts here any more. Resolves when what was abandoned is not counted. */
  async leave(): Promise<void> {
    this.#leaving = true;
    const running = this.#runningEntry;
    for (const { timer } of this.#entries.values()) timer?.cancel();
    this.#driver.drive({ kind: "leave" });
    await running?.lastWrite;
  }

  drop(): void {
    this.#dropped = true;
    for (const entry of this.#entries.values()) {
      entry.timer?.cancel();
      entry.turn?.abandon();
    }
  }

  /** Why a command, or a repeat of a parked one, gets no turn. */
  refusal(reason: "blocked" | "parked"): GatewayReply {
    const entries = this.#entries.values();
    if (reason === "parked") {
      const parked = entries.find(({ item }) => item.holdsTurn) ?? this.#lastParked;
      if (parked !== null) return parkedReply(this.#name, parked.item);
    }
    const holder = entries.find(({ item }) => item.parked === null || item.holdsTurn);
    const number = holder?.item.number ?? "";
    const message = `${this.#name} is blocked by its durable command ${number}, which has not finished`;
    return failure("unavailable", message, { retryAfterMs: blockedRetryAfterMs });
  }

  /** The answer to whoever asks what became of a command that is parked without the turn; undefined for others. */
  parkedAs(invocation: Invocation): GatewayReply | undefined {
    const { id } = outcomeOf(invocation.id!);
    const known = this.#entries.values().find(({ item }) => item.id === id && item.parked !== null);
    return known && this.#knownAs(known, invocation);
  }

  /** What pends, in the order of acceptance. */
  get items(): readonly InboxItem[] {
    return this.#entries.values().map(({ item }) => item);
  }

  /** For operators: tries a command again at once, from its first attempt; or takes it out, whatever it has done. */
  async operate(number: number, action: "retry" | "drop"): Promise<void> {
    const entry = this.#entries.get(number);
    if (entry === undefined || !entry.durable) {
      throw new SynodError("not_found", `${this.#name} has no durable command ${number}: it may have finished`);
    }
    if (action === "drop") return this.#remove(entry);
    if (this.#runningEntry === entry) return;
    const before = entry.item;
    const { parked, holdsTurn } = before;
    entry.waits = 0;
    entry.triedSince = this.#options.environment.clock.wall();
    if (parked === null) return this.#resumeAfter(entry, 0);
    await this.#mustWrite(this.#write(entry, { attempts: 0, parked: null, holdsTurn: false }), () => {
      entry.item = before;
    });
    if (holdsTurn) this.#driver.drive({ kind: "resumed", token: entry.token });
    else this.#find(entry, null);
  }

  async #remove(entry: InboxEntry): Promise<void> {
    const { committer, shard } = this.#options;
    const { number } = entry.item;
    if (this.#runningEntry === entry) throw new SynodError("aborted", `durable command ${number} runs at this moment`);
    entry.timer?.cancel();
    const write = committer.progress({ shard: shard.id, epoch: shard.epoch, itemsDropped: [number] });
    // It stays, so it goes on, if it was to.
    await this.#mustWrite(write, () => {
      if (entry.item.parked === null) this.#resumeAfter(entry, 0);
    });
    this.#entries.delete(number);
    shard.session.settle(number);
    this.#driver.drive({ kind: "removed", token: entry.token });
  }

  /** What an operator wants. Throws when it is not written, after it was taken back. */
  async #mustWrite(write: Promise<ProgressReport>, takeBack: () => void): Promise<void> {
    const { outcome, error } = await write;
    if (outcome === "durable") return;
    takeBack();
    if (error !== null) throw error;
    throw new SynodError("unavailable", "the shard was dropped meanwhile", { outcome: "unknown" });
  }

  #accept(given: GivenTurn): void {
    const { shard, environment } = this.#options;
    const { token, attempt, pending } = given;
    if (this.#leaving || !shard.admits) return this.#driver.drive({ kind: "shed", token, attempt, reason: "dropped" });
    const refuse = (reply: GatewayReply): void => {
      pending.result = nothing(reply);
      this.#driver.drive({ kind: "finished", token, attempt, changed: false });
    };
    const invocation = pending.invocation!;
    if (this.#entries.size >= environment.limits.inboxLengthMax) {
      const message = `${this.#name} has ${this.#entries.size} durable commands that are not finished`;
      return refuse(failure("resource_exhausted", message, { retryAfterMs: 1_000 }));
    }
    const { id } = outcomeOf(invocation.id!);
    const known = this.#entries.values().find((entry) => entry.item.id === id);
    if (known !== undefined) return refuse(this.#knownAs(known, invocation));
    let input: unknown;
    try {
      input = decodeInput(invocation);
    } catch (error) {
      return refuse(failed(toSynodError(error, "not-happened")));
    }
    const item = acceptedItem(invocation, shard.session.take(null), Math.floor(environment.clock.wall()));
    const entry = this.#add({ item, journal: [], pending, token, durable: false });
    pending.entry = entry;
    this.#running = given;
    this.#begin = () => this.#start(given, entry, input);
    this.#driver.drive({ kind: "accepted", token, attempt });
  }

  /** The acceptance is on its way to the store. Not before does the attempt begin: what comes of it travels behind. */
  entered(entry: InboxEntry): void {
    const begin = this.#begin;
    this.#begin = null;
    if (this.#runningEntry === entry) begin?.();
  }

  /** A repeat of a command that is parked without the turn, so that the mailbox does not know it. */
  #knownAs({ item }: InboxEntry, { id, waitFor }: Invocation): GatewayReply {
    if (item.inputHash === id!.inputHash) {
      return waitFor === "acceptance" ? succeeded(undefined) : parkedReply(this.#name, item);
    }
    return failure("invalid_argument", `this idempotency key was used with another input for ${this.#name}`);
  }

  /** An attempt is counted, durably, before it starts: one that kills its node counts too. */
  async #count(given: GivenTurn, entry: InboxEntry): Promise<void> {
    const { attempts } = entry.item;
    if (!mayStart(attempts, this.#options.environment.limits.schedule)) {
      const message = `${attempts} attempts were begun, and the last one ended with its node`;
      return this.#pause(given, entry, { kind: "hopeless", code: "aborted", message });
    }
    const { outcome, error } = await this.#write(entry, { attempts: attempts + 1 });
    if (this.#running !== given || this.#dropped) return;
    if (outcome !== "durable") {
      const message = `the store cannot write now: ${error?.message ?? ""}`;
      return this.#pause(given, entry, { kind: "waited", code: "unavailable", message });
    }
    const target = targetOfItem(this.#options.service, entry.item);
    if (target === undefined) {
      const message = `this code has no durable command ${entry.item.operation}`;
      return this.#pause(given, entry, { kind: "hopeless", code: "unimplemented", message });
    }
    let input: unknown;
    try {
      input = decodeInput({ target, input: entry.item.input ?? undefined });
    } catch (error) {
      const { code, message } = toSynodError(error);
      return this.#pause(given, entry, { kind: "hopeless", code, message: `this code does not accept it: ${message}` });
    }
    this.#start(given, entry, input);
  }

  #start(given: GivenTurn, entry: InboxEntry, input: unknown): void {
    const { environment, outgoing, service, shard, calls } = this.#options;
    const { token, attempt, pending, snapshot, departure, timers } = given;
    const { item } = entry;
    const turn = new DurableTurn({
      environment,
      outgoing,
      service,
      key: this.#key,
      snapshot,
      item,
      target: targetOfItem(service, item)!,
      input,
      journal: entry.turn?.journal ?? entry.journal,
      departure,
      room: () => shard.messages!.outbox.room,
      // What its acceptance has cleared is not among them.
      timers: timers(),
      record: (entries, fulfils) => this.#write(entry, {}, entries, fulfils),
      idOf: (hash, inputHash, target): CommandId => calls.idOf(item.number, hash, inputHash, target),
      runTogether: (invocation) => calls.runTogether(invocation),
      onFinished: ({ reply, state, left }) => {
        this.#running = null;
        const slot = pending.invocation?.slot;
        slot?.unpark();
        slot?.storeAsked(environment.clock.monotonic());
        pending.result = { reply, state, record: this.#record(item, reply), left, changed: true };
        this.#driver.drive({ kind: "finished", token, attempt, changed: true });
      },
      onEnded: (end, isLogged) => this.#pause(given, entry, end, isLogged),
    });
    entry.turn = turn;
    environment.counters.commands += 1;
    turn.start();
    // The attempt has a slot of its own now; between attempts its caller holds none.
    pending.invocation?.slot?.park();
  }

  #record(item: InboxItem, reply: GatewayReply): CallRecord {
    // A number that was settled since its acceptance has no range in which the record would be found and removed.
    const inSession = item.call !== null && !this.#options.shard.isSettled(item.call);
    return {
      id: item.id,
      inputHash: item.inputHash,
      reply: encodeRecorded(reply),
      finishedAt: inSession ? null : Math.floor(this.#options.environment.clock.wall()),
      keyTime: item.keyTime,
    };
  }

  #pause({ token, attempt }: GivenTurn, entry: InboxEntry, end: AttemptEnd, isLogged = false): void {
    this.#running = null;
    this.#driver.drive({ kind: "paused", token, attempt });
    this.#ended(entry, end, isLogged);
  }

  #ended(entry: InboxEntry, end: AttemptEnd, isLogged = false): void {
    const { environment } = this.#options;
    const { attempts } = entry.item;
    entry.waits = end.kind === "waited" ? entry.waits + 1 : 0;
    const ageMs = environment.clock.wall() - entry.triedSince;
    const standing = { attempts, waits: entry.waits, ageMs, random: environment.random.number() };
    const next = afterAttempt(end, standing, environment.limits.schedule);
    if (!isLogged) {
      const fields = { item: entry.item.number, attempts, code: end.code };
      environment.log.warn(`an attempt of a durable command of ${this.#name} ended: ${end.message}`, fields);
    }
    if (next.kind === "park") return void this.#park(entry, next);
    if (next.attempts !== attempts) this.#uncount(entry);
    this.#resumeAfter(entry, next.afterMs);
  }

  #resumeAfter(entry: InboxEntry, ms: number): void {
    this.#later(entry, ms, () => this.#driver.drive({ kind: "resumed", token: entry.token }));
  }

  /** What comes next for it. */
  #later(entry: InboxEntry, ms: number, act: () => void): void {
    if (this.#leaving || this.#dropped) return;
    entry.timer?.cancel();
    entry.timer = this.#options.environment.clock.setTimer(ms, () => {
      entry.timer = null;
      if (!this.#isGone(entry)) act();
    });
  }

  async #park(entry: InboxEntry, next: Extract<Next, { kind: "park" }>): Promise<void> {
    const { environment } = this.#options;
    const { attempts, code, message, thrown } = next;
    await entry.lastWrite;
    if (this.#isGone(entry)) return;
    const parked = JSON.stringify({ code, message, at: Math.floor(environment.clock.wall()), thrown });
    // Whatever was issued may have left, whether or not its outcome came back.
    const holdsTurn = (entry.turn?.journal ?? entry.journal).length > 0;
    const { outcome } = await this.#write(entry, { attempts, parked, holdsTurn });
    if (this.#isGone(entry)) return;
    if (outcome !== "durable") {
      entry.item = { ...entry.item, parked: null, holdsTurn: false };
      return this.#later(entry, environment.limits.schedule.backoffMaxMs, () => void this.#park(entry, next));
    }
    environment.log.error(`a durable command of ${this.#name} is parked: ${message}`, {
      item: entry.item.number,
      code,
    });
    this.#lastParked = entry;
    this.#driver.drive({ kind: "parked", token: entry.token, holdsTurn });
  }

  #isGone(entry: InboxEntry): boolean {
    return this.#dropped || this.#entries.get(entry.item.number) !== entry;
  }

  #add(known: Pick<InboxEntry, "item" | "journal" | "pending" | "token" | "durable">): InboxEntry {
    const { clock, limits } = this.#options.environment;
    const since = triedSince(known.item.acceptedAt, clock.wall(), limits.schedule);
    const lastWrite = Promise.resolve();
    const entry: InboxEntry = { ...known, waits: 0, triedSince: since, timer: null, turn: null, lastWrite };
    entry.pending.entry = entry;
    this.#entries.set(entry.item.number, entry);
    return entry;
  }

  /** An acceptance that did not become durable: nothing has left under its number. */
  #void(entry: InboxEntry): void {
    entry.timer?.cancel();
    entry.turn?.abandon();
    entry.pending.entry = null;
    this.#entries.delete(entry.item.number);
    this.#options.shard.session.settle(entry.item.number);
  }

  #uncount(entry: InboxEntry): void {
    void this.#write(entry, { attempts: Math.max(0, entry.item.attempts - 1) });
  }

  /** Every write carries all of an item's progress, as it is from now on. */
  #write(
    entry: InboxEntry,
    change: Partial<Pick<ItemProgress, "attempts" | "parked" | "holdsTurn">>,
    journal: readonly JournalEntry[] = [],
    fulfils?: Prerequisite,
  ): Promise<ProgressReport> {
    const { committer, shard } = this.#options;
    if (this.#dropped) return Promise.resolve({ outcome: "dropped", error: null });
    entry.item = { ...entry.item, ...change };
    const { number, attempts, parked, holdsTurn } = entry.item;
    const items = [{ number, attempts, parked, holdsTurn, journal }];
    const write = committer.progress({ shard: shard.id, epoch: shard.epoch, items, fulfils });
    entry.lastWrite = write;
    return write;
  }
}
