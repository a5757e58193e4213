/** Waiting with a bound. */
import { systemClock } from "../adapters/system/clock.ts";

/** The promise's value, or `undefined` when it takes longer than `waitMs`. */
export async function within<Value>(promise: Promise<Value>, waitMs: number): Promise<Value | undefined> {
  const { promise: elapsed, resolve } = Promise.withResolvers<undefined>();
  const timer = systemClock.setTimer(waitMs, () => resolve(undefined));
  return await Promise.race([promise, elapsed]).finally(() => timer.cancel());
}

/** Resolves after `waitMs`. */
export function pause(waitMs: number): Promise<void> {
  return new Promise((resolve) => systemClock.setTimer(waitMs, resolve));
}
