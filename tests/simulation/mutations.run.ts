/**
 * The checks can fail: each defect that is put into the runtime or the store is found within a bounded number of
 * seeds, and the first run that shows it is made small within a minute. `npm run test:mutations` prints a table of how
 * many seeds each one takes and what is left of the run, and ends with 1 when it is too much; with names after `--`, of
 * these only. It is no file of tests, because a runner of tests takes a defect's rejected promises for its own.
 */
import { caseOf } from "../../src/simulation/case.ts";
import { defineScenario, type RunResult, type Scenario } from "../../src/simulation/index.ts";
import type { Mutation } from "../../src/simulation/mutation.ts";
import { mutations } from "../../src/simulation/mutations.ts";
import { failureOf, type ShrinkProgress, shrink } from "../../src/simulation/shrink/shrink.ts";
import { simulate } from "../../src/simulation/simulate.ts";
import { replaceSurroundings } from "../../src/simulation/user-code/install.ts";
import errands from "./errands.scenario.ts";
import { onlyErrands } from "./only-errands.ts";
import { plainAppends } from "./plain-appends.ts";
import { plainSends } from "./plain-sends.ts";
import { workshop } from "./workshop-system.ts";

/** Until a defect is found for the first time, and how often it is looked for. */
const seedsMax = 200;
const findingsMax = 5;
/** What half of the findings may take. */
const medianSeedsMax = 30;
/** What may be left of a run, and how long that may take, ms. */
const faultsMax = 5;
const operationsMax = 20;
const shrinkMs = 60_000;

const durationMs = 20_000;
const everything = defineScenario({ system: workshop, duration: durationMs });
const goesOn = { ...errands, durationMs };
const scenarios: Readonly<Record<string, Scenario>> = {
  // What only calls between nodes without a key of their client can show needs many of them.
  "floor-ignored": plainAppends(durationMs),
  "floor-ignored-for-messages": plainSends(durationMs),
  "outbox-before-commit": goesOn,
  "no-inbox-deduplication": goesOn,
  "timer-lost-at-failover": goesOn,
  "timers-not-counted-on": goesOn,
  "call-without-its-journal": onlyErrands(durationMs),
  "ids-by-position": onlyErrands(durationMs),
  "unrecorded-outcome-shown": goesOn,
  "parked-saga-gives-up-turn": goesOn,
};

interface Found {
  /** How many seeds each finding took since the one before. */
  readonly took: readonly number[];
  readonly promises: readonly string[];
  /** The first one made small. */
  readonly small: ShrinkProgress | undefined;
}

async function look(mutation: Mutation): Promise<Found> {
  const scenario = scenarios[mutation.name] ?? everything;
  const took: number[] = [];
  const promises = new Set<string>();
  let first: RunResult | undefined;
  for (let [seed, last] = [1, 0]; took.length < findingsMax && seed - last <= seedsMax; seed++) {
    const result = await simulate({ scenario, seed, mutation });
    if (result.violations.length === 0) continue;
    first ??= result;
    took.push(seed - last);
    promises.add(result.violations[0]!.promise);
    last = seed;
  }
  return { took, promises: [...promises], small: first && (await shrunk(first, scenario, mutation)) };
}

function shrunk(result: RunResult, scenario: Scenario, mutation: Mutation): Promise<ShrinkProgress | undefined> {
  const whole = caseOf(result, { seed: result.seed }, scenario.durationMs);
  const from = failureOf(whole, result, result.violations[0]!)!;
  const run: Parameters<typeof shrink>[0]["run"] = (one, endsAtMs) =>
    simulate({ scenario, mutation, ...one, endsAtMs });
  return shrink({ from, run, width: 1, timeMaxMs: shrinkMs });
}

function medianOf(numbers: readonly number[]): number {
  return numbers.toSorted((a, b) => a - b)[Math.floor(numbers.length / 2)]!;
}

const columns = [28, 7, 7, 8, 12, 9] as const;

function row(name: string, ...figures: readonly (string | number)[]): string {
  return name.padEnd(columns[0]) + figures.map((one, index) => String(one).padStart(columns[index + 1] ?? 0)).join("");
}

/** One line of the table; false when it is too much. */
function tell(name: string, { took, promises, small }: Found): boolean {
  const found = took.length === findingsMax;
  const [median, worst] = found ? [medianOf(took), Math.max(...took)] : ["-", `>${seedsMax}`];
  const [faults, operations] = [small?.smallest.case.plan.length ?? "-", small?.smallest.case.operations.length ?? "-"];
  const seconds = small === undefined ? "-" : (small.tookMs / 1_000).toFixed(0);
  console.log(`${row(name, median, worst, faults, operations, seconds)}  ${promises.join(", ")}`);
  const isSmall = typeof faults === "number" && faults <= faultsMax && Number(operations) <= operationsMax;
  return isSmall && typeof median === "number" && median <= medianSeedsMax;
}

replaceSurroundings();
const names = process.argv.slice(2);
const unknown = names.filter((name) => !mutations.some((one) => one.name === name));
if (unknown.length > 0) throw new Error(`there is no mutation ${unknown.join(", ")}`);
console.log(`${row("mutation", "median", "worst", "faults", "operations", "seconds")}  broken promises`);
for (const mutation of mutations) {
  if (names.length > 0 && !names.includes(mutation.name)) continue;
  if (!tell(mutation.name, await look(mutation))) process.exitCode = 1;
}
if (process.exitCode === 1) {
  console.log(`too much: at most ${seedsMax} seeds, ${medianSeedsMax} for half of the findings, and of the first`);
  console.log(`${faultsMax} faults and ${operationsMax} operations after ${shrinkMs / 1_000} s`);
}
