/**
 * One entity in memory: it drives the mailbox core, holds the state that the last command left and the last
 * durable one, and runs handlers on copies of them.
 *
 * Durable before visible: queries see only the durable state, and an answer leaves when the mailbox says that
 * all it could have seen is durable, the lease is valid, and this activation has been continuous since.
 */
import type { Change } from "../core/commits/load.ts";
import type { FailReason, MailboxEffect } from "../core/mailbox/messages.ts";
import { invariant, SynodError } from "../errors.ts";
import type { GatewayReply } from "../ports/gateway.ts";
import type { CallRecord } from "../ports/store.ts";
import type { OutboxMessage } from "../ports/work.ts";
import type { AnyService } from "../service/model.ts";
import { Ahead } from "./ahead.ts";
import { Callers } from "./callers.ts";
import { CommandTurn, nothing } from "./command-turn.ts";
import type { Committer } from "./committer.ts";
import { Departures } from "./departures.ts";
import { recordIdOf } from "./durable-item.ts";
import { EntityInbox, type InboxEntry, type Pending } from "./entity-inbox.ts";
import { activationBytes, type Passivable, Place } from "./entity-memory.ts";
import { type Environment, within } from "./environment.ts";
import { type Attempt, type Invocation, nameOfEntity } from "./invocation.ts";
import { Loading } from "./loading.ts";
import { MailboxDriver, type Performer } from "./mailbox-driver.ts";
import { readTimerNames } from "./messages/entity-timers.ts";
import { inputLengthOf, senderOf, senderOfItem } from "./messages/rows.ts";
import type { Outgoing } from "./outgoing.ts";
import { runQuery } from "./query-run.ts";
import { findRecord, isLookedFor, mayBeRecorded } from "./record-lookup.ts";
import { leaseRanOut, lost, moving, notLoaded, refusal, tooLate, unknownOutcome } from "./refusals.ts";
import { decodeRecorded, failed, failure, isRecorded, succeeded, withOutcome } from "./replies.ts";
import type { Shard } from "./shard.ts";
import type { ShardCalls } from "./shard-calls.ts";
import { absent, loadSnapshot, Snapshot } from "./snapshot.ts";

/** What all entities of a shard have in common, as long as this node is the same member. */
export interface ActivationOptions {
  readonly environment: Environment;
  readonly committer: Committer;
  readonly outgoing: Outgoing;
  readonly service: AnyService;
  readonly shard: Shard;
  /** What its durable commands call. */
  readonly calls: ShardCalls;
}

/** The same for all: to make one takes 8 µs, and with more entities than have room there is one for each command. */
const passivated = new SynodError("unavailable", "the entity was put out of memory");

export class Activation implements Passivable, Performer {
  readonly key: string;
  readonly #options: ActivationOptions;
  readonly #driver: MailboxDriver;
  readonly #callers: Callers;
  readonly #place = new Place(this);
  /** The state that the next command runs on. */
  #executed: Snapshot = absent;
  #durable: Snapshot = absent;
  readonly #ahead: Ahead;
  #turn: CommandTurn | null = null;
  readonly #inbox: EntityInbox;
  readonly #departures = new Departures();
  #queries = 0;
  #kept = 0;
  #dropped: SynodError | null = null;
  #rollback: SynodError | null = null;
  /** Resolves when the state is in memory, or never will be; null once it is. */
  #loading: Loading | null = new Loading();

  constructor(options: ActivationOptions, key: string) {
    this.key = key;
    this.#options = options;
    const { counters, limits, deadlines } = options.environment;
    this.#ahead = new Ahead(counters);
    this.#driver = new MailboxDriver(this, limits);
    this.#callers = new Callers(deadlines, this.#driver);
    this.#inbox = new EntityInbox(options, key, this.#driver);
    void this.#load();
  }

  get name(): string {
    return nameOfEntity(this.#options.service.interface.name, this.key);
  }

  get bytes(): number {
    const ahead = this.#durable === this.#executed ? 0 : this.#executed.bytes;
    return activationBytes + this.key.length + this.#durable.bytes + ahead + (this.#ahead.timers?.bytes ?? 0);
  }

  get #isLoaded(): boolean {
    return this.#loading === null;
  }

  get idle(): boolean {
    const unused = this.#queries === 0 && this.#callers.length === 0 && this.#kept === 0;
    return this.#isLoaded && this.#driver.idle && unused;
  }

  get queued(): number {
    return this.#driver.queued;
  }

  get durable(): Snapshot {
    return this.#durable;
  }

  passivate(): void {
    invariant(this.idle, "only an idle entity is passivated");
    this.#dropped = passivated;
    this.#driver.end();
    this.#options.shard.forget(this);
  }

  /** Runs a command, or answers it from its record. */
  command(invocation: Invocation): Promise<Attempt> {
    if (this.#dropped !== null) return Promise.resolve(lost(this.#dropped, true));
    const { environment, shard } = this.#options;
    const token = this.#driver.token();
    return new Promise((settle) => {
      this.#callers.add(token, invocation, settle);
      environment.memory.touch(this.#place);
      const { id, waitFor: until = "outcome" } = invocation;
      const payload: Pending = { invocation, record: null, result: null, entry: null };
      if (id === null) {
        return this.#driver.drive({ kind: "arrive", token, id: null, inputHash: null, lookup: false, until, payload });
      }
      if (!shard.mayExecute(id)) return this.#callers.settle(token, this.#failedAttempt("forgotten"));
      const recordId = recordIdOf(invocation);
      const may = mayBeRecorded(shard, id);
      const record = may ? environment.records.get(shard.nameOfRecord(recordId)) : undefined;
      if (record !== undefined) return this.#replay([token], record);
      const lookup = may && isLookedFor(this.#options, invocation);
      this.#driver.drive({ kind: "arrive", token, id: recordId, inputHash: id.inputHash, lookup, until, payload });
    });
  }

  /** What became of a durable command, or will: waits for it, and never starts one. It may come or end while the store is asked. */
  async outcome(invocation: Invocation): Promise<Attempt> {
    const id = recordIdOf(invocation);
    const { deadline } = invocation;
    if (!this.#isLoaded && !(await this.#loadedBy(deadline))) {
      return { reply: failure("deadline_exceeded", `the store did not give the state of ${this.name} in time`) };
    }
    const pending: Pending = { invocation, record: null, result: null, entry: null };
    const found = this.#driver.knows(id) ? "absent" : await findRecord(this.#options, this.name, pending);
    if (this.#dropped !== null) return lost(this.#dropped, true);
    const late = tooLate(invocation, this.#options.environment.clock.monotonic());
    if (late !== undefined) return { reply: withOutcome(late, "unknown") };
    const known = this.#options.environment.records.get(this.#options.shard.nameOfRecord(id)) !== undefined;
    if (this.#driver.knows(id) || known) return this.command(invocation);
    if (found === "failed" || found === "damaged")
      return this.#failedAttempt(found === "failed" ? "lookup-failed" : found);
    const { record } = pending;
    if (record !== null && record.inputHash !== invocation.id!.inputHash) return this.#failedAttempt("mismatch");
    const reply = record === null ? this.#inbox.parkedAs(invocation) : decodeRecorded(record.reply);
    return this.#throughGate(reply ?? unknownOutcome(this.name), deadline, true);
  }

  /** Runs a query on the state that is durable when it starts. */
  query(invocation: Invocation): Attempt | Promise<Attempt> {
    const { environment } = this.#options;
    if (this.#dropped !== null) return lost(this.#dropped, true);
    this.#queries += 1;
    environment.memory.touch(this.#place);
    const reply = this.#isLoaded ? this.#read(invocation) : this.#queryWhenLoaded(invocation);
    if (reply instanceof Promise || !environment.lease.valid) return this.#answerQuery(reply, invocation.deadline);
    // Answered in one go: nothing can have happened to this activation in between.
    this.#queries -= 1;
    return { reply };
  }

  async #answerQuery(answer: GatewayReply | Promise<GatewayReply>, deadline: number): Promise<Attempt> {
    try {
      const reply = await answer;
      return await this.#throughGate(reply, deadline, true);
    } finally {
      this.#queries -= 1;
    }
  }

  #read(invocation: Invocation): GatewayReply | Promise<GatewayReply> {
    const { environment, outgoing } = this.#options;
    return runQuery({ environment, outgoing, invocation, snapshot: this.#durable });
  }

  async #queryWhenLoaded(invocation: Invocation): Promise<GatewayReply> {
    if (!(await this.#loadedBy(invocation.deadline))) {
      return failure("deadline_exceeded", `the store did not give the state of ${this.name} in time`);
    }
    // Without a state to read there is no answer: the gate says so.
    return this.#dropped === null ? this.#read(invocation) : failed(this.#dropped);
  }

  becameDurable(position: number): void {
    if (this.#dropped !== null) return;
    const { environment, shard } = this.#options;
    const { messages } = shard;
    const sent: OutboxMessage[] = [];
    for (const { snapshot, record, work, accepted, finished } of this.#ahead.take(position)) {
      this.#durable = snapshot;
      environment.counters.committedCommands += 1;
      if (work !== null) sent.push(...messages!.becameDurable(this.key, work));
      if (record !== null) environment.records.add(shard.nameOfRecord(record.id), record);
      if (accepted !== null) this.#inbox.becameDurable(accepted);
      if (finished !== null) this.#inbox.finished(finished);
    }
    environment.memory.changed(this.#place);
    this.#driver.drive({ kind: "durable", position });
    if (sent.length > 0) messages!.outbox.sent(sent);
  }

  rolledBack(through: number, culprit: boolean, error: SynodError): void {
    if (this.#dropped !== null) return;
    this.#rollback = error;
    this.#driver.drive({ kind: "rolledBack", through, culprit });
  }

  /** The entity moves to another node. Resolves when what was taken from durable commands is written down. */
  async leave(): Promise<void> {
    if (this.#dropped === null) await this.#inbox.leave();
  }

  /** Durable commands that pend, in the order of their acceptance. */
  get inbox(): EntityInbox {
    return this.#inbox;
  }

  /** Resolves when the state is in memory, or never will be. */
  get loaded(): Promise<void> {
    return this.#loading?.promise ?? Promise.resolve();
  }

  /** Why the state did not come; null when it has come, or may still come. */
  get missed(): SynodError | null {
    return this.#isLoaded ? null : this.#dropped;
  }

  /** Stays in memory until what is returned is called. */
  keep(): () => void {
    this.#kept += 1;
    return () => {
      this.#kept -= 1;
    };
  }

  /** Ends this activation. Positions up to `unknownThrough` were in a commit of unknown outcome. */
  drop(reason: SynodError, unknownThrough: number): void {
    if (this.#dropped !== null) return;
    this.#dropped = reason;
    this.#driver.end();
    this.#forgetAhead();
    this.#inbox.drop();
    this.#driver.drop(unknownThrough);
    this.#options.environment.memory.remove(this.#place);
    this.#options.shard.forget(this);
    this.#loading?.resolve();
  }

  async #load(): Promise<void> {
    const { environment, service, shard } = this.#options;
    try {
      const [result, items, timers] = await Promise.all([
        environment.reader.read({ kind: "entity", shard: shard.id, key: this.key }),
        this.#inbox.mayHaveItems ? this.#inbox.read() : [],
        readTimerNames(environment, service, shard.id, this.key),
      ]);
      if (this.#dropped !== null) return;
      this.#durable = loadSnapshot(service, this.key, result);
      this.#executed = this.#durable;
      shard.noteVersion(this.#durable.version);
      this.#ahead.foundTimers(this.#loading!.remaining(timers));
      this.#loading?.resolve();
      this.#loading = null;
      this.#inbox.found(items);
      this.#driver.drive({ kind: "loaded" });
      // Not before it is known what it has to do: an entity that seems idle is the first to go when memory is full.
      if (this.#dropped === null) environment.memory.touch(this.#place);
    } catch (error) {
      this.drop(notLoaded(this.#options.environment.log, this.name, error), 0);
    }
  }

  /** Waits for the state; false when the deadline comes first. */
  #loadedBy(deadline: number): Promise<boolean> {
    const { clock } = this.#options.environment;
    return within(clock, deadline - clock.monotonic(), this.loaded);
  }

  /** What the mailbox has decided; for its driver. */
  perform(effect: MailboxEffect<Pending>): void {
    switch (effect.kind) {
      case "lookup":
        return void this.#lookup(effect.token, effect.payload);
      case "replay":
        return this.#replay(effect.tokens, effect.payload.record!);
      case "run":
        return this.#run(effect.token, effect.attempt, effect.payload);
      case "abandon":
        return this.#abandon();
      case "commit":
        return this.#commit(effect.position, effect.payload);
      case "enter":
        return this.#enter(effect.position, effect.payload);
      case "accept":
        for (const token of effect.tokens) this.#leave(token, succeeded(undefined));
        return;
      case "suspend":
        return this.#inbox.suspended(effect.payload.entry!, effect.blame, this.#rollback!);
      case "release":
        return this.#answer(effect.tokens, effect.token, effect.payload.result!.reply);
      case "departed":
        return this.#departures.departed(effect.departure);
      case "restore":
        this.#forgetAhead();
        this.#executed = this.#durable;
        return this.#inbox.restored();
      case "fail":
        for (const token of effect.tokens) {
          const durable = this.#callers.invocation(token)?.target.operation.durable;
          this.#callers.settle(token, this.#failedAttempt(effect.reason, durable));
        }
    }
  }

  async #lookup(token: number, pending: Pending): Promise<void> {
    this.#driver.drive({ kind: "looked", token, answer: await findRecord(this.#options, this.name, pending) });
  }

  #run(token: number, attempt: number, pending: Pending): void {
    const { environment, outgoing, service, shard } = this.#options;
    const { invocation, entry } = pending;
    if (!this.#isWanted(pending)) {
      pending.result = nothing(succeeded(undefined));
      return this.#driver.drive({ kind: "finished", token, attempt, changed: false });
    }
    const departure = (): Promise<void> => this.#depart(token, attempt);
    const isVoid = invocation?.requires?.standing === "lost";
    if (isVoid || (entry === null && environment.counters.undurableBytes > environment.limits.undurableBytesMax)) {
      return this.#driver.drive({ kind: "shed", token, attempt, reason: isVoid ? "dropped" : "shed" });
    }
    const snapshot = this.#executed;
    if (entry !== null || invocation!.target.operation.durable)
      return this.#inbox.run({ token, attempt, pending, snapshot, departure, timers: () => this.#ahead.timers });
    const turn = new CommandTurn({
      environment,
      outgoing,
      invocation: invocation!,
      attempt,
      service,
      key: this.key,
      snapshot,
      departure,
      room: () => shard.messages!.outbox.room,
      timers: this.#ahead.timers,
      onFinished: (result) => {
        if (this.#turn !== turn) return;
        this.#turn = null;
        this.#departures.close();
        pending.result = result;
        if (result.changed) invocation!.slot?.storeAsked(turn.endedAt);
        this.#driver.drive({ kind: "finished", token, attempt, changed: result.changed });
      },
    });
    this.#turn = turn;
    environment.counters.commands += 1;
    turn.start();
  }

  /** A timer that was set anew or cleared before does not run, whether or not that is durable yet. */
  #isWanted({ invocation, entry }: Pending): boolean {
    const timer = entry === null ? invocation?.timer : undefined;
    if (timer === undefined) return true;
    const { shard } = this.#options;
    const ahead = this.#ahead.timer(timer.name);
    if (ahead !== undefined) return ahead === timer.generation;
    return shard.messages!.timers.isSet(this.key, timer.name, timer.generation);
  }

  /** A timer has durably become a message. */
  timerReleased(name: string): void {
    (this.#loading ?? this.#ahead).timerReleased(name);
  }

  #abandon(): void {
    this.#turn?.abandon();
    this.#turn = null;
    this.#inbox.abandoned();
    this.#departures.close();
  }

  /** The exit gate for a call of the running handler: resolves when the call may leave. The router asks the lease. */
  #depart(token: number, attempt: number): Promise<void> {
    return this.#departures.wait((departure) => this.#driver.drive({ kind: "depart", token, attempt, departure }));
  }

  #commit(position: number, { result, entry: finished, invocation }: Pending): void {
    const { shard } = this.#options;
    const { state, record, left } = result!;
    const before = this.#executed;
    if (state !== undefined) {
      const version = state === null ? 0 : shard.nextVersion(before.version);
      this.#executed = new Snapshot(version, state);
    }
    // Calls that its handler did not wait for never leave.
    if (finished !== null) this.#departures.close();
    // The timer that ran a durable command was cleared by its acceptance.
    const fired = finished === null ? invocation!.timer?.name : undefined;
    const isNothing = left === null && fired === undefined;
    const sender = finished === null ? senderOf(invocation!) : senderOfItem(finished);
    const sent = isNothing ? null : shard.messages!.work({ key: this.key, ...sender }, left, fired);
    const work = finished === null ? sent : { ...sent, finished: [finished.item.number] };
    const own = { position, expectedVersion: before.version, state, record, work, requires: invocation?.requires };
    this.#add(own, null, finished);
  }

  /** A durable command goes into the inbox, and its entity's state stays as it is. */
  #enter(position: number, { entry, invocation }: Pending): void {
    const fired = invocation?.timer?.name;
    const work = { accepted: [entry!.item], ...(fired === undefined ? {} : { timersCleared: [fired] }) };
    this.#add({ position, expectedVersion: this.#executed.version, state: undefined, record: null, work }, entry, null);
    this.#inbox.entered(entry!);
  }

  #add(
    own: Pick<Change, "position" | "expectedVersion" | "state" | "record" | "work" | "requires">,
    accepted: InboxEntry | null,
    finished: InboxEntry | null,
  ): void {
    const { committer, service, shard } = this.#options;
    const { position, state, record, work } = own;
    if (finished !== null && record !== null) shard.noteRecord(record);
    const bytes = this.key.length + (state?.length ?? 0) + (record?.reply.length ?? 0) + inputLengthOf(work);
    this.#ahead.add({ position, snapshot: this.#executed, record, work, bytes, accepted, finished });
    committer.add({
      ...own,
      shard: shard.id,
      epoch: shard.epoch,
      key: this.key,
      version: this.#executed.version,
      stateVersion: service.state!.version,
      floors: shard.floorsWith(record),
    });
  }

  /** Copies of a call learn that theirs was not the one that took effect. */
  #answer(tokens: readonly number[], first: number, reply: GatewayReply): void {
    for (const token of tokens) this.#leave(token, token === first ? reply : { ...reply, replayed: true });
  }

  #replay(tokens: readonly number[], record: CallRecord): void {
    for (const token of tokens) {
      const same = this.#callers.invocation(token)?.id?.inputHash === record.inputHash;
      if (same) this.#leave(token, decodeRecorded(record.reply));
      else this.#callers.settle(token, this.#failedAttempt("mismatch"));
    }
  }

  /** The lease's part of the exit gate. */
  #leave(token: number, full: GatewayReply): void {
    const { waitFor, target } = this.#callers.invocation(token) ?? {};
    const accepted = waitFor === "acceptance" && target?.operation.durable === true && isRecorded(full);
    const reply = accepted ? { ...succeeded(undefined), replayed: full.replayed } : full;
    if (this.#options.environment.lease.valid) return this.#callers.settle(token, { reply });
    const invocation = this.#callers.invocation(token);
    if (invocation === undefined) return;
    void this.#throughGate(reply, invocation.deadline, false).then((attempt) => this.#callers.settle(token, attempt));
  }

  /** `harmless`: the answer is a query's, so that without it nothing has happened. */
  async #throughGate(reply: GatewayReply, deadline: number, harmless: boolean): Promise<Attempt> {
    const { lease } = this.#options.environment;
    const valid = lease.valid || (await lease.whenValid(deadline, () => this.#dropped === null));
    if (valid && this.#dropped === null) return { reply };
    return lost(this.#dropped ?? leaseRanOut(), harmless);
  }

  #failedAttempt(reason: FailReason, durable = false): Attempt {
    switch (reason) {
      case "rolled-back":
        return { reply: failed(this.#rollback!) };
      case "dropped":
        return lost(this.#dropped ?? moving(), true);
      case "dropped-unknown":
        return lost(this.#dropped ?? moving(), false);
      case "blocked":
      case "parked":
        return { reply: this.#inbox.refusal(reason) };
      default:
        return { reply: refusal(reason, this.name, durable) };
    }
  }

  #forgetAhead(): void {
    const { messages } = this.#options.shard;
    for (const { work } of this.#ahead.forget()) if (work !== null) messages!.rolledBack(work);
  }
}
