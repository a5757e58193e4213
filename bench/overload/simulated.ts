/**
 * The same curve from the simulator, with modelled service times: it is the same on every machine, whatever else runs on
 * it. `node --conditions=synod-source bench/overload/simulated.ts` draws it into docs/.
 */
import { fileURLToPath } from "node:url";
import { capacities, LoadWorld, type LoadWorldOptions, noLoadControl } from "../../tests/simulation/load-world.ts";
import { type Result, type Series, savePicture, thisMachine } from "../result.ts";
import { curvesOf } from "./picture.ts";

const factors = [0.2, 0.5, 0.8, 1, 1.5, 2, 5, 10];
const works = [
  ["compute", "a handler that computes (simulated)"],
  ["write", "durable commands (simulated)"],
] as const;
const settleMs = 3_000;
const measureMs = 5_000;
const docs = fileURLToPath(new URL("../../docs", import.meta.url));

async function curve(load: NonNullable<LoadWorldOptions["load"]>): Promise<Record<string, Series>> {
  const all: Record<string, Series> = {};
  for (const [work] of works) {
    const capacity = capacities[work];
    for (const times of factors) {
      const world = await LoadWorld.start({ load });
      const rates = { [work]: times * capacity };
      const tally = (await world.offer(rates, settleMs + measureMs, settleMs))[work];
      const name = `${work}-${times}`;
      all[name] = series("good answers/s", tally.goodput);
      all[`${name}: offered`] = series("calls/s", (tally.offered * 1_000) / measureMs);
      all[`${name}: capacity`] = series("answers/s", capacity);
      console.log(
        name,
        `${Math.round(tally.goodput)} of ${Math.round(times * capacity)}, p99 ${Math.round(tally.p99Ms)} ms`,
      );
    }
  }
  return all;
}

function series(unit: string, value: number): Series {
  return { unit, samples: [value], median: value };
}

const sides = { synod: await curve({}), unshed: await curve(noLoadControl) };
const result: Result = {
  bench: "overload-simulated",
  machine: thisMachine(),
  commit: "",
  taken: {},
  sides,
  ratios: {},
};
for (const [work, words] of works) {
  const name = `overload-${work}-simulated.svg`;
  savePicture(docs, name, curvesOf(result, work, words, factors));
  console.log(`Saved as docs/${name}.`);
}
