/**
 * The search on servers whose capacity is known, without a network and without a clock: calls come by a Poisson process, a
 * model serves them, and the trial is judged by the same judge.
 */
import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { Heap } from "../values/heap.ts";
import { chance, createPrng, type Prng } from "../values/prng.ts";
import { OpenLoop } from "./load/open-loop.ts";
import { CapacitySearch, type SearchResult } from "./search.ts";
import { judge, type TrialFigures, type Verdict } from "./trial.ts";

const trialMs = 10_000;
const objective = { name: "p99", quantile: 0.99, limitMs: 50 };

/** How long a call takes to serve, ms. */
type Service = (prng: Prng) => number;

const exponential =
  (meanMs: number): Service =>
  (prng) =>
    -Math.log(1 - prng.number()) * meanMs;
const constant =
  (ms: number): Service =>
  () =>
    ms;

interface Ending {
  readonly at: number;
  readonly tell: (now: number) => void;
}

/** Offers a load to `servers` servers with one queue, in virtual time. */
function trialOf(perSecond: number, seed: number, servers: number, service: Service, lengths: number): TrialFigures {
  const prng = createPrng(seed);
  const endings = new Heap<Ending>((a, b) => a.at < b.at);
  const freeAt = Array.from({ length: servers }, () => 0);
  let now = 0;
  const loop: OpenLoop = new OpenLoop({
    ...{
      perSecond,
      settleMs: 1_000,
      ms: trialMs * lengths,
      timeoutMs: 1_000,
      graceMs: objective.limitMs,
      prng,
      began: 0,
    },
    send: (call) => {
      const server = freeAt.indexOf(Math.min(...freeAt));
      freeAt[server] = Math.max(now, freeAt[server]!) + service(prng);
      endings.add({ at: freeAt[server]!, tell: (at) => loop.ended(call, "good", at) });
    },
  });
  let nextDue = loop.turn(0);
  while (!loop.isOver(now)) {
    const ending = endings.first;
    // Whoever is late has been given up a second after he was due, at the latest.
    now = Math.min(nextDue > now ? nextDue : Number.POSITIVE_INFINITY, ending?.at ?? now + 100);
    if (ending !== undefined && ending.at <= now) endings.take()!.tell(now);
    nextDue = loop.turn(now);
  }
  return { perSecond, seconds: (trialMs * lengths) / 1_000, ...loop.tally() };
}

function search(
  verdictOf: (perSecond: number, lengths: number, number: number) => Verdict,
  firstPerSecond = 20,
  perSecondMax = 1e6,
): SearchResult & { trials: number } {
  const searching = new CapacitySearch({ firstPerSecond, perSecondMax });
  let trials = 0;
  for (let next = searching.next(); next !== undefined; next = searching.next()) {
    searching.told(verdictOf(next.perSecond, next.lengths, ++trials));
  }
  return { ...searching.result, trials };
}

function capacityOfModel(servers: number, service: Service, seed: number): number {
  return search((perSecond, lengths, number) =>
    judge(trialOf(perSecond, seed * 1_000 + number, servers, service, lengths), objective),
  ).perSecond;
}

test("the capacity of an M/M/1 server is found to a tenth", () => {
  // The response time is exponential with the mean 1 / (served - offered): its p99 is ln 100 times that.
  const known = 1_000 / 2 - Math.log(100) / (objective.limitMs / 1_000);
  const found = capacityOfModel(1, exponential(2), 1);
  assert.ok(Math.abs(found / known - 1) < 0.1, `found ${found}, known ${known}`);
});

test("the capacity of M/D/c servers is found within a seventh below what they can serve at all", () => {
  for (const [servers, ms] of [
    [1, 1],
    [2, 4],
    [4, 5],
  ] as const) {
    const most = (servers * 1_000) / ms;
    const found = capacityOfModel(servers, constant(ms), 2);
    assert.ok(found < most && found > most * (6 / 7), `${servers} servers of ${ms} ms: found ${found} of ${most}`);
  }
});

test("two searches of the same server find the same to a tenth", () => {
  const [one, other] = [3, 4].map((seed) => capacityOfModel(2, exponential(4), seed)) as [number, number];
  assert.ok(Math.abs(one / other - 1) < 0.1, `found ${one} and ${other}`);
});

const passed: Verdict = { kind: "passed" };
const failed: Verdict = { kind: "failed", reasons: ["p99 was 60 ms"] };
const discarded: Verdict = { kind: "discarded", by: "load", reason: "the load itself was 3 ms late" };

test("whatever the sharp limit is, what is found lies within a tenth below it, in few trials", () => {
  fc.assert(
    fc.property(fc.double({ min: 1, max: 1e5, noNaN: true }), fc.integer({ min: 1, max: 1_000 }), (limit, first) => {
      const { perSecond, above, trials } = search((rate) => (rate <= limit ? passed : failed), first);
      assert.ok(perSecond <= limit, `found ${perSecond}`);
      assert.ok(perSecond >= limit / 1.1 || (limit < 2 && perSecond === 0), `found ${perSecond} of ${limit}`);
      assert.ok(above === undefined || above > limit);
      assert.ok(trials < 60);
    }),
  );
});

/**
 * A server on a machine that does other things, too: its speed wanders by up to 15 % from trial to trial, and in one of ten the machine stands
 * still for so long that no load would be carried.
 */
function noisyServer(prng: Prng, known: number): (perSecond: number) => Verdict {
  return (perSecond) => {
    const speed = known * (1 + 0.15 * (2 * prng.number() - 1));
    return chance(prng, 0.1) || perSecond > speed ? failed : passed;
  };
}

test("five searches of a server whose speed swings by 15 % from trial to trial lie within a tenth, mostly", () => {
  const known = 3_000;
  const prng = createPrng(11);
  const groups = Array.from({ length: 20 }, () =>
    Array.from({ length: 5 }, () => search(noisyServer(prng, known), 50, 20_000)).sort(
      (a, b) => a.perSecond - b.perSecond,
    ),
  );
  const apart = groups.map((found) => (found[4]!.perSecond - found[0]!.perSecond) / found[2]!.perSecond);
  const close = apart.filter((part) => part <= 0.1).length;
  assert.ok(close >= 0.8 * groups.length, `${close} of ${groups.length} groups lie within a tenth`);
  for (const { perSecond, boundary, trials } of groups.flat()) {
    assert.ok(perSecond > known * 0.8 && perSecond < known * 1.1, `found ${perSecond}`);
    assert.ok(boundary!.from < perSecond * 1.2 && boundary!.to > perSecond);
    assert.ok(trials < 70, `${trials} trials`);
  }
  const told = groups.flat().filter(({ boundary }) => boundary!.from <= known && boundary!.to >= known);
  assert.ok(told.length >= 0.9 * 5 * groups.length, `${told.length} intervals hold the boundary`);
});

/** Each load of the search may be offered three times before it is believed: some ten to twenty of ramp and bisection, 30 repetitions, 33 confirmations. */
const trialsMax = 300;

test("a search ends whatever it is told, and never gives a load that no confirmation passed", () => {
  fc.assert(
    fc.property(fc.array(fc.constantFrom(passed, failed, discarded), { minLength: 1, maxLength: 200 }), (verdicts) => {
      const confirmed = new Set([0]);
      const searching = new CapacitySearch({ firstPerSecond: 50, perSecondMax: 10_000 });
      let told = 0;
      for (let next = searching.next(); next !== undefined; next = searching.next()) {
        const verdict = verdicts[told++ % verdicts.length]!;
        if (next.phase === "confirmation" && verdict === passed) confirmed.add(next.perSecond);
        searching.told(verdict);
        assert.ok(told < trialsMax);
      }
      assert.ok(confirmed.has(searching.result.perSecond));
    }),
    { examples: [[[discarded, discarded, passed, discarded, discarded, failed, discarded, discarded]]] },
  );
});

test("one failure says nothing, a second one does", () => {
  const once = search((rate, _lengths, number) => (number === 1 ? failed : rate <= 100 ? passed : failed));
  assert.ok(once.perSecond > 90 && once.perSecond <= 100);
});

test("a load that fails in a short trial of the ramp is offered for the whole length before it is believed", () => {
  const offered: (readonly [number, number])[] = [];
  search((rate, lengths) => {
    offered.push([rate, lengths]);
    return rate <= 50 ? passed : failed;
  });
  assert.deepEqual(offered.slice(0, 4), [
    [20, 1 / 3],
    [40, 1 / 3],
    [80, 1 / 3],
    [80, 1],
  ]);
});

test("a load that cannot keep time limits the search, and the result says so", () => {
  const { perSecond, limit } = search((rate) => (rate <= 300 ? passed : discarded));
  assert.equal(limit, "load");
  assert.ok(perSecond <= 300 && perSecond > 270);
});

test("a load that is late now and then on its way up does not end the ramp", () => {
  const { perSecond, limit } = search((rate) => (rate === 40 ? discarded : rate <= 300 ? passed : failed));
  assert.equal(limit, "system");
  assert.ok(perSecond <= 300 && perSecond > 270);
});

test("a load that is late by chance in three trials of five does not lower what is found", () => {
  const found = Array.from({ length: 40 }, (_, seed) => {
    const prng = createPrng(seed + 1);
    const server = noisyServer(prng, 300);
    return search((rate) => (chance(prng, 0.6) ? discarded : server(rate))).perSecond;
  });
  const fifthLowest = found.sort((a, b) => a - b)[4]!;
  assert.ok(fifthLowest > 0.85 * 300, `${fifthLowest}`);
});

test("a load that was late is thrown away, even if the system answered well", () => {
  const figures = trialOf(50, 1, 1, constant(1), 1);
  assert.equal(judge(figures, objective).kind, "passed");
  const late = { ...figures, lag: { counts: [[2_000, 1_000]], sumUs: 2_000_000 } as const };
  assert.equal(judge(late, objective).kind, "discarded");
});

test("a queue that grows fails a trial before its wait has reached the objective", () => {
  const figures = trialOf(400, 1, 1, constant(1), 1);
  assert.deepEqual(judge(figures, objective), passed);
  const open = Array.from({ length: 60 }, (_, at) => at / 4);
  assert.match(JSON.stringify(judge({ ...figures, open }, objective)), /a queue grew/);
});
