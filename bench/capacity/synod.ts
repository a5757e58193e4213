/** What `synod capacity` finds. */
import { capacityOf } from "../../src/capacity/capacity.ts";
import type { Run } from "../bench.ts";
import {
  division,
  firstPerSecond,
  keys,
  loadProcesses,
  nodes,
  objective,
  perSecondMax,
  startBank,
  timeoutMs,
} from "./bank.ts";

export const run: Run = async ({ measureMs }) => {
  const { capacity, loadCores } = await capacityOf({
    start: startBank,
    nodes: [nodes],
    objective,
    trialMs: measureMs,
    timeoutMs,
    firstPerSecond,
    perSecondMax,
    keys,
    loadProcesses,
    division,
    runs: 1,
    headers: {},
    curve: false,
    compare: false,
    onStage: () => {},
    onOffer: () => {},
    onTrial: () => {},
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
