/** What `synod capacity` finds. */
import { capacityOf } from "../../src/capacity/capacity.ts";
import type { Run } from "../bench.ts";
import { firstPerSecond, keys, nodes, objective, perSecondMax, startBank, timeoutMs } from "./bank.ts";

const loadProcesses = 2;

export const run: Run = async ({ measureMs }) => {
  const { capacity, loadCores } = await capacityOf({
    ...{
      start: startBank,
      objective,
      trialMs: measureMs,
      timeoutMs,
      firstPerSecond,
      perSecondMax,
      loadProcesses,
      keys,
    },
    ...{ headers: {}, curve: false, compare: false, nodes: [nodes] },
    ...{ onStage: () => {}, onOffer: () => {}, onTrial: () => {} },
  });
  const doubt =
    capacity.limit === "load" ? "the load could not keep its own time above what it says was carried" : undefined;
  return {
    value: capacity.perSecond,
    details: [
      { name: "p99", unit: "ms", value: capacity.confirmed?.p99Ms ?? 0 },
      { name: "processors that the load took", unit: "", value: loadCores },
    ],
    doubt,
  };
};
