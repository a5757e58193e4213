/**
 * The timers of the shards that this node owns: one clock timer for all of them, set to the earliest. A named timer
 * runs a command of its own entity, whose change clears it; a delayed message goes to the outbox when it is due.
 */
import { type FailedFiring, Timers, type TimersEffect, type TimersInput } from "../../core/timers/timers.ts";
import { SynodError } from "../../errors.ts";
import type { Timer } from "../../ports/clock.ts";
import type { GatewayReply } from "../../ports/gateway.ts";
import type { OutboxMessage, Page, TimerPlace, TimerRow } from "../../ports/work.ts";
import { Gone } from "../../values/gone.ts";
import { hashParts } from "../../values/hash.ts";
import { ranks } from "../../values/priority.ts";
import type { Committer } from "../committer.ts";
import type { Environment } from "../environment.ts";
import { type CommandId, commandHash, type Invocation } from "../invocation.ts";
import type { Shard } from "../shard.ts";
import { deliveryAnswerOf } from "./answers.ts";
import type { ShardOutbox } from "./outbox.ts";
import { messageOf, receiverOf, targetOf } from "./rows.ts";

/** The wait after the store could not be read, ms. */
const storeRetryMs = 200;

export interface ShardTimersOptions {
  readonly environment: Environment;
  readonly shard: Shard;
  readonly outbox: ShardOutbox;
  readonly committer: Committer;
  /** Runs a command on an entity of the shard. */
  readonly run: (invocation: Invocation) => Promise<GatewayReply>;
  /** The earliest timer may be another one now. */
  readonly changed: (timers: ShardTimers) => void;
}

export class ShardTimers {
  readonly #options: ShardTimersOptions;
  readonly #epoch: number;
  readonly #core: Timers;
  readonly #inputs: TimersInput[] = [];
  readonly #gone = new Gone();

  constructor(options: ShardTimersOptions) {
    this.#options = options;
    const { limits } = options.environment;
    this.#epoch = options.shard.epoch;
    this.#core = new Timers({
      ownFrom: options.shard.session.next,
      lengthMax: limits.timersInMemoryMax,
      pageLengthMax: Math.ceil(limits.timersInMemoryMax / 4),
      inputLengthMax: limits.timersInputLengthMax,
      overdueMax: limits.timersOverdueMax,
      firingsMax: limits.timersFiringMax,
      attemptsMax: limits.deliveryAttemptsMax,
      backoffBaseMs: limits.deliveryBackoffBaseMs,
      backoffMaxMs: limits.deliveryBackoffMaxMs,
    });
    this.#step({ kind: "claimed" });
  }

  /** Ms since 1970; null: nothing to do before something changes. */
  get nextAt(): number | null {
    return this.stopped ? null : this.#core.nextAt;
  }

  isSet(key: string, name: string, generation: number): boolean {
    return this.#core.isSet(key, name, generation);
  }

  /** These became durable. */
  set(rows: readonly TimerRow[]): void {
    for (const row of rows) this.#step({ kind: "set", row });
  }

  cleared(key: string, names: readonly string[]): void {
    for (const name of names) this.#step({ kind: "cleared", key, name });
  }

  time(): void {
    this.#step({ kind: "time", now: this.#options.environment.clock.wall() });
  }

  stop(): void {
    this.#gone.abort();
    this.#options.changed(this);
  }

  get stopped(): boolean {
    return this.#gone.aborted;
  }

  #step(input: TimersInput): void {
    if (this.#inputs.push(input) > 1) return;
    for (let next: TimersInput | undefined = input; next !== undefined; next = this.#inputs[0]) {
      if (!this.stopped) for (const effect of this.#core.step(next)) this.#perform(effect);
      this.#inputs.shift();
    }
    this.#options.changed(this);
  }

  #perform(effect: TimersEffect): void {
    switch (effect.kind) {
      case "read":
        return void this.#read(effect.after, effect.limit);
      case "fire":
        return void this.#fire(effect.row, effect.count);
      case "uncount":
        return void this.#count(effect.row, effect.attempts);
      case "exhausted":
        return void this.#park(effect.row, effect.last);
    }
  }

  async #fire(row: TimerRow, count: number | null): Promise<void> {
    if (row.service !== null) return this.#release(row, row.service);
    // What ends its node each time is counted by the node's end.
    if (count !== null && !(await this.#count(row, count))) return this.#fired(row, "waits");
    if (!this.stopped) await this.#run(row);
  }

  /** False when that did not become durable. */
  async #count({ key, name, generation }: TimerRow, attempts: number): Promise<boolean> {
    const { committer, shard } = this.#options;
    const timersCounted = [{ key, name, generation, attempts }];
    const { outcome } = await committer.progress({ shard: shard.id, epoch: this.#epoch, timersCounted });
    return outcome === "durable";
  }

  async #read(after: TimerPlace | null, limit: number): Promise<void> {
    const { environment, shard } = this.#options;
    while (!this.stopped) {
      try {
        const result = await environment.reader.readBacklog({ kind: "timers", shard: shard.id, after, limit });
        if (result.kind === "corrupt") throw result.error;
        if (result.kind !== "timers") throw new SynodError("internal", "timers are read as timers");
        return this.#page(result.page);
      } catch (error) {
        // A store that is closed because the node ends is no trouble.
        if (this.stopped) return;
        environment.log.warn(`the timers of shard ${shard.sessionName} cannot be read now`, { error });
        await new Promise<void>((resolve) => environment.clock.setTimer(storeRetryMs, resolve));
      }
    }
  }

  #page({ rows, damaged, next }: Page<TimerRow, TimerPlace>): void {
    const { environment, shard } = this.#options;
    for (const { at, error } of damaged) {
      environment.log.error(`timer ${at.name} of ${shard.id.service}/${at.key} is damaged: it does not fire`, {
        error,
      });
    }
    this.#step({ kind: "page", rows, next });
  }

  async #run(row: TimerRow): Promise<void> {
    const { environment, shard, run } = this.#options;
    const { key, name, generation, operation, input } = row;
    const target = targetOf(environment, { service: shard.id.service, target: key, operation, input });
    if (target === null) {
      const message = `${shard.id.service} has no operation ${operation} any more`;
      environment.log.error(`${message}: its timer ${name} cannot run`);
      return this.#fired(row, { code: "unimplemented", message });
    }
    const reply = await run({
      target,
      input: input ?? undefined,
      // One name for all tries, and for no other timer: random values of its command come from it.
      requestId: `${shard.sessionName}~${generation}`,
      principal: row.principal,
      // It was admitted when it was set; how many run at a time is bounded.
      rank: ranks.chain,
      caller: row.principal,
      // A durable command is known by an id. That its timer goes when it is accepted keeps it from being run again.
      id: target.operation.durable ? this.#idOf(row) : null,
      deadline: environment.clock.monotonic() + environment.limits.deliveryTimeoutMs,
      signal: this.#gone,
      traceparent: row.traceparent ?? undefined,
      waitFor: "acceptance",
      timer: { name, generation },
    });
    const answer = deliveryAnswerOf(reply);
    if (answer.kind === "failed") return this.#fired(row, answer.reason);
    this.#fired(row, answer.kind === "delivered" ? "done" : "waits");
  }

  #idOf({ generation, input }: TimerRow): CommandId {
    const hash = commandHash(null, "timer", this.#options.shard.sessionName, String(generation));
    return { hash, inputHash: hashParts(input ?? ""), keyTime: null };
  }

  #fired({ key, name, generation }: TimerRow, outcome: "done" | "waits" | FailedFiring): void {
    const { clock, random } = this.#options.environment;
    this.#step({ kind: "fired", key, name, generation, now: clock.wall(), outcome, chance: random.number() });
  }

  /** A delayed message is due: from now on it is a message, with a number that its receiver knows it by. */
  async #release(row: TimerRow, service: string): Promise<void> {
    if (this.#options.outbox.room <= 0) return this.#fired(row, "waits");
    const { target, operation, input } = row;
    const message = this.#message(row, { service, target, operation, input }, null);
    const turned = await this.#turnInto(row, message);
    if (turned === "lost") return;
    this.#fired(row, turned === "failed" ? "waits" : "done");
    if (turned === "came") this.#options.outbox.sent([message]);
  }

  async #park(row: TimerRow, last: FailedFiring | null): Promise<void> {
    const { environment, shard } = this.#options;
    const { key, name, operation, input } = row;
    const { deliveryAttemptsMax: tries } = environment.limits;
    const failed = `the command ${operation} of timer ${name} failed ${tries} times, the last time: ${last?.message}`;
    const gone = `its node went away over the command ${operation} of timer ${name}, at the last of ${tries} tries`;
    const reason = last === null ? { code: "unavailable", message: gone } : { ...last, message: failed };
    environment.log.error(`timer ${name} of ${shard.id.service}/${key} is parked: ${reason.message}`);
    const parked = JSON.stringify({ ...reason, at: Math.floor(environment.clock.wall()) });
    const message = this.#message(row, { service: shard.id.service, target: key, operation, input }, parked);
    if ((await this.#turnInto(row, message)) === "came") this.#options.outbox.foundParked(message.number);
  }

  #message(
    row: TimerRow,
    sent: { service: string; target: string | null; operation: string; input: string | null },
    parked: string | null,
  ): OutboxMessage {
    const { environment, shard } = this.#options;
    const number = shard.session.take(receiverOf(environment, sent.service, sent.target));
    const { key, principal, request, traceparent } = row;
    const sentAt = Math.floor(environment.clock.wall());
    const message = messageOf({ key, principal, request, traceparent }, sent, number, sentAt);
    return parked === null ? message : { ...message, attempts: environment.limits.deliveryAttemptsMax, parked };
  }

  /** In one commit the timer goes and the message comes; neither, if the timer was set anew or cleared before. */
  async #turnInto(row: TimerRow, message: OutboxMessage): Promise<"came" | "gone" | "failed" | "lost"> {
    const { committer, environment, outbox, shard } = this.#options;
    const { key, name, generation } = row;
    outbox.reserve(1);
    const released = [{ key, name, generation, message }];
    const { outcome, error } = await committer.progress({ shard: shard.id, epoch: this.#epoch, released });
    outbox.reserve(-1);
    if (outcome === "dropped" || outcome === "unknown" || this.stopped) return "lost";
    if (outcome === "durable") {
      // Whatever became durable before is known here: under another generation there was nothing to release.
      if (this.#core.isSet(key, name, generation)) {
        shard.session.durable(message.number);
        this.#step({ kind: "cleared", key, name });
        shard.activations.get(key)?.timerReleased(name);
        return "came";
      }
      shard.session.settle(message.number);
      return "gone";
    }
    environment.log.warn(`the timers of shard ${shard.sessionName} cannot be written now`, { error });
    shard.session.settle(message.number);
    return "failed";
  }
}

/** One clock timer for all shards of a node. */
export class NodeTimers {
  readonly #environment: Environment;
  readonly #shards = new Set<ShardTimers>();
  #timer: Timer | null = null;
  #armedFor = Number.POSITIVE_INFINITY;

  constructor(environment: Environment) {
    this.#environment = environment;
  }

  add(timers: ShardTimers): void {
    this.#shards.add(timers);
    this.consider(timers);
  }

  /** A shard's earliest timer may be another one now. One that became later is found out when it fires. */
  consider(timers: ShardTimers): void {
    if (timers.stopped) this.#shards.delete(timers);
    if (!this.#shards.has(timers)) return;
    const at = timers.nextAt;
    if (at !== null && at < this.#armedFor) this.#arm(at);
  }

  stop(): void {
    this.#timer?.cancel();
    this.#shards.clear();
  }

  #arm(at: number): void {
    const { clock, limits } = this.#environment;
    this.#timer?.cancel();
    this.#armedFor = at;
    // A wall clock may jump: it is looked at now and then, however far the next timer is.
    const waitMs = Math.min(Math.max(0, at - clock.wall()), limits.timersLookMs);
    this.#timer = clock.setTimer(Math.ceil(waitMs), () => this.#fire());
  }

  #fire(): void {
    const now = this.#environment.clock.wall();
    this.#armedFor = Number.POSITIVE_INFINITY;
    for (const timers of this.#shards) {
      const at = timers.nextAt;
      if (at !== null && at <= now) timers.time();
    }
    let next = Number.POSITIVE_INFINITY;
    for (const timers of this.#shards) next = Math.min(next, timers.nextAt ?? next);
    if (next < this.#armedFor) this.#arm(next);
  }
}
