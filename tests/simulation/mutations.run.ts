/**
 * The checks can fail: each defect that is put into the runtime or the store is found within a bounded number of
 * seeds. `npm run test:mutations` prints a table of how many each one takes, and ends with 1 when one takes too many.
 * It is no file of tests, because a runner of tests takes a defect's rejected promises for its own.
 */
import { defineScenario, type Scenario } from "../../src/simulation/index.ts";
import type { Mutation } from "../../src/simulation/mutation.ts";
import { mutations } from "../../src/simulation/mutations.ts";
import { simulate } from "../../src/simulation/simulate.ts";
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

const durationMs = 20_000;
const everything = defineScenario({ system: workshop, durationMs });
const goesOn = { ...errands, durationMs };
const scenarios: Readonly<Record<string, Scenario>> = {
  // What only calls between nodes without a key of their client can show needs many of them.
  "floor-ignored": plainAppends(durationMs),
  "floor-ignored-for-messages": plainSends(durationMs),
  "outbox-before-commit": goesOn,
  "no-inbox-deduplication": goesOn,
  "timer-lost-at-failover": goesOn,
  "ids-by-position": onlyErrands(durationMs),
  "unrecorded-outcome-shown": goesOn,
  "parked-saga-gives-up-turn": goesOn,
};

interface Found {
  readonly name: string;
  /** How many seeds each finding took since the one before. */
  readonly took: readonly number[];
  readonly promises: readonly string[];
}

async function look(mutation: Mutation): Promise<Found> {
  const scenario = scenarios[mutation.name] ?? everything;
  const took: number[] = [];
  const promises = new Set<string>();
  for (let [seed, last] = [1, 0]; took.length < findingsMax && seed - last <= seedsMax; seed++) {
    const [first] = (await simulate({ scenario, seed, mutation })).violations;
    if (first === undefined) continue;
    took.push(seed - last);
    promises.add(first.promise);
    last = seed;
  }
  return { name: mutation.name, took, promises: [...promises] };
}

function medianOf(numbers: readonly number[]): number {
  return numbers.toSorted((a, b) => a - b)[Math.floor(numbers.length / 2)]!;
}

console.log(`${"mutation".padEnd(28)}${"median".padStart(6)}${"worst".padStart(7)}  seeds; broken promises`);
for (const mutation of mutations) {
  const { name, took, promises } = await look(mutation);
  const found = took.length === findingsMax;
  const [median, worst] = found ? [medianOf(took), Math.max(...took)] : ["-", `>${seedsMax}`];
  console.log(`${name.padEnd(28)}${String(median).padStart(6)}${String(worst).padStart(7)}  ${promises.join(", ")}`);
  if (typeof median !== "number" || median > medianSeedsMax) process.exitCode = 1;
}
if (process.exitCode === 1)
  console.log(`too many: at most ${seedsMax} seeds, and ${medianSeedsMax} for half of the findings`);
