/**
 * A durable command that calls five services, three of them at once, whose node dies: after each of its steps, and
 * after each pair of steps. However that falls, it ends as if nothing had happened.
 *
 * A step is whatever the world can see of it: a commit that the store gets, its answer, or a call to the world outside.
 */
import assert from "node:assert/strict";
import { test } from "node:test";
import { type TestNode, World } from "../guarantees/world.ts";
import { Payment, Post, Rates, type Running, type Scripts, Shipping, Stock, sagaSystem } from "./saga-system.ts";

/** One process after the other, each of which may die at one of its steps. */
class Lives {
  steps = 0;
  node: TestNode | null = null;
  #deadline = 0;

  /** The next process dies right after this step of it; 0: it lives. */
  next(deadline: number): void {
    this.steps = 0;
    this.#deadline = deadline;
  }

  /** Whether the process has died of this step. */
  step(): boolean {
    this.steps += 1;
    if (this.steps !== this.#deadline) return false;
    this.node?.kill();
    return true;
  }

  /** A step in the world outside: who dies of it does nothing any more. */
  async outside<T>(value: T): Promise<T> {
    if (this.step()) await new Promise(() => {});
    return value;
  }
}

const never = (): Promise<never> => new Promise(() => {});

/** The world outside: rates that are never the same twice, letters, and codes. */
function scriptsOf(lives: Lives, outside: { rates: number[]; letters: string[]; codes: number[] }): Scripts {
  return {
    rate: () => {
      outside.rates.push(outside.rates.length + 2);
      return lives.outside(outside.rates.at(-1)!);
    },
    sent: (text) => {
      outside.letters.push(text);
      return lives.outside(undefined);
    },
    run: {
      order: async (ctx: Running) => {
        const rate = await ctx.to(Rates).rate();
        const [left, paid, code] = await Promise.all([
          ctx.to(Stock, "s").take(1),
          ctx.to(Payment, "p").charge(rate * 10),
          ctx.step("code", () => {
            outside.codes.push(100 + outside.codes.length);
            return lives.outside(outside.codes.at(-1)!);
          }),
        ]);
        const label = await ctx.to(Shipping, "x").ship(`code-${code}`);
        await ctx.to(Post).send(label);
        const result = { left, paid, label, uuid: ctx.uuid(), now: ctx.now };
        ctx.state = { ...ctx.state, result };
        return result;
      },
    },
  };
}

/**
 * Runs the saga through processes that die at these steps, and one that does not; gives the steps of the last one.
 * `beforeToo`: a commit on its way to the store is a step of its own.
 */
async function liveThrough(deaths: readonly number[], beforeToo: boolean): Promise<number> {
  const lives = new Lives();
  const outside = { rates: [] as number[], letters: [] as string[], codes: [] as number[] };
  const system = sagaSystem(scriptsOf(lives, outside));
  await using world = World.create();
  const behind = await world.connect();
  const ask = { service: "saga", key: "one", input: "order", id: "order-1" };
  let answer = "";
  for (const death of [...deaths, 0]) {
    lives.next(0);
    const node = await world.start({ system });
    lives.next(death);
    lives.node = node;
    node.store.intercept("commit", async (_batch, forward) => {
      if (node.paused) return never();
      // It may die of what it is about to write, and of what it has written and does not know.
      if (beforeToo && lives.step()) return never();
      const result = await forward();
      return lives.step() ? never() : result;
    });
    const asked = node.ask("run", ask);
    await world.advance(20);
    for (let passed = 0; !node.paused && asked.answer === undefined && passed < 20_000; passed += 500) {
      await world.advance(500);
    }
    answer = asked.answer ?? "";
    if (node.paused) {
      await behind.endLease({ node: "node-1", incarnation: node.running.incarnation });
      continue;
    }
    const { steps } = lives;
    lives.next(0);
    const words = `after deaths at ${deaths.join(" and ")}`;
    await check(node, answer, outside, words);
    return steps;
  }
  throw new Error("the last process does not die");
}

async function check(
  node: TestNode,
  answer: string,
  outside: {
    readonly rates: readonly number[];
    readonly letters: readonly string[];
    readonly codes: readonly number[];
  },
  words: string,
): Promise<void> {
  const result = JSON.parse(answer.replace(" (replayed)", "")) as { left: number; paid: number; label: string };
  const ask = (service: string, key: string, operation: string) => node.answer(operation, { service, key });
  assert.equal(await ask("stock", "s", "taken"), "[1]", words);
  assert.equal(await ask("payment", "p", "charged"), `[${result.paid}]`, words);
  assert.equal(result.left, 1, words);
  assert.ok(outside.rates.includes(result.paid / 10), words);
  // What was shipped has a code that a step gave, and the label is the one that was posted, once.
  const code = Number(result.label.slice("code-".length, -"-1".length));
  assert.ok(outside.codes.includes(code), words);
  assert.equal(await ask("shipping", "x", "shipped"), JSON.stringify([`code-${code}`]), words);
  assert.equal(await ask("shipping", "post", "shipped"), JSON.stringify([result.label]), words);
  assert.ok(outside.letters.length > 0 && outside.letters.every((letter) => letter === result.label), words);
  const state = JSON.parse(await ask("saga", "one", "state")) as { result: unknown };
  assert.deepEqual(state.result, result, words);
  assert.equal(await ask("saga", "one", "touch"), "1", `nobody keeps the turn ${words}`);
}

test("a durable command ends as if nothing had happened, after whatever step its node dies, and after whatever two", async () => {
  const halfSteps = await liveThrough([], true);
  for (let first = 1; first <= halfSteps; first++) await liveThrough([first], true);
  // A commit that never came leaves the same world as the answer before it: pairs need only one of the two.
  const steps = await liveThrough([], false);
  assert.ok(steps >= 10, `only ${steps} steps were seen`);
  let pairs = 0;
  for (let first = 1; first <= steps; first++) {
    const left = await liveThrough([first], false);
    for (let second = 1; second <= left; second++) {
      await liveThrough([first, second], false);
      pairs += 1;
    }
  }
  assert.ok(pairs > steps, `only ${pairs} pairs were tried`);
});
