/**
 * `npm run demo:sim`: what the epoch is for. The bank runs on three simulated nodes, with faults, while the check that
 * a commit comes from the present owner is switched off: a deposit that was acknowledged gets lost. The seed that shows
 * it shows it again, byte for byte; with the check on, the same seeds pass.
 *
 * The switch is not part of Synod's API, so this one example reaches into its sources, as the tests do.
 */
import { mkdirSync, writeFileSync } from "node:fs";
import { defineScenario, type Fault, type RunResult, simulate, type Violation } from "synod/simulation";
import { caseOf } from "../../../src/simulation/case.ts";
import { mutations } from "../../../src/simulation/mutations.ts";
import { pageOf } from "../../../src/simulation/report/page.ts";
import { storyOf } from "../../../src/simulation/report/story.ts";
import { timelineOf } from "../../../src/simulation/report/timeline.ts";
import { type Failure, failureOf, shrink } from "../../../src/simulation/shrink/shrink.ts";
import { createPrng } from "../../../src/values/prng.ts";
import system from "../system.ts";

const nodes = 3;
const accounts = Array.from({ length: 8 }, (_, index) => `account-${index + 1}`);

const scenario = defineScenario({
  system,
  nodes,
  clients: 16,
  duration: "20s",
  workload: (prng) => {
    const key = accounts[prng.below(accounts.length)]!;
    if (prng.below(3) === 0) return { service: "account", key, operation: "balance" };
    return { service: "account", key, operation: "deposit", input: { amount: 1 + prng.below(100) } };
  },
});

/** Nodes stand still for some seconds, as in a long garbage collection, and others take over what they own. */
function pausesOf(seed: number): readonly Fault[] {
  const prng = createPrng(seed);
  return Array.from({ length: 6 }, (_, index) => {
    const at = 1_500 + 3_000 * index + prng.below(1_500);
    const lastsMs = 3_000 + prng.below(3_000);
    return { kind: "pause", at, lastsMs, nodes: [`node-${1 + prng.below(nodes)}`], amount: 0 };
  });
}

const noEpochCheck = mutations.find(({ name }) => name === "no-epoch-check");
if (noEpochCheck === undefined) throw new Error("there is no switch for the check of the epoch");

/** Where to begin: shortly before a seed that fails, so that this does not take long. It goes on until one does. */
const firstSeed = 8;
const seedsMax = 60;
/** How long the failure may take to be made small, ms; in seconds as the argument. */
const shrinkMs = 1_000 * Number(process.argv[2] ?? 25);
const pageFile = ".synod/demo-sim.html";

const startedAt = performance.now();

say("1. The bank on three simulated nodes that stand still now and then, the check of the epoch switched off.");
const failing = await firstFailure();
const seeds = failing.seed - firstSeed + 1;
say(`   Seed ${failing.seed} breaks promises (seeds tried: ${seeds}):`);
for (const { promise, text } of failing.violations) say(indented(`${promise}: ${text}`));

say("2. The same seed again.");
const again = await simulate({ scenario, seed: failing.seed, plan: pausesOf(failing.seed), mutation: noEpochCheck });
say(`   trace ${failing.digest}`);
say(`   trace ${again.digest}  ${again.digest === failing.digest ? "the same run, byte for byte" : "NOT THE SAME"}`);

say("3. What is left of it when everything is gone that the failure does not need.");
const small = await madeSmall(failing);
const { plan, operations } = small.case;
say(`   before: faults ${failing.plan.length}, operations ${failing.asked.length}`);
say(`   after:  faults ${plan.length}, operations ${operations.length}; the stale write is marked:`);
const shown = await simulate({ ...small.case, scenario, mutation: noEpochCheck, keepTrace: true });
say(`\n${timelineOf(storyOf(shown))}\n`);
mkdirSync(".synod", { recursive: true });
writeFileSync(pageFile, pageOf(shown, { name: "the bank without the check of the epoch", replay: "npm run demo:sim" }));
say(`   As a picture: ${pageFile}`);

say("4. The check on again, the same seeds.");
let found = 0;
for (let seed = firstSeed; seed <= failing.seed; seed++) {
  const { violations } = await simulate({ scenario, seed, plan: pausesOf(seed) });
  found += violations.length;
  say(`   seed ${seed}: ${violations[0]?.text ?? "nothing found"}`);
}
say(`\nThat took ${Math.round((performance.now() - startedAt) / 1_000)} s.`);
process.exitCode = found === 0 && again.digest === failing.digest ? 0 : 1;

/** The first seed at which somebody's money is gone. */
async function firstFailure(): Promise<RunResult> {
  for (let seed = firstSeed; seed < firstSeed + seedsMax; seed++) {
    const result = await simulate({ scenario, seed, plan: pausesOf(seed), mutation: noEpochCheck! });
    if (lossIn(result) !== undefined) return result;
  }
  throw new Error(`no seed from ${firstSeed} to ${firstSeed + seedsMax - 1} loses a deposit`);
}

/** Where two nodes wrote, one after the other had taken over, and what one had acknowledged is gone. */
function lossIn({ violations }: RunResult): Violation | undefined {
  if (!violations.some(({ text }) => text.startsWith("two owners"))) return undefined;
  return violations.find(({ text }) => text.includes("was lost"));
}

async function madeSmall(result: RunResult): Promise<Failure> {
  const loss = lossIn(result)!;
  const from = failureOf(caseOf(result, { seed: result.seed }, scenario.durationMs), result, loss)!;
  const run = async (one: Failure["case"], endsAtMs: number | undefined): Promise<RunResult> => {
    const smaller = await simulate({ ...one, scenario, mutation: noEpochCheck!, endsAtMs });
    const stillLost = lossIn(smaller);
    return { ...smaller, violations: stillLost === undefined ? [] : [stillLost] };
  };
  return (await shrink({ from, run, width: 1, timeMaxMs: shrinkMs }))!.smallest;
}

function indented(text: string): string {
  return text.replaceAll(/^/gm, "      ");
}

function say(text: string): void {
  console.log(text);
}
