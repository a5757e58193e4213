/** Shrinking of failures that are made up, so that what can go is known; tests/simulation/shrinking.test.ts has real ones. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { hash32 } from "../../values/hash32.ts";
import type { PlannedOperation } from "../asking.ts";
import type { Case } from "../case.ts";
import type { Fault } from "../faults.ts";
import type { Violation } from "../judge.ts";
import type { RunResult } from "../simulate.ts";
import { type Failure, failureOf, type ShrinkOptions, type ShrinkProgress, shrink } from "./shrink.ts";

/** When a run breaks its promise, ms since the world began; undefined: it keeps it. */
type Breaks = (one: Case) => number | undefined;

const durationMs = 20_000;
const faults: readonly Fault[] = Array.from({ length: 12 }, (_, index) => {
  return { kind: "crash", at: 1_000 + 1_500 * index, lastsMs: 20, nodes: [`node-${1 + (index % 3)}`], amount: 1 };
});
const operations: readonly PlannedOperation[] = Array.from({ length: 400 }, (_, index) => {
  const request = { service: "list", key: "abcde"[index % 5]!, operation: "append", input: index };
  return { client: index % 20, turn: 1 + Math.floor(index / 20), at: index * 45, request };
});
const whole: Case = { seed: 1, timing: 0, fairWeather: false, durationMs, plan: faults, operations };

const belowTheFloor = { promise: "floors", text: "a call below the floor" };

function resultOf(
  one: Case,
  at: number | undefined,
  broken: Pick<Violation, "promise" | "text"> = belowTheFloor,
): RunResult {
  const violation = { ...broken, at: at ?? 0, traceLength: 0 };
  return {
    ...{ seed: one.seed, violations: at === undefined ? [] : [violation], digest: "", trace: [], passages: [] },
    ...{ injected: [], nodes: [], plan: one.plan, asked: at === undefined ? [] : one.operations, servedAt: 0 },
    ...{ simulatedMs: at ?? durationMs, events: 0, operations: { ok: 0, fail: 0, info: 0 }, commits: 0, checks: 0 },
    ...{ faults: {}, marks: {}, reached: {} as RunResult["reached"] },
  };
}

function failing(one: Case, at: number, broken?: Pick<Violation, "promise" | "text">): Failure {
  const result = resultOf(one, at, broken);
  return failureOf(one, result, result.violations[0]!)!;
}

async function shrunk(breaks: Breaks, options: Partial<ShrinkOptions> = {}): Promise<ShrinkProgress> {
  const from = options.from ?? failing(whole, breaks(whole)!);
  const run = async (one: Case): Promise<RunResult> => resultOf(one, breaks(one));
  const progress = await shrink({ from, run, width: 1, timeMaxMs: 30_000, ...options });
  assert.ok(progress !== undefined, "the run fails as a case");
  return progress;
}

/** Every fault has a part in when this one operation happens. */
function byCoincidence({ timing, fairWeather, plan, operations: left }: Case): boolean {
  if (timing !== 0 || fairWeather || plan.length < faults.length) return false;
  return left.some(({ client, turn }) => client === 7 && turn === 18);
}

/** The last three faults, and one operation after them that meets them; which one does depends on the timing. */
function byOneOfMany({ timing, plan, operations: left }: Case): boolean {
  const last = faults.slice(-3);
  if (!last.every(({ at }) => plan.some((fault) => fault.at === at))) return false;
  const after = left.filter(({ at }) => at >= last[0]!.at);
  return after.some(({ client, turn }) => hash32(`${client}/${turn}/${timing}`) % 1_000 === 0);
}

test("a failure that hangs by a coincidence of all faults is found again with few of them, in some other timing", async () => {
  const { smallest } = await shrunk((one) => (byCoincidence(one) || byOneOfMany(one) ? 18_500 : undefined));
  assert.deepEqual(smallest.case.plan, faults.slice(-3));
  assert.equal(smallest.case.operations.length, 1);
  assert.ok(byOneOfMany(smallest.case), "what is kept fails");
});

test("what is kept is the smallest of all that failed, and never grows", async () => {
  // With few faults many operations are needed.
  let others = 0;
  const byMany = ({ plan, timing, operations: left }: Case): boolean => {
    const breaks = plan.length === 3 && timing === 5 && left.length >= 50;
    if (breaks) others++;
    return breaks;
  };
  const sizes: number[] = [];
  const { smallest } = await shrunk((one) => (byCoincidence(one) || byMany(one) ? 18_500 : undefined), {
    onProgress: ({
      smallest: {
        case: { plan, operations: left },
      },
    }) => sizes.push(plan.length + left.length),
  });
  assert.ok(others > 1, "another way down was gone");
  assert.equal(smallest.case.plan.length, faults.length);
  assert.equal(smallest.case.operations.length, 1);
  assert.deepEqual(
    sizes,
    sizes.toSorted((a, b) => b - a),
  );
});

test("no run that kept the promise is run again", async () => {
  const seen = new Set<string>();
  let runs = 0;
  const progress = await shrunk((one) => (byCoincidence(one) ? 18_500 : undefined), {
    run: async (one, endsAtMs) => {
      const breaks = byCoincidence(one);
      runs++;
      if (!breaks) {
        const name = JSON.stringify([one, endsAtMs]);
        assert.ok(!seen.has(name), `${one.plan.length} faults and ${one.operations.length} operations again`);
        seen.add(name);
      }
      return resultOf(one, breaks ? 18_500 : undefined);
    },
  });
  assert.equal(progress.runs, runs);
  assert.ok(runs > 100, `${runs} runs`);
});

test("a run that does not fail as the list of its operations is nothing to make small", async () => {
  let runs = 0;
  const run = async (one: Case): Promise<RunResult> => {
    runs++;
    return resultOf(one, undefined);
  };
  assert.equal(await shrink({ from: failing(whole, 9_000), run, width: 1, timeMaxMs: 30_000 }), undefined);
  assert.equal(runs, 2, "with what had happened, and with all");
});

test("the run that failed as a case is told of before another one is run, which may come to nothing", async () => {
  let runs = 0;
  const told: ShrinkProgress[] = [];
  const run = async (one: Case): Promise<RunResult> => {
    if (++runs > 1) throw new Error("its worker has died");
    return resultOf(one, 5_000);
  };
  const onProgress = (progress: ShrinkProgress): void => void told.push(progress);
  const from = failing(whole, 5_000);
  await assert.rejects(shrink({ from, run, width: 1, timeMaxMs: 30_000, onProgress }), /its worker has died/);
  assert.deepEqual(
    told.map(({ smallest }) => smallest.case),
    [from.happened],
  );
});

test("where a run fails only with faults that come after the violation, they are kept", async () => {
  const { smallest } = await shrunk((one) => (one.plan.length === faults.length ? 9_000 : undefined));
  assert.equal(smallest.case.plan.length, faults.length);
});

test("what is asked when all is calm moves with the end of the faults", async () => {
  const calm = { ...operations[0]!, turn: 100, at: durationMs + 9_000.5, calm: true as const };
  const late: Case = { ...whole, operations: [...operations, calm] };
  const breaks: Breaks = (one) => {
    const [asked] = one.operations.filter((each) => each.calm === true);
    return asked?.at === one.durationMs + 9_000.5 ? asked.at + 10 : undefined;
  };
  const { smallest } = await shrunk(breaks, { from: failing(late, durationMs + 9_010.5) });
  assert.equal(smallest.case.durationMs, 500);
  assert.deepEqual(smallest.case.operations, [{ ...calm, at: 9_500.5 }]);
});

test("one invariant is not taken for another whose name begins alike", async () => {
  const total = { promise: "invariant", invariant: "bank: total constant", text: "bank: total constant" };
  const negative = { promise: "invariant", invariant: "bank: none negative", text: "bank: none negative" };
  const { smallest } = await shrunk(() => 9_000, {
    from: failing(whole, 9_000, total),
    run: async (one) => resultOf(one, 9_000, one.operations.length >= 30 ? total : negative),
  });
  assert.equal(smallest.violation.text, total.text);
  assert.equal(smallest.case.operations.length, 30);
});
