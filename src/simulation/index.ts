/**
 * Deterministic simulation: your own, unmodified business logic on simulated nodes, with faults, much faster than real
 * time. A run is reproduced exactly by its seed.
 *
 * @module
 */
export type { PlannedOperation } from "./asking.ts";
export type { Case as SimulatedCase } from "./case.ts";
export type { Skew } from "./cluster.ts";
export type { Fault, FaultKind } from "./faults.ts";
export type { Violation } from "./judge.ts";
export type { Request } from "./operation.ts";
export {
  type CommittedState,
  defineScenario,
  type Invariant,
  type Scenario,
  type ScenarioDefinition,
  type Workload,
} from "./scenario.ts";
export { loadScenario } from "./scenario-file.ts";
export {
  type CrashManner,
  type ParkedWork,
  type SimulatedCaller,
  SimulatedSystem,
  type SimulatedSystemOptions,
  startSimulatedSystem,
} from "./scripted.ts";
export { type RunOptions, type RunResult, simulate } from "./simulate.ts";
export type { StoreKind } from "./world/store.ts";
