/** Worlds of the simulator: one with chains of empty events, and runs of the bank as `synod sim` does them. */
import bank from "../../examples/bank/system.ts";
import { defineScenario, simulate } from "../../src/simulation/index.ts";
import { World } from "../../src/simulation/world/world.ts";
import type { Measured, Run, RunOptions } from "../bench.ts";
import { processorMicroseconds } from "../processor-time.ts";
import { chainsLength, delayMs } from "./chains.ts";

const bankRun = defineScenario({ system: bank, nodes: 5, clients: 20, duration: "60s" });
const sliceMs = 50;

export const run: Run = (options) => (options.variant === "loop" ? runLoop(options) : runBank(options));

async function runLoop({ settleMs, measureMs }: RunOptions): Promise<Measured> {
  const world = new World({
    seed: 1,
    onThrown: (error) => {
      throw error;
    },
  });
  for (let chain = 0; chain < chainsLength; chain++) {
    let step = chain;
    const next = (): void => void world.after(delayMs(step++), next);
    next();
  }
  const goOn = async (until: number): Promise<void> => {
    while (performance.now() < until) await world.run(world.now + sliceMs);
  };
  await goOn(performance.now() + settleMs);
  const [events, begun] = [world.events, processorMicroseconds()];
  await goOn(performance.now() + measureMs);
  return { value: (world.events - events) / ((processorMicroseconds() - begun) / 1e6), details: [] };
}

/** Whole runs, at least one, until the time is over. */
async function runBank({ settleMs, measureMs }: RunOptions): Promise<Measured> {
  for (const until = performance.now() + settleMs; performance.now() < until; ) {
    await simulate({ scenario: bankRun, seed: 1 });
  }
  let [runs, events, operations] = [0, 0, 0];
  const begun = processorMicroseconds();
  for (const until = performance.now() + measureMs; performance.now() < until || runs === 0; runs++) {
    const result = await simulate({ scenario: bankRun, seed: 2 + runs });
    if (result.violations.length > 0) throw new Error(`seed ${result.seed} broke a promise`);
    events += result.events;
    operations += result.operations.ok;
  }
  const seconds = (processorMicroseconds() - begun) / 1e6;
  return {
    value: events / seconds,
    details: [
      { name: "runs per minute of one core", unit: "runs", value: (60 * runs) / seconds },
      { name: "answered operations per run", unit: "operations", value: operations / runs },
      { name: "events per run", unit: "events", value: events / runs },
    ],
  };
}
