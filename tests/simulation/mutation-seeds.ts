/**
 * For each defect a system that it shows in, and a seed from which on to look for it. A change of the runtime or of a
 * workload moves which seeds fail; the nearer this one is before the next, the quicker the test is.
 */
export interface MutationSeed {
  /** A system or scenario, from the root of the repository. */
  readonly file: string;
  readonly seed: number;
}

const bank = "examples/bank/system.ts";
const workshop = "tests/simulation/workshop.scenario.ts";
const errands = "tests/simulation/errands.scenario.ts";
const onlyErrands = "tests/simulation/only-errands.scenario.ts";
const plainAppends = "tests/simulation/plain-appends.scenario.ts";

/** By name of the mutation. */
export const mutationSeeds: Readonly<Record<string, MutationSeed>> = {
  "no-epoch-check": { file: bank, seed: 6 },
  "no-version-check": { file: bank, seed: 6 },
  "no-deduplication-record": { file: bank, seed: 1 },
  "reply-before-durable": { file: bank, seed: 1 },
  "epoch-not-increased": { file: bank, seed: 5 },
  "ended-lease-renewed": { file: bank, seed: 6 },
  "no-lease-check": { file: bank, seed: 16 },
  "claim-without-waiting": { file: bank, seed: 14 },
  // The bank's commands call nobody in the middle of a turn.
  "call-past-exit-gate": { file: workshop, seed: 1 },
  "passivation-of-undurable": { file: bank, seed: 1 },
  // Only calls between nodes without a key of their client can show it.
  "floor-ignored": { file: plainAppends, seed: 8 },
  "watermark-ignored": { file: bank, seed: 1 },
  "outbox-before-commit": { file: errands, seed: 1 },
  "no-inbox-deduplication": { file: errands, seed: 1 },
  "timer-lost-at-failover": { file: errands, seed: 7 },
  "timers-not-counted-on": { file: errands, seed: 1 },
  // Many sagas on nodes that lose their shards show it soonest.
  "call-without-its-journal": { file: onlyErrands, seed: 9 },
  // Only a saga that is repeated with its calls in another order can show it.
  "ids-by-position": { file: onlyErrands, seed: 7 },
  "unrecorded-outcome-shown": { file: errands, seed: 1 },
  "parked-saga-gives-up-turn": { file: errands, seed: 4 },
  // As above, of messages.
  "floor-ignored-for-messages": { file: "tests/simulation/plain-sends.scenario.ts", seed: 3 },
  "unknown-taken-for-failed": { file: bank, seed: 1 },
  "shards-change-lanes": { file: bank, seed: 1 },
  // Two nodes of one incarnation: who reads what the other wrote tells.
  "promotion-taken-for-restart": { file: workshop, seed: 2 },
};
