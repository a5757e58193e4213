/** What a mutation is: a defect that is put in on purpose, for the time of a run. */
import type { NodeLimits } from "../runtime/limits.ts";
import type { Prng } from "../values/prng.ts";
import type { Fault } from "./faults.ts";
import type { Answers, StoreKind } from "./world/store.ts";

export interface Mutation {
  readonly name: string;
  /** Answers of the store that are not honest, for one run. */
  readonly answers?: () => Partial<Answers>;
  /** Bounds under which the defect can show. */
  readonly limits?: Partial<NodeLimits>;
  /** The kind of store with which it can show; the seed's own when absent. */
  readonly storeKind?: StoreKind;
  /** Faults among which the defect can show, where it takes a certain order of several; instead of the seed's own. */
  readonly plan?: (prng: Prng, nodes: readonly string[], durationMs: number, store: StoreKind) => readonly Fault[];
  /** Changes the runtime for the time of a run; returns the way back. */
  readonly install?: () => () => void;
}

/** Replaces a method, and returns the way back; `make` gets the one that was there. */
export function replaced<Target extends object, Name extends keyof Target>(
  target: Target,
  name: Name,
  make: (before: Target[Name]) => Target[Name],
): () => void {
  const before = target[name];
  target[name] = make(before);
  return () => {
    target[name] = before;
  };
}
