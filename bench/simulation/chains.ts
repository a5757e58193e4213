/** The work of both sides: chains of events, each of which schedules the one after it. */
export const chainsLength = 256;

/** From an event to the next one of its chain: spread, and the same on both sides. */
export function delayMs(step: number): number {
  return 0.01 + ((step * 7_919) % 1_000) / 1_000;
}
