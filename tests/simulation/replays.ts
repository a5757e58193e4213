/**
 * Runs lines that replay a run of the simulator, one after the other in one process, as if each were typed into a
 * shell, and prints all that they print. With `--find` it is told names of mutations instead, and prints a line for
 * each that replays the first seed that shows it.
 */
import { parseArgs } from "node:util";
import { sim } from "../../src/cli/sim/sim.ts";
import { replayLine } from "../../src/cli/sim/words.ts";
import { loadScenario, simulate } from "../../src/simulation/index.ts";
import { mutations } from "../../src/simulation/mutations.ts";
import { mutationSeeds } from "./mutation-seeds.ts";

/** Until a defect is found. */
const seedsMax = 200;

async function find(name: string): Promise<string> {
  const mutation = mutations.find((one) => one.name === name)!;
  const { file, seed: first } = mutationSeeds[name]!;
  const scenario = await loadScenario(file);
  for (let seed = first; seed < first + seedsMax; seed++) {
    const { violations, digest } = await simulate({ scenario, seed, mutation });
    if (violations.length === 0) continue;
    return `${digest} ${violations[0]!.promise}: ${replayLine({ file, mutation: name, only: undefined }, seed)}`;
  }
  throw new Error(`no seed from ${first} to ${first + seedsMax - 1} of ${file} shows ${name}`);
}

async function replay(line: string): Promise<void> {
  const [synod, command, ...args] = line.split(" ");
  if (synod !== "synod" || command !== "sim") throw new Error(`this replays nothing: ${line}`);
  const { values, positionals } = parseArgs({
    args,
    allowPositionals: true,
    options: { seed: { type: "string" }, mutation: { type: "string" } },
  });
  const { seed, mutation } = values;
  console.log(`> ${line}`);
  const code = await sim(positionals[0]!, {
    ...{ seeds: 1, seed: Number(seed), trace: "lines", json: false },
    ...(mutation !== undefined && { mutation }),
  });
  console.log(`ended with ${code}`);
}

const [what, ...given] = process.argv.slice(2);
if (what === "--find") for (const name of given) console.log(await find(name));
else for (const line of [what!, ...given]) await replay(line);
