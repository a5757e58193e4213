/**
 * Drives the load core (`core/load/load.ts`): calls that this node carries out get a slot here, at once or after a
 * wait, or are turned away. Handlers of calls that waited run in slices of a turn of the event loop.
 */

import { defaultLoadLimits, type LoadLimits } from "../core/load/limits.ts";
import type { Departure, LoadShedReason } from "../core/load/load.ts";
import { LoadControl } from "../core/load/load.ts";
import type { WaitingCall } from "../core/load/queue.ts";
import { SynodError } from "../errors.ts";
import type { Clock, Timer } from "../ports/clock.ts";
import type { GatewayError, GatewayReply } from "../ports/gateway.ts";
import type { OperationMeter } from "../ports/meters.ts";
import type { AnyService } from "../service/model.ts";
import type { Rank } from "../values/priority.ts";
import { type Invocation, nameOfTarget } from "./invocation.ts";
import type { OperationMeters } from "./operation-meters.ts";
import { failed } from "./replies.ts";
import type { Shard } from "./shard.ts";

/** How often calls are looked for whose deadline passed while they waited, ms. */
const lookIntervalMs = 25;
/** Turns of the event loop, at the most, for which handlers stand back while one connection after the other comes in. */
const acceptTurnsMax = 32;

/** What a node says of its load. */
export interface LoadStatus {
  /** Calls under way, how many may be, and calls that wait. */
  readonly slotsTaken: number;
  readonly slotsLimit: number;
  readonly queued: number;
  /** Whether more comes in than goes out. */
  readonly standing: boolean;
}

/** The right of a call to be carried out: taken when it starts, given back when its answer may leave. */
export class Slot {
  readonly #load: NodeLoad;
  readonly #meter: OperationMeter;
  /** On the monotonic clock, ms. */
  readonly startedAt: number;
  #shard: Shard | null = null;
  #callsAwaited = 0;
  #storeAskedAt: number | null = null;
  /** How long it has waited for the store so far, in all. */
  #storeMs = 0;
  #released = false;

  constructor(load: NodeLoad, meter: OperationMeter, startedAt: number) {
    this.#load = load;
    this.#meter = meter;
    this.startedAt = startedAt;
  }

  /** The call is one of that shard until the slot is given back: the shard is not handed over before. */
  holds(shard: Shard): void {
    this.#shard = shard;
    shard.callBegan();
  }

  /** The handler awaits a call: meanwhile it holds no slot, or those that it waits for might find none. */
  park(): void {
    this.#callsAwaited += 1;
    if (this.#callsAwaited === 1 && !this.#released) this.#load.give();
  }

  unpark(): void {
    this.#callsAwaited -= 1;
    if (this.#callsAwaited === 0 && !this.#released) this.#load.control.slots.take();
  }

  /** The handler has returned, and what it left has to become durable. */
  storeAsked(now: number): void {
    if (this.#storeAskedAt !== null || this.#released) return;
    this.#storeAskedAt = now;
    this.#load.control.slots.storeAsked();
  }

  /**
   * What its handler has done so far becomes durable meanwhile. An attempt waits for the store several times, and what is
   * tolerated as a wait is meant for all of them: its caller waits for the end.
   */
  async whileAtStore<T>(durable: Promise<T>): Promise<T> {
    const { clock, control } = this.#load;
    const askedAt = clock.monotonic();
    control.slots.storeAsked();
    try {
      return await durable;
    } finally {
      this.#storeMs += clock.monotonic() - askedAt;
      control.slots.storeAnswered(this.#storeMs);
    }
  }

  release(now: number): void {
    if (this.#storeAskedAt !== null) {
      const waitMs = now - this.#storeAskedAt;
      this.#load.control.slots.storeAnswered(waitMs);
      this.#meter.committed(waitMs);
    }
    // A handler that was given up while it awaited a call holds none any more.
    if (this.#callsAwaited === 0) this.#load.give();
    this.#released = true;
    this.#shard?.callEnded();
  }
}

interface Waiting extends WaitingCall {
  readonly invocation: Invocation;
  readonly meter: OperationMeter;
  /** Set when it has to wait: carries it out, or says why not. */
  start: (slot: Slot) => void;
  refuse: (reply: GatewayReply) => void;
}

export class NodeLoad {
  readonly control: LoadControl<Waiting>;
  readonly clock: Clock;
  readonly #meters: OperationMeters;
  #connections = 0;
  #connectionsSeen = 0;
  #turnDue = false;
  /** When the queue was last left with something in it that may start. */
  #leftAt: number | null = null;
  #lookTimer: Timer | null = null;
  #closed = false;

  constructor(clock: Clock, meters: OperationMeters, limits: Partial<LoadLimits> = {}) {
    this.clock = clock;
    this.#meters = meters;
    this.control = new LoadControl({ ...defaultLoadLimits, ...limits });
  }

  /** Calls under way or waiting, which other nodes are told. */
  get calls(): number {
    return this.control.slots.taken + this.control.queued;
  }

  /** Whether more comes in than goes out. */
  get standing(): boolean {
    return this.control.queued > 0 && this.control.standing(this.clock.monotonic());
  }

  status(): LoadStatus {
    const { slots, queued } = this.control;
    return { slotsTaken: slots.taken, slotsLimit: slots.limit, queued, standing: this.standing };
  }

  /** Carries the call out, at once or when its turn comes; or gives the reply by which it is turned away. */
  admitted<T>(
    invocation: Invocation,
    run: (slot: Slot) => T | Promise<T>,
    refused: (reply: GatewayReply) => T,
  ): T | Promise<T> {
    const now = this.clock.monotonic();
    const meter = this.#meters.of(invocation.target.service, invocation.target.name);
    const { rank, caller, deadline } = invocation;
    if (this.control.startsAtOnce(rank, now)) {
      if (this.control.sliceEnds) this.#turnSoon();
      meter.started(0);
      return this.#run(new Slot(this, meter, now), run);
    }
    const waiting = true;
    const [start, refuse] = [ignore, ignore];
    const call: Waiting = { rank, caller, deadline, queuedAt: now, waiting, invocation, meter, start, refuse };
    const arrival = this.control.arrive(call, now);
    switch (arrival.kind) {
      case "shed":
        return refused(this.#shed(call, arrival.reason));
      case "wait":
        if (arrival.displaced !== undefined) arrival.displaced.refuse(this.#shed(arrival.displaced, "displaced"));
        if (this.control.due) this.#turnSoon();
        this.#lookSoon();
        return this.#wait(call, run, refused);
    }
  }

  /**
   * The slot of an attempt of a durable command, which starts whatever waits: the command was accepted. It is held while
   * the attempt waits for its callees, and beyond the time that its caller waits: what was accepted has to be finished,
   * and a node that took on more whenever those that it has are all waiting would finish none of them in time. Callees
   * are carried out without asking for a slot, so nobody waits for what this one holds.
   */
  attempt(service: AnyService, operation: string): Slot {
    this.control.slots.take();
    return new Slot(this, this.#meters.of(service, operation), this.clock.monotonic());
  }

  /** The error by which a call would be turned away if it came now; undefined if it would get in. */
  refusal(rank: Rank, caller: string, deadline: number): GatewayError | undefined {
    const reason = this.control.refusal(rank, caller, deadline, this.clock.monotonic());
    return reason === null ? undefined : this.#error(rank, caller);
  }

  /** A slot is free. */
  give(): void {
    this.control.slots.release();
    if (this.control.due) this.#turnSoon();
  }

  /** The node stops: whoever waits is sent elsewhere. */
  close(): void {
    this.#closed = true;
    this.#lookTimer?.cancel();
    this.#lookTimer = null;
    for (const waiting of this.control.expire(Number.POSITIVE_INFINITY)) {
      waiting.refuse(failed(new SynodError("unavailable", "this node has stopped", { retryAfterMs: 100 })));
    }
  }

  #run<T>(slot: Slot, run: (slot: Slot) => T | Promise<T>): T | Promise<T> {
    let result: T | Promise<T>;
    try {
      result = run(slot);
    } catch (error) {
      slot.release(this.clock.monotonic());
      throw error;
    }
    const release = (): void => slot.release(this.clock.monotonic());
    if (result instanceof Promise) result.then(release, release);
    else release();
    return result;
  }

  #wait<T>(call: Waiting, run: (slot: Slot) => T | Promise<T>, refused: (reply: GatewayReply) => T): Promise<T> {
    const { signal } = call.invocation;
    return new Promise((resolve) => {
      const onAbort = (): void => {
        this.control.withdraw(call, this.clock.monotonic());
        call.refuse(failed(new SynodError("cancelled", "its caller had gone before it started")));
      };
      const settle = (result: T | Promise<T>): void => {
        signal?.removeEventListener("abort", onAbort);
        resolve(result);
      };
      // In the queue's own turn, so that its slice ends when the time for handlers is over.
      call.start = (slot) => settle(this.#run(slot, run));
      call.refuse = (reply) => settle(refused(reply));
      if (signal?.aborted) onAbort();
      else signal?.addEventListener("abort", onAbort);
    });
  }

  /**
   * A connection was accepted. The event loop takes in one connection in a turn: were a handler to run in each turn, callers
   * that open a connection for each call would stand in the kernel's queue, where nobody counts or refuses them, and
   * be answered in order when all of them have given up. So handlers stand back until a turn brings no connection.
   */
  connected(): void {
    this.#connections += 1;
    this.control.hold();
    this.#turnSoon();
  }

  #turnSoon(): void {
    if (this.#turnDue) return;
    this.#turnDue = true;
    this.#turnAfterConnections(acceptTurnsMax);
  }

  #turnAfterConnections(turnsLeft: number): void {
    this.clock.soon(() => {
      const came = this.#connections !== this.#connectionsSeen;
      this.#connectionsSeen = this.#connections;
      if (came && turnsLeft > 0) this.#turnAfterConnections(turnsLeft - 1);
      else this.#turn();
    });
  }

  /** Lets calls start that have waited, until the slice is over; the rest has its turn after what came in meanwhile. */
  #turn(): void {
    this.#turnDue = false;
    const began = this.clock.monotonic();
    this.control.turn(began, this.#leftAt === null ? 0 : began - this.#leftAt);
    this.#leftAt = null;
    for (let now = began; ; now = this.clock.monotonic()) {
      const departure = this.control.next(now);
      if (departure === undefined) break;
      this.#depart(departure, now);
    }
    if (this.#closed || !this.control.due) return this.control.rest();
    this.#leftAt = this.clock.monotonic();
    this.#turnSoon();
  }

  #depart(departure: Departure<Waiting>, now: number): void {
    const { call } = departure;
    if (departure.kind === "shed") return call.refuse(this.#shed(call, departure.reason));
    call.meter.started(now - call.queuedAt);
    call.start(new Slot(this, call.meter, now));
  }

  #lookSoon(): void {
    if (this.#closed) return;
    this.#lookTimer ??= this.clock.setTimer(lookIntervalMs, () => {
      this.#lookTimer = null;
      const now = this.clock.monotonic();
      this.control.slots.look(now);
      for (const waiting of this.control.expire(now)) waiting.refuse(this.#shed(waiting, "deadline"));
      if (this.control.due) this.#turnSoon();
      if (this.control.queued > 0) this.#lookSoon();
    });
  }

  #shed({ meter, invocation, rank, caller, deadline }: Waiting, reason: LoadShedReason): GatewayReply {
    meter.shed(reason);
    if (deadline > this.clock.monotonic()) return { ok: false, replayed: false, error: this.#error(rank, caller) };
    const message = `${nameOfTarget(invocation.target)} did not start in time: its node has too much to do`;
    return failed(new SynodError("deadline_exceeded", message));
  }

  /** Not by way of an `Error`, whose stack trace costs more than all the rest of a refusal. */
  #error(rank: Rank, caller: string): GatewayError {
    const retryAfterMs = this.control.retryAfterMs(rank, caller);
    const message = "this node has more to do than it can do in time";
    const certain = { declared: false, outcome: "not-happened", retryable: true } as const;
    return { code: "resource_exhausted", message, retryAfterMs, ...certain };
  }
}

function ignore(): void {}
