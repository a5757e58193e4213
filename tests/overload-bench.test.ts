/** What the bench of overload makes of what its load saw: never how fast anything is. */
import assert from "node:assert/strict";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { overload, overloadVariant } from "../bench/overload/bench.ts";
import { capacityOf } from "../bench/overload/calibration.ts";
import { gatesOf, unheardDetail, verdictOf } from "../bench/overload/gates.ts";
import { startLimit } from "../bench/overload/limit-server.ts";
import { curvesOf } from "../bench/overload/picture.ts";
import { doubtOf, measuredOf } from "../bench/overload/summary.ts";
import { newTally, type PhaseTally } from "../bench/overload/tally.ts";
import { detailName, type Result, ratioTo, resultOf, type Series, thisMachine } from "../bench/result.ts";
import type { TakenRun } from "../bench/turns.ts";

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

test("a side's capacity is what it has room for, and not how quick it is with so many calls in flight", async () => {
  const tried: number[] = [];
  const capacity = await capacityOf(async (inFlight) => {
    tried.push(inFlight);
    return Math.min(inFlight / 0.09, 2_000);
  });
  assert.deepEqual({ capacity, tried }, { capacity: 2_000, tried: [16, 32, 64, 128, 256, 512] });
  assert.equal(await capacityOf(async (inFlight) => 8_000 / inFlight), 500, "more calls may be too many");
});

test("a run is doubtful if its load was late, others had the processors, or the side did more than its capacity", () => {
  assert.equal(doubtOf(10, 0.1, 1.1), undefined);
  assert.match(doubtOf(13.96, 0, 1)!, /^the load was late by up to 14\.0 ms \(p99\)$/);
  assert.match(doubtOf(0, 0.1245, 1)!, /^other programs had 0\.12 processors$/);
  assert.match(doubtOf(0, 0, 1.5)!, /^the side did 1\.50 times the capacity that was found$/);
});

test("the picture has room for a side that does more than its capacity", () => {
  const one = (median: number): Series => ({ unit: "", samples: [median], median });
  const pictureOf = (good: number): string => {
    const synod = { "transfer-1": one(good), "transfer-1: offered": one(1_000), "transfer-1: capacity": one(1_000) };
    return curvesOf(resultWith({ synod }), "transfer", "transfers", [1]);
  };
  const heightOf = (svg: string): number => Number(/cy="([\d.]+)"/.exec(svg)![1]);
  assert.ok(heightOf(pictureOf(1_200)) < heightOf(pictureOf(1_000)));
  const scaleOf = (svg: string): string => /polyline points="[^"]*" fill="none" stroke="#bbbbbb"/.exec(svg)![0];
  assert.notEqual(scaleOf(pictureOf(1_600)), scaleOf(pictureOf(1_200)), "what is drawn at the top is more");
});

test("what was doubtful is saved with the reason, compared with nothing, marked where it is shown, and passes no gate", () => {
  const runOf = (side: string, name: string, doubt?: string): TakenRun => {
    const details = [{ name: unheardDetail, unit: "of 1", value: 0 }];
    return { side, variant: overloadVariant(name), run: 1, measured: { value: 1_734, details, doubt } };
  };
  const late = "the load was late";
  const runs = [runOf("synod", "transfer-2"), runOf("fastify", "transfer-2", late), runOf("fastify", "transfer-2")];
  const all = [...runs, runOf("synod", "transfer-5", late), runOf("limit", "transfer-5")];
  const result = resultOf(overload, thisMachine(), "", all, { secondsPerRun: 1 });
  const { fastify, synod } = result.sides;
  assert.equal(fastify!["transfer-2"]!.doubt, "in 1 of 2 runs: the load was late");
  assert.equal(synod!["transfer-5"]!.doubt, late);
  assert.equal(ratioTo(result.sides, "fastify", "transfer-2"), undefined);
  assert.equal(ratioTo(result.sides, "limit", "transfer-5"), undefined);
  const page = overload.page!.text(result);
  assert.match(page, /bare Fastify[ |–]*1,734†/);
  assert.match(page, /^- fastify transfer-2: in 1 of 2 runs: the load was late$/m);
  const verdicts = gatesOf(result, ["transfer"], [2, 5]).map((gate) => `${gate.variant} ${verdictOf(gate)}`);
  const [at2, at5] = ["transfer-2 passed", "transfer-5 doubtful"];
  assert.deepEqual(verdicts, [at2, at2, at5, at5]);
});

test("the least program answers that it failed while its store stands still, and goes on afterwards", async () => {
  const folder = await mkdtemp(join(tmpdir(), "synod-limit-"));
  const server = await startLimit(folder);
  try {
    let asked = 0;
    const ask = async (): Promise<number> => {
      const path = server.paths.transfer.replace("{id}", String(++asked));
      return (await fetch(`http://127.0.0.1:${server.port}${path}`, { method: "POST" })).status;
    };
    assert.equal(await ask(), 200);
    const stalled = server.stallStore(1_000);
    assert.equal(await ask(), 500);
    await stalled;
    assert.equal(await ask(), 200);
  } finally {
    await server.close();
    await rm(folder, { recursive: true, force: true });
  }
});
