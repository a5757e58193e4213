/** What a node knows of other nodes before it calls them: breakers, the budget of repeats, and the choice of two. */
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { createPrng } from "../../values/prng.ts";
import { Breaker } from "./breaker.ts";
import { lighterOfTwo } from "./choice.ts";
import { RepeatBudget, repeatTokensMax } from "./repeat-budget.ts";

describe("a breaker", () => {
  function opened(): Breaker {
    const breaker = new Breaker();
    for (let failure = 0; failure < 5; failure++) breaker.unanswered(breaker.answers, 100);
    return breaker;
  }

  test("opens after five calls in a row without an answer, and sends nothing then", () => {
    const breaker = new Breaker();
    for (let failure = 0; failure < 4; failure++) breaker.unanswered(breaker.answers, 100);
    assert.equal(breaker.state, "closed");
    breaker.unanswered(breaker.answers, 100);
    assert.equal(breaker.state, "open");
    assert.equal(breaker.allows(349), false);
  });

  test("stays closed while something is answered: an entity that hangs is not the node", () => {
    const breaker = new Breaker();
    for (let round = 0; round < 20; round++) {
      const sent = breaker.answers;
      breaker.answered();
      breaker.unanswered(sent, 100 + round);
    }
    assert.equal(breaker.state, "closed");
  });

  test("lets one probe through after a while, closes if it is answered, and waits twice as long if not", () => {
    const breaker = opened();
    assert.deepEqual([breaker.mayTry(349), breaker.mayTry(350), breaker.mayTry(350)], [false, true, true]);
    assert.equal(breaker.allows(350), true);
    assert.equal(breaker.state, "half-open");
    assert.equal(breaker.allows(350), false, "one at a time");
    assert.equal(breaker.mayTry(350), false);
    breaker.unanswered(0, 400);
    assert.equal(breaker.allows(899), false);
    assert.equal(breaker.allows(900), true);
    breaker.answered();
    assert.deepEqual([breaker.state, breaker.allows(901)], ["closed", true]);
  });

  test("a probe that never left says nothing, and the next call is the probe", () => {
    const breaker = opened();
    assert.equal(breaker.allows(350), true);
    breaker.withdrawn();
    assert.equal(breaker.allows(351), true);
  });

  test("never waits for longer than 4 s", () => {
    const breaker = opened();
    let now = 350;
    for (let probe = 0; probe < 10; probe++) {
      assert.equal(breaker.allows(now), true);
      breaker.unanswered(0, now);
      now += 4_000;
    }
  });
});

describe("the budget of repeats", () => {
  test("has room for everything that one link held, and then for a fifth of what is answered", () => {
    const budget = new RepeatBudget(0);
    let taken = 0;
    while (budget.take(0)) taken += 1;
    assert.equal(taken, repeatTokensMax);
    for (let answer = 0; answer < 100; answer++) budget.answered();
    for (taken = 0; budget.take(0); ) taken += 1;
    assert.ok(taken === 20 || taken === 19, `${taken}`);
    assert.equal(budget.take(1_000), true, "a little comes back with time");
  });
});

describe("the choice between nodes", () => {
  const loadOf = ({ load }: { readonly load: number }): number => load;

  test("falls on one of two, and never on the busiest of all", () => {
    const prng = createPrng(1);
    const nodes = [{ load: 9 }, { load: 1 }, { load: 5 }];
    const chosen = Array.from({ length: 600 }, () => lighterOfTwo(nodes, loadOf, () => prng.number())!.load);
    const times = (load: number) => chosen.filter((one) => one === load).length;
    assert.equal(times(9), 0);
    assert.ok(Math.abs(times(1) - 400) < 60 && Math.abs(times(5) - 200) < 60, `${times(1)} and ${times(5)}`);
  });

  test("is no choice with one, and nobody with none", () => {
    const only = { load: 3 };
    assert.equal(lighterOfTwo([only], loadOf, Math.random), only);
    assert.equal(lighterOfTwo([], loadOf, Math.random), undefined);
  });
});
