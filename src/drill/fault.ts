/**
 * The faults of a drill: what a supervisor does, on somebody's order, to nodes of its own. Like a fire drill, it is announced
 * (only a system that was started with drills allowed takes part) and it ends by itself.
 */
import { SynodError } from "../errors.ts";

export const faultKinds = ["kill", "pause", "cut", "slow-store"] as const;

/**
 * `kill`: the process is killed (SIGKILL). `pause`: it stands still (SIGSTOP) and goes on. `cut`: all its links are reset.
 * `slow-store`: every request of every node to the store takes longer.
 */
export type FaultKind = (typeof faultKinds)[number];

export interface FaultOrder {
  readonly kind: FaultKind;
  /** Whom it befalls; `slow-store` befalls all. */
  readonly node: string | undefined;
  /** Of `pause` and `slow-store`: how long it lasts, ms. */
  readonly lastsMs: number;
}

/** No fault lasts longer, ms. */
export const faultLastsMaxMs = 60_000;
/** What a request to a slow store takes more, ms. */
export const slowStoreDelayMs = 100;

/** An order as it came over the network; throws `invalid_argument`. */
export function readFaultOrder(value: Readonly<Record<string, unknown>>): FaultOrder {
  const { kind, node, lastsMs } = value;
  if (!isFaultKind(kind)) throw refusal(`a fault's kind is one of ${faultKinds.join(", ")}`);
  if (kind !== "slow-store" && typeof node !== "string") throw refusal(`${kind} befalls one node: name it`);
  const lasts = lastsMs ?? 0;
  if (typeof lasts !== "number" || !(lasts >= 0 && lasts <= faultLastsMaxMs)) {
    throw refusal(`a fault lasts from 0 to ${faultLastsMaxMs} ms (lastsMs)`);
  }
  return { kind, node: kind === "slow-store" ? undefined : (node as string), lastsMs: lasts };
}

export function isFaultKind(value: unknown): value is FaultKind {
  return faultKinds.some((kind) => kind === value);
}

function refusal(sentence: string): SynodError {
  return new SynodError("invalid_argument", sentence);
}
