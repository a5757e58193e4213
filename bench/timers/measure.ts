/** Lets timers come due in this process, and looks at how late each rings and at what the process does before. */
import { setTimeout as sleep } from "node:timers/promises";
import type { Detail, Measured, RunOptions } from "../bench.ts";
import { processorMicroseconds } from "../processor-time.ts";
import { timersVariant } from "./bench.ts";

/** A side's timers. */
export interface Clocks {
  /** Sets so many timers, evenly from one instant (ms since 1970) on; each calls {@link Rings.ring} with its own. */
  set(name: string, count: number, firstAt: number, stepMs: number): Promise<void>;
}

/** A timer that rings later than this is late, ms. */
const onTimeMs = 100;
/** For each millisecond that counts: timers come due over so many, and an idle process is watched for so many. */
const dueTimes = 30;
const idleTimes = 2;
/** Before the first one is due, so that none is set too late; and after the last one, for those that are late, ms. */
const leadMs = 10_000;
const patienceMs = 30_000;
/** After something was done, until a process counts as idle, ms. */
const calmMs = 2_000;
const farMs = 30 * 86_400_000;

export class Rings {
  readonly lateMs: number[] = [];

  ring(at: number): void {
    this.lateMs.push(Date.now() - at);
  }
}

export async function measureTimers(
  clocks: Clocks,
  rings: Rings,
  { variant, measureMs, settleMs }: RunOptions,
): Promise<Measured> {
  const count = Math.round((timersVariant(variant).perSecond * measureMs) / 1_000);
  const [dueMs, idleMs] = [dueTimes * measureMs, idleTimes * measureMs];
  const calm = Math.max(settleMs, Math.min(calmMs, measureMs));
  await sleep(calm);
  const without = await idleProcessorMs(idleMs);
  await clocks.set("far", count, Date.now() + farMs, 1);
  await sleep(calm);
  const withFar = await idleProcessorMs(idleMs);
  const firstAt = Date.now() + Math.min(leadMs, 5 * measureMs);
  await clocks.set("near", count, firstAt, dueMs / count);
  const setAt = Date.now();
  const end = firstAt + dueMs + patienceMs;
  while (rings.lateMs.length < count && Date.now() < end) await sleep(20);
  if (rings.lateMs.length !== count) throw new Error(`of ${count} timers ${rings.lateMs.length} have rung`);
  const late = rings.lateMs.splice(0).sort((a, b) => a - b);
  const onTime = late.filter((ms) => ms <= onTimeMs).length;
  const details: Detail[] = [
    ...([50, 99, 99.9] as const).map((percent) => ({
      ...{ name: `late, p${percent}`, unit: "ms" },
      value: late[Math.min(count - 1, Math.floor((count * percent) / 100))]!,
    })),
    { name: "late, worst", unit: "ms", value: late.at(-1)! },
    { name: "on time, within 100 ms", unit: "%", value: (100 * onTime) / count },
    { name: "timers that are due", unit: "timers", value: count },
    { name: "idle, without timers", unit: "processor ms/s", value: without },
    { name: "idle, with those far away", unit: "processor ms/s", value: withFar },
  ];
  const doubt =
    setAt > firstAt ? `the first timers were due ${setAt - firstAt} ms before the last ones were set` : undefined;
  return { value: (1_000 * onTime) / dueMs, details, doubt };
}

async function idleProcessorMs(forMs: number): Promise<number> {
  const [before, begun] = [processorMicroseconds(), performance.now()];
  await sleep(forMs);
  return (processorMicroseconds() - before) / (performance.now() - begun);
}
