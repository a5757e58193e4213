/**
 * Drives the outbox core of one shard for as long as this node owns the shard: reads what earlier owners left, page
 * by page, takes over what becomes durable, delivers, and writes down how it went with the commits that leave anyway.
 *
 * Nothing is handed over when the shard is lost: its next owner reads the store.
 */
import { Outbox, type OutboxEffect, type OutboxInput } from "../../core/outbox/outbox.ts";
import type { ShardSession } from "../../core/sessions/shard-session.ts";
import { SynodError, toSynodError } from "../../errors.ts";
import type { Timer } from "../../ports/clock.ts";
import type { GatewayReply } from "../../ports/gateway.ts";
import type { OutboxMessage, Page, ShardProgress } from "../../ports/work.ts";
import { Gone } from "../../values/gone.ts";
import type { Committer } from "../committer.ts";
import type { Environment } from "../environment.ts";
import type { Invocation } from "../invocation.ts";
import type { Shard } from "../shard.ts";
import { deliveryAnswerOf } from "./answers.ts";
import { deliveryOf, pairOf, receiverOf, targetOf } from "./rows.ts";

/** Rows that one read brings; of the first, which all shards of a claim make at once, because most have nothing. */
const pageLengthMax = 500;
const firstPageLengthMax = 16;
/** The wait after the store could not be read or written, ms. */
const storeRetryMs = 200;

export interface ShardOutboxOptions {
  readonly environment: Environment;
  readonly shard: Shard;
  readonly session: ShardSession;
  readonly committer: Committer;
  readonly dispatch: (invocation: Invocation) => Promise<GatewayReply>;
}

export class ShardOutbox {
  readonly #options: ShardOutboxOptions;
  readonly #epoch: number;
  readonly #core: Outbox;
  readonly #inputs: OutboxInput[] = [];
  /** Messages whose text is at hand; that of the others is read when their turn comes. */
  readonly #texts = new Map<number, OutboxMessage>();
  #textLength = 0;
  /** Messages in changes that are not durable yet. */
  #undurable = 0;
  /** Delivered or dropped, and not told to the store yet. */
  #toSettle: number[] = [];
  #timer: Timer | null = null;
  #armedFor: number | null = null;
  /** Operators who wait for a message to be gone. */
  readonly #drops = new Map<number, { readonly resolve: () => void; readonly reject: (error: SynodError) => void }>();
  readonly #gone = new Gone();

  constructor(options: ShardOutboxOptions) {
    this.#options = options;
    const { environment, shard } = options;
    const { deliveriesPerShardMax, deliveryAttemptsMax, deliveryBackoffBaseMs, deliveryBackoffMaxMs } =
      environment.limits;
    this.#epoch = shard.epoch;
    this.#core = new Outbox({
      ownFrom: options.session.next,
      deliveriesMax: deliveriesPerShardMax,
      attemptsMax: deliveryAttemptsMax,
      backoffBaseMs: deliveryBackoffBaseMs,
      backoffMaxMs: deliveryBackoffMaxMs,
    });
    void this.#readAll();
  }

  /** How many more messages may wait to be delivered. */
  get room(): number {
    return this.#options.environment.limits.outboxLengthMax - this.#core.length - this.#undurable;
  }

  /** Messages that are neither delivered nor parked, as far as they are known. */
  get pending(): number {
    return this.#core.pending;
  }

  /** Changes with so many messages were given to the committer; or their outcome is known, and the number negative. */
  reserve(messages: number): void {
    this.#undurable += messages;
  }

  /** These are durable: they may leave now, and not before. */
  sent(messages: readonly OutboxMessage[]): void {
    if (this.#stopped) return;
    for (const message of messages) {
      this.#options.session.durable(message.number);
      this.#keep(message);
      this.#step({ kind: "sent", letter: letterOf(message) });
    }
  }

  /** A row came to be that nobody delivers. */
  foundParked(number: number): void {
    this.#step({ kind: "found", letters: [], parked: [number], last: false });
  }

  /** For operators: has a parked message delivered after all, with new attempts; or takes a message out. */
  async operate(number: number, action: "retry" | "drop"): Promise<void> {
    const { shard } = this.#options;
    if (!this.#core.complete) {
      throw new SynodError("unavailable", "the outbox is still being read", { retryAfterMs: 1_000 });
    }
    if (!this.#core.has(number)) {
      const message = `shard ${shard.sessionName} has no message ${number}: it may be delivered`;
      throw new SynodError("not_found", message);
    }
    if (action === "drop") return this.#drop(number);
    const message = await this.#readOne(number);
    if (message === null || message.parked === null) return;
    const progress = { messages: [{ number, attempts: 0, parked: null }] };
    const letter = { ...letterOf(message), attempts: 0 };
    if (!(await this.#write(progress, { kind: "retry", letter }))) throw lostMeanwhile();
  }

  /** Resolves when its row is gone; of one that is under way, when that has come to an end. */
  #drop(number: number): Promise<void> {
    return new Promise((resolve, reject) => {
      this.#drops.set(number, { resolve, reject });
      this.#step({ kind: "drop", number });
    });
  }

  /** Nothing is delivered any more: the shard is being handed over, or is lost. */
  stop(): void {
    this.#gone.abort();
    this.#timer?.cancel();
    this.#texts.clear();
    for (const { reject } of this.#drops.values()) reject(lostMeanwhile());
    this.#drops.clear();
  }

  get #stopped(): boolean {
    return this.#gone.aborted;
  }

  async #readAll(): Promise<void> {
    const { environment, session, shard } = this.#options;
    for (let after: number | null = 0; after !== null; ) {
      const page: Page<OutboxMessage, number> | null = await this.#read(
        after,
        after === 0 ? firstPageLengthMax : pageLengthMax,
      );
      if (page === null) return;
      const parked: number[] = [];
      const letters = page.rows.flatMap((message) => {
        session.found(message.number, receiverOf(environment, message.service, message.target));
        if (message.parked === null) {
          this.#keep(message);
          return [letterOf(message)];
        }
        parked.push(message.number);
        return [];
      });
      for (const { at, error } of page.damaged) {
        session.found(at, null);
        parked.push(at);
        environment.log.error(`message ${at} of shard ${shard.sessionName} is damaged: nobody gets it`, { error });
      }
      after = page.next;
      session.foundThrough("outbox", after ?? Number.POSITIVE_INFINITY);
      this.#step({ kind: "found", letters, parked, last: after === null });
    }
  }

  /** Null when the outbox has stopped. */
  async #read(after: number, limit: number): Promise<Page<OutboxMessage, number> | null> {
    const { environment, shard } = this.#options;
    while (!this.#stopped) {
      try {
        const read = { kind: "outbox", shard: shard.id, after, limit } as const;
        const result = await (limit > 1 ? environment.reader.readBacklog(read) : environment.reader.read(read));
        if (result.kind === "corrupt") throw result.error;
        if (result.kind !== "outbox") throw new SynodError("internal", "an outbox is read as an outbox");
        return this.#stopped ? null : result.page;
      } catch (error) {
        // A store that is closed because the node ends is no trouble.
        if (this.#stopped) return null;
        environment.log.warn(`the outbox of shard ${shard.sessionName} cannot be read now`, { error });
        await this.#pause();
      }
    }
    return null;
  }

  #keep(message: OutboxMessage): void {
    const length = message.input?.length ?? 0;
    if (this.#textLength + length > this.#options.environment.limits.outboxTextLengthMax) return;
    this.#textLength += length;
    this.#texts.set(message.number, message);
  }

  #forget(number: number): void {
    this.#textLength -= this.#texts.get(number)?.input?.length ?? 0;
    this.#texts.delete(number);
  }

  #step(input: OutboxInput): void {
    if (this.#inputs.push(input) > 1) return;
    for (let next: OutboxInput | undefined = input; next !== undefined; next = this.#inputs[0]) {
      if (!this.#stopped) for (const effect of this.#core.step(next)) this.#perform(effect);
      this.#inputs.shift();
    }
    this.#arm();
  }

  #perform(effect: OutboxEffect): void {
    const { number } = effect;
    switch (effect.kind) {
      case "deliver":
        return void this.#deliver(number, effect.prompt);
      case "count": {
        const { attempts } = effect;
        const then: OutboxInput | null = effect.waits ? { kind: "counted", number } : null;
        return void this.#write({ messages: [{ number, attempts, parked: null }] }, then);
      }
      case "park": {
        const { attempts, reason } = effect;
        const { clock, log } = this.#options.environment;
        log.error(`message ${number} of shard ${this.#options.shard.sessionName} is parked: ${reason.message}`);
        const parked = JSON.stringify({ ...reason, at: Math.floor(clock.wall()) });
        this.#forget(number);
        return void this.#write({ messages: [{ number, attempts, parked }] }, { kind: "parked", number });
      }
      case "settle":
        this.#forget(number);
        if (this.#toSettle.push(number) === 1) this.#options.committer.atLeisure(() => void this.#settle());
    }
  }

  async #deliver(number: number, prompt: boolean): Promise<void> {
    const { environment } = this.#options;
    let reply: GatewayReply | null;
    try {
      reply = await this.#send(number, prompt);
    } catch (error) {
      environment.log.error(`message ${number} failed inside the runtime`, { error });
      const { code, message } = toSynodError(error);
      const reason = { code, message };
      return this.#answered(number, { kind: "failed", reason });
    }
    // Without a row there is nothing to deliver: an operator has dropped it.
    this.#answered(number, reply === null ? { kind: "delivered" } : deliveryAnswerOf(reply));
  }

  #answered(number: number, answer: Extract<OutboxInput, { kind: "answered" }>["answer"]): void {
    const { clock, random } = this.#options.environment;
    this.#step({ kind: "answered", number, now: clock.monotonic(), answer, chance: random.number() });
  }

  /** Null when the message is not there any more. */
  async #send(number: number, prompt: boolean): Promise<GatewayReply | null> {
    const { environment, session, shard, dispatch } = this.#options;
    const message = this.#texts.get(number) ?? (await this.#readOne(number));
    if (message === null) return null;
    const target = targetOf(environment, message);
    if (target === null) {
      const { service, operation } = message;
      throw new SynodError("unimplemented", `${service} has no operation ${operation} any more`);
    }
    const numbers = { name: shard.sessionName, numbers: session };
    return dispatch({ ...deliveryOf(environment, message, target, numbers, prompt), signal: this.#gone });
  }

  async #readOne(number: number): Promise<OutboxMessage | null> {
    const page = await this.#read(number - 1, 1);
    const [damaged] = page?.damaged ?? [];
    if (damaged?.at === number) throw damaged.error;
    const [message] = page?.rows ?? [];
    return message?.number === number ? message : null;
  }

  async #settle(): Promise<void> {
    const numbers = this.#toSettle;
    this.#toSettle = [];
    if (!(await this.#write({ messagesSettled: numbers }, null))) return;
    for (const number of numbers) {
      this.#options.session.settle(number);
      this.#step({ kind: "settled", number });
      this.#drops.get(number)?.resolve();
      this.#drops.delete(number);
    }
  }

  /** Writes until it is durable, and then tells the core; false when the shard was lost before. */
  async #write(progress: Partial<ShardProgress>, then: OutboxInput | null): Promise<boolean> {
    const { committer, shard, environment } = this.#options;
    while (!this.#stopped) {
      const { outcome, error } = await committer.progress({ shard: shard.id, epoch: this.#epoch, ...progress });
      if (outcome === "dropped" || outcome === "unknown") return false;
      if (outcome === "durable") {
        if (then !== null) this.#step(then);
        return true;
      }
      environment.log.warn(`the outbox of shard ${shard.sessionName} cannot be written now`, { error });
      await this.#pause();
    }
    return false;
  }

  /** One timer, for the earliest message that waits to be tried again. */
  #arm(): void {
    const { clock } = this.#options.environment;
    const at = this.#core.nextAt;
    if (at === this.#armedFor || this.#stopped) return;
    this.#timer?.cancel();
    this.#armedFor = at;
    if (at === null) return;
    const fire = (): void => {
      this.#armedFor = null;
      this.#step({ kind: "time", now: clock.monotonic() });
    };
    this.#timer = clock.setTimer(Math.max(0, at - clock.monotonic()), fire);
  }

  #pause(): Promise<void> {
    return new Promise((resolve) => this.#options.environment.clock.setTimer(storeRetryMs, resolve));
  }
}

function lostMeanwhile(): SynodError {
  return new SynodError("unavailable", "the shard was given up meanwhile", { outcome: "unknown" });
}

function letterOf(message: OutboxMessage): { number: number; pair: string; attempts: number } {
  return { number: message.number, pair: pairOf(message), attempts: message.attempts };
}
