/**
 * The clocks of one machine: they run a little fast or slow, show another time of the day than those of others, jump
 * when somebody sets them, and the monotonic one stands still while the machine is suspended.
 */
import type { World } from "./world.ts";

/** 2026-01-01T00:00:00Z, where every run begins. */
export const epochMs = 1_767_225_600_000;

export class MachineClock {
  readonly #world: World;
  /** Milliseconds of the machine for each of the world. */
  #rate = 1;
  #monotonic: number;
  #wall: number;
  /** When the two above were true. */
  #readAt = 0;
  #suspended = false;

  /** `offsetMs`: how far its time of the day is off. */
  constructor(world: World, { monotonicMs, offsetMs }: { readonly monotonicMs: number; readonly offsetMs: number }) {
    this.#world = world;
    this.#monotonic = monotonicMs;
    this.#wall = epochMs + offsetMs;
  }

  get rate(): number {
    return this.#rate;
  }

  monotonic(): number {
    return this.#monotonic + (this.#suspended ? 0 : this.#elapsed());
  }

  wall(): number {
    return Math.floor(this.#wall + this.#elapsed());
  }

  setRate(rate: number): void {
    this.#settle();
    this.#rate = rate;
  }

  /** Somebody sets the time of the day. */
  jump(ms: number): void {
    this.#wall += ms;
  }

  suspend(): void {
    this.#settle();
    this.#suspended = true;
  }

  wake(): void {
    this.#settle();
    this.#suspended = false;
  }

  #elapsed(): number {
    return (this.#world.now - this.#readAt) * this.#rate;
  }

  #settle(): void {
    const elapsed = this.#elapsed();
    if (!this.#suspended) this.#monotonic += elapsed;
    this.#wall += elapsed;
    this.#readAt = this.#world.now;
  }
}
