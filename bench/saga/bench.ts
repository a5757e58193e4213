/**
 * Sagas: a durable command that makes three other durable commands take effect, one after the other, and that is
 * finished after a crash of anything. Asked for by another process, and answered when it has finished.
 */
import type { Bench, Variant } from "../bench.ts";
import { gateLinesOf, pageOf } from "./best.ts";

interface SagaVariant extends Variant {
  readonly inFlight: number;
}

const sagaVariants: readonly SagaVariant[] = [64, 256, 1_024].map((inFlight) => ({
  name: `trips-${inFlight}`,
  title: `trips of three bookings, ${inFlight.toLocaleString("en")} in flight`,
  inFlight,
  // Its server (1.7) was busy for three minutes with a run of two seconds then, and had not answered all of them.
  ...(inFlight > 256 && { without: ["restate"] }),
}));

export function sagaVariant(name: string): SagaVariant {
  const found = sagaVariants.find((variant) => variant.name === name);
  if (found === undefined) throw new Error(`the bench saga has no variant ${name}`);
  return found;
}

const peers = ["restate", "dbos"];

export const saga: Bench = {
  name: "saga",
  summary: "durable commands that make three others take effect, one after the other",
  unit: "sagas/s",
  variants: sagaVariants,
  mainVariant: "trips-64",
  peers,
  page: { path: "docs/performance.md", text: (result) => pageOf(result, sagaVariants) },
  gates: (result) => gateLinesOf(result, sagaVariants, peers),
  sides: Object.fromEntries(
    ["synod", "limit", ...peers].map((side) => [side, new URL(`./${side}.ts`, import.meta.url)]),
  ),
};
