/** What the bench of overload makes of what its load saw: never how fast anything is. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { overloadVariant } from "../bench/overload/bench.ts";
import { gatesOf } from "../bench/overload/gates.ts";
import { measuredOf } from "../bench/overload/summary.ts";
import { newTally, type PhaseTally } from "../bench/overload/tally.ts";
import { detailName, type Result, type Series, thisMachine } from "../bench/result.ts";

const measureMs = 1_000;

/** One run of a side at ten times its capacity, as it is saved. */
function savedRun(tally: Partial<PhaseTally>, ended: Partial<PhaseTally["ended"]>): Record<string, Series> {
  const empty = newTally(measureMs);
  const counted = { ...empty, ...tally, ended: { ...empty.ended, ...ended } };
  const name = "transfer-10";
  const { value, details } = measuredOf(
    overloadVariant(name),
    1_411,
    { tallies: [empty, counted], others: 0 },
    measureMs,
  );
  const series = (unit: string, median: number): Series => ({ unit, samples: [median], median });
  const all = details.map((detail) => [detailName(name, detail.name), series(detail.unit, detail.value)] as const);
  return { [name]: series("good answers/s", value), ...Object.fromEntries(all) };
}

function resultWith(sides: Result["sides"]): Result {
  return { bench: "overload", machine: thisMachine(), commit: "", taken: {}, sides, ratios: {} };
}

test("calls that hear nothing in their time fail a gate, however quick the answers are that count", () => {
  const verdict = (lateAtFirst: number): readonly (readonly [number, boolean])[] => {
    const tally = { offered: 14_225, good: 1_061, responsesMs: Array.from({ length: 1_061 }, () => 985) };
    const synod = savedRun(tally, { lateAtFirst, lost: 10_659, refused: 14_225 - 10_659 - 1_061 - lateAtFirst });
    const gates = gatesOf(resultWith({ synod }), ["transfer"], [10]);
    return gates.filter(({ what }) => /heard nothing/.test(what)).map(({ is, passed }) => [is, passed]);
  };
  assert.deepEqual(verdict(1_232), [[0.3455, false]]);
  assert.deepEqual(verdict(35), [[0.009815, true]]);
});
