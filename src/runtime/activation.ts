/**
 * One entity in memory: it drives the mailbox core, holds the state that the last command left and the last
 * durable one, and runs handlers on copies of them.
 *
 * Durable before visible: queries see only the durable state, and an answer leaves when the mailbox says that
 * all it could have seen is durable, the lease is valid, and this activation has been continuous since.
 */
import type { Change } from "../core/commits/load.ts";
import {
  type FailReason,
  type LookupAnswer,
  Mailbox,
  type MailboxEffect,
  type MailboxInput,
} from "../core/mailbox/mailbox.ts";
import { invariant, SynodError } from "../errors.ts";
import type { Timer } from "../ports/clock.ts";
import type { GatewayReply } from "../ports/gateway.ts";
import type { CallRecord } from "../ports/store.ts";
import type { AnyService } from "../service/model.ts";
import { CommandTurn, type TurnResult } from "./command-turn.ts";
import type { Committer } from "./committer.ts";
import type { Passivable } from "./entity-memory.ts";
import type { Environment } from "./environment.ts";
import { type Attempt, type Invocation, nameOfEntity } from "./invocation.ts";
import type { Outgoing } from "./outgoing.ts";
import { runQuery } from "./query-run.ts";
import { decodeRecorded, failed, failure, withOutcome } from "./replies.ts";
import type { Shard } from "./shard.ts";
import { absent, loadSnapshot, type Snapshot } from "./snapshot.ts";

/** What an activation takes besides its state. */
const overheadBytes = 1_024;

export interface ActivationOptions {
  readonly environment: Environment;
  readonly committer: Committer;
  readonly outgoing: Outgoing;
  readonly service: AnyService;
  readonly shard: Shard;
  readonly key: string;
}

/** A command in the mailbox, with what its lookup found or its turn left. */
interface Pending {
  readonly invocation: Invocation;
  record: CallRecord | null;
  result: TurnResult | null;
}

/** Somebody who waits for an answer. */
interface Call {
  readonly invocation: Invocation;
  readonly settle: (attempt: Attempt) => void;
  readonly timer: Timer;
  readonly stopListening: () => void;
}

/** A state that a command left and that is not durable yet. */
interface Ahead {
  readonly position: number;
  readonly snapshot: Snapshot;
  readonly record: CallRecord | null;
  readonly bytes: number;
}

export class Activation implements Passivable {
  readonly options: ActivationOptions;
  readonly name: string;
  readonly #mailbox: Mailbox<Pending>;
  readonly #inputs: MailboxInput<Pending>[] = [];
  #driving = false;
  readonly #calls = new Map<number, Call>();
  #lastToken = 0;
  /** The state that the next command runs on. */
  #executed: Snapshot = absent;
  #durable: Snapshot = absent;
  #ahead: Ahead[] = [];
  #turn: CommandTurn | null = null;
  readonly #departures = new Map<number, () => void>();
  #lastDeparture = 0;
  #queries = 0;
  #dropped: SynodError | null = null;
  #rollback: SynodError | null = null;
  /** Resolves when the state is in memory, or never will be. */
  readonly #loaded: PromiseWithResolvers<void> = Promise.withResolvers();
  #isLoaded = false;

  constructor(options: ActivationOptions) {
    this.options = options;
    this.name = nameOfEntity(options.service.interface.name, options.key);
    this.#mailbox = new Mailbox({ mailboxLengthMax: options.environment.limits.mailboxLengthMax });
    void this.#load();
  }

  get bytes(): number {
    const durable = this.#durable === this.#executed ? 0 : (this.#durable.text?.length ?? 0);
    return overheadBytes + this.options.key.length + (this.#executed.text?.length ?? 0) + durable;
  }

  get idle(): boolean {
    return this.#mailbox.idle && this.#queries === 0 && this.#calls.size === 0;
  }

  get queued(): number {
    return this.#mailbox.queued;
  }

  get durable(): Snapshot {
    return this.#durable;
  }

  passivate(): void {
    invariant(this.idle, "only an idle entity is passivated");
    this.#dropped = new SynodError("unavailable", `${this.name} was passivated`);
    this.options.shard.forget(this);
  }

  /** Runs a command, or answers it from its record. */
  command(invocation: Invocation): Promise<Attempt> {
    if (this.#dropped !== null) return Promise.resolve(lost(this.#dropped, true));
    const { environment, shard } = this.options;
    const token = ++this.#lastToken;
    return new Promise((settle) => {
      const remainingMs = Math.max(0, invocation.deadline - environment.clock.monotonic());
      const timer = environment.clock.setTimer(remainingMs, () => this.#expire(token));
      this.#calls.set(token, { invocation, settle, timer, stopListening: this.#listen(invocation, token) });
      environment.memory.touch(this);
      const { id } = invocation;
      const payload: Pending = { invocation, record: null, result: null };
      if (id === null) {
        return this.#drive({ kind: "arrive", token, id: null, inputHash: null, lookup: false, payload });
      }
      if (!shard.mayExecute(id)) return this.#settle(token, this.#failedAttempt("forgotten"));
      const record = environment.records.get(shard.nameOfRecord(id.hash));
      if (record !== undefined) return this.#replay([token], record);
      this.#drive({ kind: "arrive", token, id: id.hash, inputHash: id.inputHash, lookup: true, payload });
    });
  }

  /** Runs a query on the state that is durable when it starts. */
  async query(invocation: Invocation): Promise<Attempt> {
    const { environment, outgoing } = this.options;
    const { deadline } = invocation;
    if (this.#dropped !== null) return lost(this.#dropped, true);
    this.#queries += 1;
    environment.memory.touch(this);
    try {
      if (!this.#isLoaded && !(await this.#loadedBy(deadline))) {
        return { reply: failure("deadline_exceeded", `the store did not give the state of ${this.name} in time`) };
      }
      if (this.#dropped !== null) return lost(this.#dropped, true);
      const reply = await runQuery({ environment, outgoing, invocation, snapshot: this.#durable });
      return await this.#throughGate(reply, deadline, true);
    } finally {
      this.#queries -= 1;
    }
  }

  becameDurable(position: number): void {
    if (this.#dropped !== null) return;
    const { environment, shard } = this.options;
    while (this.#ahead[0] !== undefined && this.#ahead[0].position <= position) {
      const { snapshot, record, bytes } = this.#ahead.shift()!;
      this.#durable = snapshot;
      environment.counters.undurableBytes -= bytes;
      environment.counters.committedCommands += 1;
      if (record !== null) environment.records.add(shard.nameOfRecord(record.id), record);
    }
    environment.memory.touch(this);
    this.#drive({ kind: "durable", position });
  }

  rolledBack(through: number, culprit: boolean, error: SynodError): void {
    if (this.#dropped !== null) return;
    this.#rollback = error;
    this.#drive({ kind: "rolledBack", through, culprit });
  }

  /** Ends this activation. Positions up to `unknownThrough` were in a commit of unknown outcome. */
  drop(reason: SynodError, unknownThrough: number): void {
    if (this.#dropped !== null) return;
    this.#dropped = reason;
    this.#forgetAhead();
    for (const effect of this.#mailbox.step({ kind: "drop", unknownThrough })) this.#perform(effect);
    this.options.environment.memory.remove(this);
    this.options.shard.forget(this);
    this.#loaded.resolve();
  }

  async #load(): Promise<void> {
    const { environment, service, shard, key } = this.options;
    try {
      const result = await environment.reader.read({ kind: "entity", shard: shard.id, key });
      if (this.#dropped !== null) return;
      this.#durable = loadSnapshot(service, key, result);
      this.#executed = this.#durable;
      shard.noteVersion(this.#durable.version);
      this.#isLoaded = true;
      this.#loaded.resolve();
      environment.memory.touch(this);
      this.#drive({ kind: "loaded" });
    } catch (error) {
      this.drop(this.#loadError(error), 0);
    }
  }

  /** Waits for the state; false when the deadline comes first. */
  async #loadedBy(deadline: number): Promise<boolean> {
    const { clock } = this.options.environment;
    return new Promise((resolve) => {
      const timer = clock.setTimer(Math.max(0, deadline - clock.monotonic()), () => resolve(false));
      void this.#loaded.promise.then(() => {
        timer.cancel();
        resolve(true);
      });
    });
  }

  #loadError(error: unknown): SynodError {
    if (error instanceof SynodError && error.code !== "unavailable") {
      this.options.environment.log.error(`${this.name} cannot be loaded`, { error });
      return error;
    }
    return new SynodError("unavailable", `${this.name} could not be loaded from the store`, { cause: error });
  }

  #drive(input: MailboxInput<Pending>): void {
    this.#inputs.push(input);
    if (this.#driving) return;
    this.#driving = true;
    try {
      for (let next = this.#inputs.shift(); next !== undefined; next = this.#inputs.shift()) {
        if (this.#dropped !== null) return;
        for (const effect of this.#mailbox.step(next)) this.#perform(effect);
      }
    } finally {
      this.#driving = false;
    }
  }

  #perform(effect: MailboxEffect<Pending>): void {
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
        return this.#commit(effect.position, effect.payload.result!);
      case "release":
        return this.#answer(effect.tokens, effect.token, effect.payload.result!.reply);
      case "departed":
        this.#departures.get(effect.departure)?.();
        this.#departures.delete(effect.departure);
        return;
      case "restore":
        this.#forgetAhead();
        this.#executed = this.#durable;
        return;
      case "fail":
        for (const token of effect.tokens) this.#settle(token, this.#failedAttempt(effect.reason));
    }
  }

  async #lookup(token: number, pending: Pending): Promise<void> {
    this.#drive({ kind: "looked", token, answer: await this.#findRecord(pending) });
  }

  async #findRecord(pending: Pending): Promise<LookupAnswer> {
    const { environment, shard } = this.options;
    const id = pending.invocation.id!;
    try {
      const result = await environment.reader.read({ kind: "record", shard: shard.id, id: id.hash });
      if (result.kind === "corrupt") {
        environment.log.error(`a recorded reply of ${this.name} is damaged`, { error: result.error });
        return "damaged";
      }
      if (result.kind === "record" && result.record !== null) {
        pending.record = result.record;
        return "found";
      }
      // What became settled meanwhile has no record any more, and must not be executed.
      return (await shard.forgot(id)) ? "forgotten" : "absent";
    } catch (error) {
      environment.log.warn(`the store did not say whether a command on ${this.name} is a repeat`, { error });
      return "failed";
    }
  }

  #run(token: number, attempt: number, pending: Pending): void {
    const { environment, outgoing, service, key } = this.options;
    if (environment.counters.undurableBytes > environment.limits.undurableBytesMax) {
      return this.#drive({ kind: "shed", token, attempt });
    }
    const turn = new CommandTurn({
      environment,
      outgoing,
      invocation: pending.invocation,
      attempt,
      service,
      key,
      snapshot: this.#executed,
      departure: () => this.#depart(token, attempt),
      onFinished: (result) => {
        if (this.#turn !== turn) return;
        this.#turn = null;
        this.#closeDepartures();
        pending.result = result;
        if (result.changed) pending.invocation.slot?.storeAsked(environment.clock.monotonic());
        this.#drive({ kind: "finished", token, attempt, changed: result.changed });
      },
    });
    this.#turn = turn;
    environment.counters.commands += 1;
    turn.start();
  }

  #abandon(): void {
    this.#turn?.abandon();
    this.#turn = null;
    this.#closeDepartures();
  }

  /** The handler's context is revoked, as everybody finds out who is woken here. */
  #closeDepartures(): void {
    for (const wake of this.#departures.values()) wake();
    this.#departures.clear();
  }

  /** The exit gate for a call of the running handler: resolves when the call may leave. The router asks the lease. */
  #depart(token: number, attempt: number): Promise<void> {
    const departure = ++this.#lastDeparture;
    return new Promise((resolve) => {
      this.#departures.set(departure, resolve);
      this.#drive({ kind: "depart", token, attempt, departure });
    });
  }

  #commit(position: number, { state, record }: TurnResult): void {
    const { environment, committer, service, shard, key } = this.options;
    const before = this.#executed;
    if (state !== undefined) {
      const version = state === null ? 0 : shard.nextVersion(before.version);
      this.#executed = { version, text: state };
    }
    const change: Change = {
      shard: shard.id,
      epoch: shard.epoch,
      key,
      position,
      expectedVersion: before.version,
      version: this.#executed.version,
      stateVersion: service.state!.version,
      state,
      record,
      work: null,
      floors: shard.takeRisenFloors(),
    };
    const bytes = key.length + (state?.length ?? 0) + (record?.reply.length ?? 0);
    this.#ahead.push({ position, snapshot: this.#executed, record, bytes });
    environment.counters.undurableBytes += bytes;
    committer.add(change);
  }

  /** Copies of a call learn that theirs was not the one that took effect. */
  #answer(tokens: readonly number[], first: number, reply: GatewayReply): void {
    for (const token of tokens) {
      this.#leave(token, token === first ? reply : { ...reply, replayed: true });
    }
  }

  #replay(tokens: readonly number[], record: CallRecord): void {
    for (const token of tokens) {
      const same = this.#calls.get(token)?.invocation.id?.inputHash === record.inputHash;
      if (same) this.#leave(token, decodeRecorded(record.reply));
      else this.#settle(token, this.#failedAttempt("mismatch"));
    }
  }

  /** The lease's part of the exit gate. */
  #leave(token: number, reply: GatewayReply): void {
    if (this.options.environment.lease.valid) return this.#settle(token, { reply });
    const call = this.#calls.get(token);
    if (call === undefined) return;
    void this.#throughGate(reply, call.invocation.deadline, false).then((attempt) => this.#settle(token, attempt));
  }

  /** `harmless`: the answer is a query's, so that without it nothing has happened. */
  async #throughGate(reply: GatewayReply, deadline: number, harmless: boolean): Promise<Attempt> {
    const { lease } = this.options.environment;
    const valid = lease.valid || (await lease.whenValid(deadline, () => this.#dropped === null));
    if (valid && this.#dropped === null) return { reply };
    return lost(this.#dropped ?? leaseRanOut(), harmless);
  }

  #settle(token: number, attempt: Attempt): void {
    const call = this.#calls.get(token);
    if (call === undefined) return;
    this.#calls.delete(token);
    call.timer.cancel();
    call.stopListening();
    call.settle(attempt);
  }

  #listen({ signal }: Invocation, token: number): () => void {
    if (signal === undefined) return () => {};
    const onAbort = (): void => this.#expire(token);
    signal.addEventListener("abort", onAbort);
    return () => signal.removeEventListener("abort", onAbort);
  }

  #expire(token: number): void {
    if (this.#calls.has(token)) this.#drive({ kind: "expire", token });
  }

  #failedAttempt(reason: FailReason): Attempt {
    const { name } = this;
    switch (reason) {
      case "full":
        return { reply: failure("resource_exhausted", `too many commands wait for ${name}`, { retryAfterMs: 1_000 }) };
      case "shed": {
        const message = "too much waits for the store to make it durable";
        return { reply: failure("resource_exhausted", message, { retryAfterMs: 1_000 }) };
      }
      case "mismatch": {
        const message = `this idempotency key was used with another input for ${name}`;
        return { reply: failure("invalid_argument", message) };
      }
      case "expired":
        return { reply: failure("deadline_exceeded", `${name} did not get it done in time; it did not happen`) };
      case "expired-unknown": {
        const message = `${name} did not answer in time; the command may take effect all the same`;
        return { reply: failure("deadline_exceeded", message, { outcome: "unknown" }) };
      }
      case "lookup-failed":
        return { reply: failure("unavailable", `the store did not answer for ${name}`, { retryAfterMs: 1_000 }) };
      case "damaged": {
        const message = `the recorded reply of ${name} is damaged: restore the store from a backup`;
        return { reply: failure("data_loss", message, { outcome: "unknown" }) };
      }
      case "forgotten": {
        const message = `this idempotency key is older than what ${name} remembers: whether it was used is not known`;
        return { reply: failure("failed_precondition", message, { outcome: "unknown" }) };
      }
      case "rolled-back":
        return { reply: failed(this.#rollback!) };
      case "dropped":
        return lost(this.#dropped!, true);
      case "dropped-unknown":
        return lost(this.#dropped!, false);
    }
  }

  #forgetAhead(): void {
    const { counters } = this.options.environment;
    for (const { bytes } of this.#ahead) counters.undurableBytes -= bytes;
    this.#ahead = [];
  }
}

function leaseRanOut(): SynodError {
  return new SynodError("unavailable", "this node's lease has run out", { retryAfterMs: 1_000 });
}

/** Lost for a reason that a repeat may find gone; otherwise (damaged state, say) the reason is the reply. */
function lost(reason: SynodError, certain: boolean): Attempt {
  const reply = withOutcome(failed(reason), certain ? "not-happened" : "unknown");
  return reason.retryable ? { reply, lost: { certain } } : { reply };
}
