/** The clock port: all that the runtime knows of time. Simulation and tests bring their own. */

/** A timer that has been set and can be taken back. */
export interface Timer {
  /** Takes the timer back; nothing happens when it fired already. */
  cancel(): void;
}

export interface Clock {
  /** Milliseconds since an arbitrary instant, never backwards; stands still while a machine is suspended. */
  monotonic(): number;
  /** Milliseconds since 1970 by the machine's wall clock, which may jump. */
  wall(): number;
  /** Calls `callback` once, `delayMs` or later from now. A set timer keeps the process alive. */
  setTimer(delayMs: number, callback: () => void): Timer;
  /** Calls `callback` once, after the events that are already due: where a turn's work is gathered. */
  soon(callback: () => void): void;
}
