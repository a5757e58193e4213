/**
 * Makes a failing run small: leaves out weather, clients, kinds of faults, faults, their time and operations, as long
 * as what is left breaks the same promise.
 *
 * A run with less in it has another timing of its own, and a race that depends on it may not happen any more. So a
 * candidate is tried with several timings, with few while it is large and with more as it gets small and cheap. What
 * is kept is always a run that was seen to fail, with its timing. That goes for the first one, too: it was drawn from
 * its seed, and as a list of its operations it may not fail, because a list never asks the workload.
 *
 * One way down may end at a run that cannot be made smaller and is not small. So there are several, and the smallest run
 * of them all is the result.
 */
import type { PlannedOperation } from "../asking.ts";
import type { Case } from "../case.ts";
import type { Fault } from "../faults.ts";
import type { Violation } from "../judge.ts";
import { nameOfEntity } from "../operation.ts";
import type { RunResult } from "../simulate.ts";
import { ddmin } from "./ddmin.ts";
import { Tried } from "./tried.ts";

/** A run that failed, as it is kept while smaller ones are looked for. */
export interface Failure {
  readonly case: Case;
  /** The same with only what had happened by then. Whether that fails is not known before it was run. */
  readonly happened: Case;
  readonly violation: Violation;
  /** When the nodes first served, ms since the world began: from there on the times of a case count. */
  readonly servedAt: number;
  readonly digest: string;
}

export interface ShrinkOptions {
  readonly from: Failure;
  /** Runs a case until this instant of the world, ms. */
  readonly run: (one: Case, endsAtMs: number | undefined) => Promise<RunResult>;
  /** How many runs may be under way at a time. */
  readonly width: number;
  /** Real time after which no further candidate is tried, ms. */
  readonly timeMaxMs: number;
  readonly onProgress?: (progress: ShrinkProgress) => void;
}

export interface ShrinkProgress {
  readonly smallest: Failure;
  readonly runs: number;
  readonly tookMs: number;
}

/** A candidate may break the promise this much later than the run that it was made from, ms. */
const lateMaxMs = 3_000;
const lateStepMs = 1_000;
/** Timings that a candidate is tried with, from round to round. */
const timingsPerRound: readonly number[] = [2, 6, 20];
/** So little is easily understood: no more timings are tried to get rid of the rest. */
const faultsFew = 2;
const operationsFew = 5;
/** Between the last that happens and the end of the time for faults, ms. */
const tailMs = 500;
/** What a fault weighs in operations: one more of those is sooner understood. */
const faultWeight = 5;
/** Only the last so many faults before the violation, with the operations of so long before them, ms. */
const lastFaultsLengths = [1, 2, 3, 4, 6, 8, 12, 16, 24] as const;
const leadMs = 3_000;
/** Timings that these are tried with, each time others. */
const timingsAnew = 16;
/** Only the last so many ms before the violation. */
const windowsMs = [500, 2_000, 8_000] as const;
/** No fault is made shorter than this, ms. */
const faultLeastMs = 20;

/** Undefined when the run to begin with does not fail as the case that it is. However little time there is, that is tried. */
export async function shrink(options: ShrinkOptions): Promise<ShrinkProgress | undefined> {
  const shrinking = new Shrinking(options);
  if (!(await shrinking.begin())) return undefined;
  await shrinking.go();
  return shrinking.progress;
}

/** As a violation names it. */
function entityOf({ request: { service, key } }: PlannedOperation): string {
  return nameOfEntity(service, key ?? null);
}

/** What a case is measured by: smaller is what has less to be understood. */
function sizeOf({ plan, operations }: Case): number {
  return faultWeight * plan.length + operations.length;
}

function isFew({ plan, operations }: Case): boolean {
  return plan.length <= faultsFew && operations.length <= operationsFew;
}

class Shrinking {
  readonly #options: ShrinkOptions;
  readonly #startedAt = performance.now();
  /** What there is to make small, as it failed as a case. */
  #found: Failure;
  /** The smallest that was seen to fail, on any way down. */
  #smallest: Failure;
  /** What the next candidates are made from: the smallest of this way down. */
  #current: Failure;
  readonly #tried = new Tried();
  #runs = 0;
  #timings = 1;
  /** How many have been tried with all operations. */
  #timingsAnewUsed = 0;

  constructor(options: ShrinkOptions) {
    this.#options = options;
    this.#found = options.from;
    this.#smallest = options.from;
    this.#current = options.from;
  }

  get progress(): ShrinkProgress {
    return { smallest: this.#smallest, runs: this.#runs, tookMs: performance.now() - this.#startedAt };
  }

  /** False when there is nothing to make small: no case of the run fails. */
  async begin(): Promise<boolean> {
    const { from } = this.#options;
    const failure = (await this.#failureIn(from.happened)) ?? (await this.#failureIn(from.case));
    if (failure === undefined) return false;
    this.#found = failure;
    this.#keep(failure);
    return true;
  }

  async go(): Promise<void> {
    for (const [round, timings] of timingsPerRound.entries()) {
      if (round > 0 && isFew(this.#smallest.case)) return;
      this.#timings = timings;
      await this.#descend(this.#smallest);
      if (this.#smallest.case.plan.length > faultsFew) await this.#anew(timings);
    }
  }

  /** One way down. */
  async #descend(from: Failure): Promise<void> {
    this.#current = from;
    // A part that can go may let another go.
    for (let before = Number.POSITIVE_INFINITY; sizeOf(this.#case) < before && this.#goesOn(); ) {
      before = sizeOf(this.#case);
      await this.#round();
    }
  }

  /**
   * Another way down, from the run as it was found. Few operations break a promise in one way only, and when many faults
   * are left that way is a coincidence to which each of them adds its delay. With all operations there are many ways, and
   * with some other timing the last few faults do.
   */
  async #anew(timings: number): Promise<void> {
    const whole = this.#found.happened;
    this.#current = this.#found;
    this.#timings = 1;
    const plan = whole.plan.toSorted((a, b) => a.at - b.at);
    const lengths = lastFaultsLengths.filter((length) => length < this.#smallest.case.plan.length);
    const candidates = lengths.flatMap((length) => {
      const last = plan.slice(-length);
      const operations = whole.operations.filter(({ at }) => at >= last[0]!.at - leadMs);
      return Array.from({ length: timingsAnew }, (_, index) => {
        return { ...whole, plan: last, operations, timing: this.#timingsAnewUsed + index };
      });
    });
    this.#timingsAnewUsed += timingsAnew;
    const found = await this.#first(candidates);
    this.#timings = timings;
    if (found) await this.#descend(this.#current);
  }

  async #round(): Promise<void> {
    await this.#first([{ ...this.#case, fairWeather: true }]);
    await this.#end();
    await this.#onlyLately();
    await this.#entities();
    await this.#clients();
    await this.#kinds();
    await this.#faults();
    await this.#durations();
    await this.#operations();
    await this.#end();
  }

  get #case(): Case {
    return this.#current.case;
  }

  #goesOn(): boolean {
    return performance.now() - this.#startedAt < this.#options.timeMaxMs;
  }

  /** What happened long before the violation is the likeliest to have nothing to do with it. */
  async #onlyLately(): Promise<void> {
    const { violation, servedAt } = this.#current;
    const candidates = windowsMs.flatMap((ms) => {
      const since = violation.at - servedAt - ms;
      const operations = this.#case.operations.filter(({ at }) => at >= since);
      const plan = this.#case.plan.filter(({ at, lastsMs }) => at + lastsMs >= since);
      return [
        { ...this.#case, plan, operations },
        { ...this.#case, operations },
      ];
    });
    await this.#first(candidates.filter((one) => sizeOf(one) < sizeOf(this.#case)));
  }

  /** What was asked of others than the entities that the violation names is the next likeliest. */
  async #entities(): Promise<void> {
    const { text } = this.#current.violation;
    const entities = [...new Set(this.#case.operations.map(entityOf))];
    const named = entities.filter((entity) => text.includes(entity));
    const only = (left: readonly string[], { operations, ...rest }: Case): Case => {
      return { ...rest, operations: operations.filter((operation) => left.includes(entityOf(operation))) };
    };
    if (named.length > 0 && named.length < entities.length) {
      const services = entities.filter((entity) => !entity.includes("/"));
      await this.#first([only(named, this.#case), only([...named, ...services], this.#case)]);
    }
    await this.#reduce([...new Set(this.#case.operations.map(entityOf))], only);
  }

  async #clients(): Promise<void> {
    const clients = [...new Set(this.#case.operations.map(({ client }) => client))];
    await this.#reduce(clients, (left, { operations, ...rest }) => {
      return { ...rest, operations: operations.filter(({ client }) => left.includes(client)) };
    });
  }

  async #kinds(): Promise<void> {
    const kinds = [...new Set(this.#case.plan.map(({ kind }) => kind))];
    await this.#reduce(kinds, (left, { plan, ...rest }) => {
      return { ...rest, plan: plan.filter(({ kind }) => left.includes(kind)) };
    });
  }

  async #faults(): Promise<void> {
    await this.#reduce(this.#case.plan, (plan, rest) => ({ ...rest, plan }));
  }

  async #operations(): Promise<void> {
    await this.#reduce(this.#case.operations, (operations, rest) => ({ ...rest, operations }));
  }

  /** Each fault half as long, and again. */
  async #durations(): Promise<void> {
    for (let index = 0; index < this.#case.plan.length; index++) {
      let shorter = true;
      while (shorter && this.#goesOn()) {
        const fault = this.#case.plan[index];
        if (fault === undefined || fault.lastsMs < 2 * faultLeastMs) break;
        const half: Fault = { ...fault, lastsMs: Math.round(fault.lastsMs / 2) };
        shorter = await this.#first([{ ...this.#case, plan: this.#case.plan.with(index, half) }]);
      }
    }
  }

  /** The run needs no more time for faults than the last of what is in it. What is asked when all is calm comes as much earlier. */
  async #end(): Promise<void> {
    const { plan, operations, durationMs } = this.#case;
    const last = Math.max(
      0,
      ...plan.map(({ at, lastsMs }) => at + lastsMs),
      ...operations.filter(({ calm }) => calm !== true).map(({ at }) => at),
    );
    const needed = Math.ceil(last + tailMs);
    const earlierMs = durationMs - needed;
    if (earlierMs <= 0) return;
    const moved = operations.map((one) => {
      return one.calm === true ? { ...one, at: Math.round((one.at - earlierMs) * 1_000) / 1_000 } : one;
    });
    await this.#first([{ ...this.#case, durationMs: needed, operations: moved }]);
  }

  async #reduce<T>(parts: readonly T[], apply: (left: readonly T[], to: Case) => Case): Promise<void> {
    const whole = this.#case;
    await ddmin(
      parts,
      async (candidates) => {
        const found = await this.#firstThatFails(candidates.map((left) => apply(left, whole)));
        if (found === undefined) return undefined;
        this.#keep(found.failure);
        return found.index;
      },
      () => this.#goesOn(),
    );
  }

  /** Keeps the first of these that fails; false when none does. */
  async #first(candidates: readonly Case[]): Promise<boolean> {
    const found = await this.#firstThatFails(candidates);
    if (found !== undefined) this.#keep(found.failure);
    return found !== undefined;
  }

  #keep(failure: Failure): void {
    this.#current = failure;
    if (sizeOf(failure.case) <= sizeOf(this.#smallest.case)) this.#smallest = failure;
    this.#options.onProgress?.(this.progress);
  }

  /** By index, whatever order the runs end in: so the result does not depend on the machine, but for the time limit. */
  async #firstThatFails(
    candidates: readonly Case[],
  ): Promise<{ readonly index: number; readonly failure: Failure } | undefined> {
    const tries = candidates.flatMap((one, index) => this.#timingsOf(one).map((timed) => ({ one: timed, index })));
    let next = 0;
    let best = Number.POSITIVE_INFINITY;
    const failures = new Map<number, Failure>();
    const work = async (): Promise<void> => {
      while (next < tries.length && next < best && this.#goesOn()) {
        const number = next++;
        const failure = await this.#try(tries[number]!.one);
        if (failure === undefined) continue;
        failures.set(number, failure);
        best = Math.min(best, number);
      }
    };
    await Promise.all(Array.from({ length: Math.min(this.#options.width, tries.length) }, work));
    const failure = failures.get(best);
    return failure === undefined ? undefined : { index: tries[best]!.index, failure };
  }

  /** The timing that failed last comes first. */
  #timingsOf(one: Case): Case[] {
    const others = Array.from({ length: this.#timings }, (_, timing) => timing).filter((each) => each !== one.timing);
    return [one, ...others.slice(0, this.#timings - 1).map((timing) => ({ ...one, timing }))];
  }

  /** What of a run that fails had not happened by then is left out, where it still fails. */
  async #try(one: Case): Promise<Failure | undefined> {
    const failure = await this.#failureIn(one);
    if (failure === undefined || sizeOf(failure.happened) === sizeOf(one)) return failure;
    return (await this.#failureIn(failure.happened)) ?? failure;
  }

  async #failureIn(one: Case): Promise<Failure | undefined> {
    const { from, run } = this.#options;
    const endsAt = this.#endsAt();
    if (this.#tried.has(one, endsAt)) return undefined;
    this.#runs++;
    const result = await run(one, endsAt === Number.POSITIVE_INFINITY ? undefined : endsAt);
    const failure = failureOf(one, result, from.violation);
    if (failure === undefined) this.#tried.add(one, endsAt);
    return failure;
  }

  /** When a candidate should have failed, ms since the world began: in steps, so that it is known when it comes again. */
  #endsAt(): number {
    const { violation, servedAt } = this.#current;
    // Once all faults are over, the time until a violation is that of the phases of a run.
    if (violation.at - servedAt > this.#case.durationMs) return Number.POSITIVE_INFINITY;
    return Math.ceil((violation.at + lateMaxMs) / lateStepMs) * lateStepMs;
  }
}

/** A run of a case as a failure; undefined unless it broke the promise. */
export function failureOf(one: Case, result: RunResult, wanted: Violation): Failure | undefined {
  const violation = result.violations.find((found) => isLike(found, wanted));
  if (violation === undefined) return undefined;
  const { servedAt, digest } = result;
  const plan = one.plan.filter(({ at }) => servedAt + at <= violation.at);
  const operations = happened(one.operations, result.asked);
  return { case: one, happened: { ...one, plan, operations }, violation, servedAt, digest };
}

/** The same kind: the promise, and of invariants the name. */
function isLike(found: Violation, wanted: Violation): boolean {
  return found.promise === wanted.promise && found.invariant === wanted.invariant;
}

function happened(operations: readonly PlannedOperation[], asked: readonly PlannedOperation[]): PlannedOperation[] {
  const names = new Set(asked.map(({ client, turn }) => `${client}/${turn}`));
  return operations.filter(({ client, turn }) => names.has(`${client}/${turn}`));
}
