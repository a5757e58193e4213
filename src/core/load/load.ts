/**
 * Load control of one node: which call starts now, which waits, and which is turned away while there is still time to
 * ask elsewhere. Like the host of a restaurant: a table for everybody while there are tables, a short line at the
 * door when there are none, and an honest "come back later" for whoever would not get a table in time.
 *
 * A call is turned away when it comes, not when it has waited: what is in the queue can be served in time. Its wait is
 * foreseen as the calls ahead of it times the mean interval between two starts. How much is allowed:
 *
 *     burst: a quarter of the time until its deadline, at most 1 s      the queue does not stand
 *     standing: a twentieth of that time, at least 50 ms or 10 calls    it stands (`standing.ts`)
 *
 * after CoDel (RFC 8289), whose 5 ms and 100 ms are those of packets, and DAGOR (WeChat, SoCC 2018), which takes a mean
 * queue wait of 20 ms for overload. A deep queue that stands makes nobody faster and everybody late; a burst is let in, because it will be
 * over before its callers have gone.
 *
 * Handlers run in slices of a turn of the event loop, so that the queue stands here and not in the kernel's buffers,
 * where nobody could see it, order it, or refuse it. The slice is three times as long as what the rest of the turn
 * took: however many requests come in, three quarters of the processor serve what was admitted.
 *
 * Nothing here reads a clock: every method is told the instant. The driver is `runtime/load.ts`:
 *
 *     startsAtOnce, or else arrive  ─▶ wait, or shed
 *     turn, then next until it gives nothing  ─▶ start or shed calls that waited; rest if none is left that could
 *     finish  ─▶ a slot is free
 */
import { type Rank, ranks } from "../../values/priority.ts";
import type { LoadLimits } from "./limits.ts";
import { Pace } from "./pace.ts";
import { LoadQueue, type WaitingCall } from "./queue.ts";
import { Slots } from "./slots.ts";
import { Standing } from "./standing.ts";

/** Why a call does not get in. */
export type LoadShedReason = "queue" | "deadline" | "displaced";

export type Arrival<C> =
  /** It waits: `next` or `expire` will name it. `displaced` is shed in its place. */
  | { readonly kind: "wait"; readonly displaced: C | undefined }
  | { readonly kind: "shed"; readonly reason: LoadShedReason };

/** What comes of a call that has waited. */
export type Departure<C> =
  | { readonly kind: "start"; readonly call: C }
  | { readonly kind: "shed"; readonly call: C; readonly reason: LoadShedReason };

/** What handlers may take before the slice is counted, ms. */
const sliceUncountedMs = 1;
/** The part of the processor that is kept for what was admitted is this, divided by this and one. */
const sliceTimes = 3;
/**
 * The wait of a standing queue is no shorter than so many intervals: calls come at random, and below its capacity
 * a node would turn some away, for want of a place in a short queue, that it had time for a moment later.
 */
const standingCallsMin = 10;
/** A call is not started that has less time left than an interval between two starts, if that is no more than this. */
const inVainMsMax = 20;
/** Suggested to a caller who was turned away: his foreseen wait, so many times, within these bounds. */
const retryAfterTimes = 4;
const retryAfterMinMs = 100;
const retryAfterMaxMs = 5_000;

const wait = { kind: "wait", displaced: undefined } as const;

export class LoadControl<C extends WaitingCall> {
  readonly #limits: LoadLimits;
  readonly #queue: LoadQueue<C> = new LoadQueue();
  readonly #slots: Slots;
  /** When handlers began to run in this turn of the event loop. */
  #sliceBegan: number | null = null;
  /** Whether a `turn` will come that ends this slice. */
  #sliceCounts = false;
  #sliceMs: number;
  /** Nothing starts before the next turn, whatever is free. */
  #held = false;
  readonly #standing: Standing;
  readonly #pace: Pace = new Pace();

  constructor(limits: LoadLimits) {
    this.#limits = limits;
    this.#slots = new Slots(limits);
    this.#sliceMs = limits.sliceMinMs;
    this.#standing = new Standing(limits.standingAfterMs);
  }

  get queued(): number {
    return this.#queue.length;
  }

  get slots(): Slots {
    return this.#slots;
  }

  /** Whether something waits and could start. */
  get due(): boolean {
    return this.#queue.length > 0 && this.#slots.free;
  }

  /** Whether a queue stands: more comes in than goes out. */
  standing(now: number): boolean {
    return this.#standing.at(now);
  }

  /** Whether a call that has come starts now; it has taken a slot then. Those of an admitted chain always start. */
  startsAtOnce(rank: Rank, now: number): boolean {
    const free = this.#queue.length === 0 && this.#slots.free && !this.#held;
    if (rank > ranks.chain) {
      if (!(free && this.#inSlice(now))) return false;
      this.#pace.startedAtOnce();
    }
    this.#slots.take();
    return true;
  }

  /** Until the driver comes back to the queue (`turn`), whoever comes waits there. */
  hold(): void {
    this.#held = true;
  }

  /** Whether handlers ran in this turn for so long that somebody has to tell when it is over. */
  get sliceEnds(): boolean {
    return this.#sliceCounts;
  }

  /** A call has come that does not start at once. */
  arrive(call: C, now: number): Arrival<C> {
    if (!this.#slots.free) this.#slots.wanted();
    const reason = this.refusal(call.rank, call.caller, call.deadline, now);
    if (reason !== null) return { kind: "shed", reason };
    const displaced =
      this.#queue.length >= this.#limits.queueLengthMax ? this.#queue.displaceable(call.rank, call.caller) : undefined;
    if (displaced !== undefined) this.#queue.remove(displaced);
    this.#standing.filled(now);
    this.#pace.filled(now, !this.#slots.free);
    this.#queue.push(call);
    return displaced === undefined ? wait : { kind: "wait", displaced };
  }

  /** Why a call like this is shed if it comes now; null if it is not. */
  refusal(rank: Rank, caller: string, deadline: number, now: number): LoadShedReason | null {
    if (this.#queue.length === 0 || rank <= ranks.chain) return null;
    const leftMs = deadline - now;
    const aheadMs = this.#queue.ahead(rank, caller) * this.#pace.intervalMs;
    const waitMs = Math.max(aheadMs, this.#queue.overtakenMs(rank, now));
    if (waitMs >= this.#limits.waitPartMax * leftMs) return "deadline";
    const full = this.#queue.length >= this.#limits.queueLengthMax;
    const room = !full || this.#queue.displaceable(rank, caller) !== undefined;
    if (room && waitMs <= this.#allowedMs(leftMs, now)) return null;
    this.#standing.refused(now);
    return "queue";
  }

  #allowedMs(leftMs: number, now: number): number {
    const { burstPart, burstWaitMaxMs, standingPart, standingWaitMs } = this.#limits;
    const burst = Math.min(burstWaitMaxMs, burstPart * leftMs);
    if (!this.standing(now)) return burst;
    const calls = Math.max(2 * this.#sliceMs, standingCallsMin * this.#pace.intervalMs);
    return Math.min(burst, Math.max(standingWaitMs, standingPart * leftMs, calls));
  }

  /**
   * The driver comes back to the queue. `aroundMs`: what the event loop did since it last left it, if it was
   * not idle in between.
   */
  turn(now: number, aroundMs: number): void {
    const { sliceMinMs, sliceMaxMs } = this.#limits;
    this.#slots.turned(Math.max(0, aroundMs - this.#sliceMs));
    this.#sliceMs = Math.min(sliceMaxMs, Math.max(sliceMinMs, sliceTimes * aroundMs));
    this.#sliceBegan = null;
    this.#sliceCounts = true;
    this.#held = false;
    this.#slots.look(now);
  }

  /** The driver has done what could be done, and comes back only when there is more. */
  rest(): void {
    this.#sliceBegan = null;
    this.#sliceCounts = false;
  }

  /** The next call that has waited, to be started or shed; undefined when none may start in this turn. */
  next(now: number): Departure<C> | undefined {
    if (!this.due || !this.#inSlice(now)) {
      if (this.#queue.length > 0 && !this.#slots.free) this.#slots.wanted();
      return undefined;
    }
    const call = this.#queue.take()!;
    const late = this.#limits.waitPartMax * (call.deadline - now) <= Math.min(inVainMsMax, this.#pace.intervalMs);
    if (!late) this.#pace.started(now);
    this.#left(now);
    if (late) return { kind: "shed", call, reason: "deadline" };
    this.#slots.take();
    this.#slots.started(call.deadline - now);
    return { kind: "start", call };
  }

  /** Calls whose deadline passed while they waited. */
  expire(now: number): readonly C[] {
    const expired = this.#queue.takeExpired(now);
    this.#left(now);
    return expired;
  }

  /** Nobody waits for this call any more. */
  withdraw(call: C, now: number): void {
    this.#queue.remove(call);
    this.#left(now);
  }

  /** How long a caller who was turned away should stay away, ms. */
  retryAfterMs(rank: Rank, caller: string): number {
    const waitMs = this.#queue.ahead(rank, caller) * this.#pace.intervalMs;
    return Math.min(retryAfterMaxMs, Math.max(retryAfterMinMs, Math.ceil(retryAfterTimes * waitMs)));
  }

  /**
   * Whether handlers may still run in this turn of the event loop. Its beginning need not be told as long as little
   * happens: only once more than a millisecond has passed since a first call is it of interest whether that was one
   * turn, and only from there on the slice is counted.
   */
  #inSlice(now: number): boolean {
    if (this.#sliceBegan === null) {
      this.#sliceBegan = now;
    } else if (!this.#sliceCounts && now - this.#sliceBegan > sliceUncountedMs) {
      this.#sliceBegan = now;
      this.#sliceCounts = true;
    }
    return !this.#sliceCounts || now - this.#sliceBegan < this.#sliceMs;
  }

  #left(now: number): void {
    if (this.#queue.length > 0) return;
    this.#standing.emptied(now);
    this.#pace.emptied(now);
  }
}
