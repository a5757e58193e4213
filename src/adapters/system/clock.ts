/** The clock port on Node's own clocks and timers. */
import type { Clock, Timer } from "../../ports/clock.ts";

/** The longest delay that Node's timers take; a longer one would fire at once. */
const timerDelayMaxMs = 2 ** 31 - 1;

/** Node's own clock. */
export const systemClock: Clock = {
  monotonic: () => performance.now(),
  wall: () => Date.now(),
  setTimer,
  soon: (callback) => void setImmediate(callback),
};

/**
 * Node counts a timer from the start of the event loop's turn, so that it can fire up to a turn early; and it
 * knows no delay beyond 24.8 days. Whatever is left when a timer fires is waited for again.
 */
function setTimer(delayMs: number, callback: () => void): Timer {
  const due = performance.now() + delayMs;
  let handle: NodeJS.Timeout;
  const wait = (): void => {
    const left = Math.min(Math.max(0, due - performance.now()), timerDelayMaxMs);
    handle = setTimeout(() => (performance.now() < due ? wait() : callback()), Math.ceil(left));
  };
  wait();
  return { cancel: () => clearTimeout(handle) };
}
