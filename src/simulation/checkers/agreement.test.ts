/**
 * The checkers against something simpler: against a brute-force search that tries all orders, against
 * histories made from a sequential execution, and against each other.
 */
import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { createPrng, type Prng } from "../../values/prng.ts";
import { type HistoryEvent, HistoryRecorder } from "../history.ts";
import { type Operation, pairOperations } from "../operations.ts";
import { scriptedHistory } from "../script.ts";
import { appendListModel, checkAppendList } from "./append-list.ts";
import { checkCounterBounds, counterModel } from "./counter.ts";
import { explain } from "./explain.ts";
import { checkLinearizability } from "./linearizability.ts";
import type { Model } from "./model.ts";
import { type Item, itemOf, layOut } from "./problem.ts";
import { registerModel } from "./register.ts";
import { search } from "./search.ts";
import { formatVerdict } from "./verdict.ts";

/** The same cases in every run; other seeds were tried when this was written. */
const fixed = { seed: 20_260 };
const unbounded = { depthFirstMax: 1e9, configurationsMax: 1e9, configurationsTotalMax: 1e9 };
const sweeping = { ...unbounded, depthFirstMax: 0 };

/** All orders, one after the other: slow, and plainly right. */
function existsOrder<State>(operations: readonly Operation[], model: Model<State>, state: State): boolean {
  const open = operations.filter(({ outcome }) => outcome !== "fail");
  if (open.every(({ outcome }) => outcome === "info")) return true;
  const firstReturn = Math.min(...open.map(({ completedAt }) => completedAt));
  return open.some((operation) => {
    if (operation.invokedAt > firstReturn) return false;
    const step = model.step(state, operation, operation.reply);
    const others = open.filter((other) => other !== operation);
    return step.ok && existsOrder(others, model, step.state);
  });
}

interface Workload<State> {
  readonly model: Model<State>;
  readonly calls: (random: Prng, nth: number) => readonly [f: string, value: unknown];
  /** What a call answers in a state. */
  readonly answer: (state: State, f: string) => unknown;
  /** A wrong answer that looks like a right one. */
  readonly bend: (value: unknown, random: Prng) => unknown;
  /** Of histories that are swept: where no read tells their order, all orders of appends must be seen. */
  readonly sweptLength: number;
}

const registerWorkload = (values: number): Workload<string> => ({
  model: registerModel(0),
  calls: (random) => {
    const [a, b] = [random.below(values), random.below(values)];
    return (
      [
        ["read", undefined],
        ["write", a],
        ["cas", [a, b]],
      ] as const
    )[random.below(3)]!;
  },
  answer: (state, f) => (f === "read" ? JSON.parse(state) : undefined),
  bend: (value, random) => (typeof value === "boolean" ? !value : random.below(values)),
  sweptLength: 60,
});

const counterWorkload: Workload<number> = {
  model: counterModel(),
  calls: (random) => (random.below(2) === 0 ? ["read", undefined] : ["add", 1 + random.below(3)]),
  answer: (state, f) => (f === "read" ? state : undefined),
  bend: (value, random) => (typeof value === "number" ? value + random.below(5) - 2 : value),
  sweptLength: 60,
};

const listWorkload: Workload<ReturnType<ReturnType<typeof appendListModel>["init"]>> = {
  model: appendListModel(),
  calls: (random, nth) => (random.below(2) === 0 ? ["read", undefined] : ["append", nth]),
  answer: (state, f) => {
    if (f === "append") return undefined;
    const elements: unknown[] = [];
    for (let node = state; node.before !== undefined; node = node.before) elements.push(JSON.parse(node.last));
    return elements.reverse();
  },
  bend: (value, random) => {
    if (!Array.isArray(value)) return value;
    const at = random.below(value.length + 1);
    return [value.toSpliced(at, 1), value.toSpliced(at, 0, random.below(10)), value.toReversed()][random.below(3)];
  },
  sweptLength: 12,
};

interface Shape {
  readonly seed: number;
  readonly operations: number;
  readonly clients: number;
  /** Share of outcomes that nobody hears, and of answers that are bent. */
  readonly unknown: number;
  readonly bent: number;
}

/** Runs clients against one sequential object, each operation taking effect between its invoke and its end. */
function execute<State>(workload: Workload<State>, shape: Shape): Operation[] {
  const random = createPrng(shape.seed);
  const events: HistoryEvent[] = [];
  const recorder = new HistoryRecorder({ now: () => events.length, emit: (event) => events.push(event) });
  const clients = Array.from({ length: shape.clients }, () => ({
    client: recorder.client(),
    todo: [] as (() => void)[],
  }));
  let state = workload.model.init(null);
  for (let nth = 0; nth < shape.operations || clients.some(({ todo }) => todo.length > 0); ) {
    const { client, todo } = clients[random.below(clients.length)]!;
    const next = todo.shift();
    if (next !== undefined) next();
    else if (nth < shape.operations) {
      const [f, value] = workload.calls(random, nth++);
      client.invoke(f, "k", value);
      let answer: unknown;
      const takeEffect = () => {
        const swaps =
          f === "cas"
            ? workload.model.step(state, { f, key: "k", value }, { value: true, error: undefined }).ok
            : undefined;
        const step = workload.model.step(state, { f, key: "k", value }, undefined);
        if (step.ok) state = step.state;
        answer = swaps ?? workload.answer(state, f);
      };
      const isUnknown = random.number() < shape.unknown;
      const end = () => {
        const isBent = random.number() < shape.bent;
        if (isUnknown) client.info("unavailable");
        else client.ok(isBent ? workload.bend(answer, random) : answer);
      };
      // An operation nobody heard of may take effect after its client has given up, or never.
      const unheard = [[takeEffect, end], [end]][random.below(2)]!;
      todo.push(...(isUnknown ? unheard : [takeEffect, end]));
    }
  }
  return pairOperations(events);
}

const shapes = (rest: { readonly operations: number; readonly bent: number }): fc.Arbitrary<Shape> =>
  fc.record({
    seed: fc.integer(),
    operations: fc.integer({ min: 1, max: rest.operations }),
    clients: fc.integer({ min: 1, max: 5 }),
    unknown: fc.constantFrom(0, 0.1, 0.4),
    bent: fc.constant(rest.bent),
  });

const workloads = {
  register: registerWorkload(3) as Workload<unknown>,
  counter: counterWorkload as Workload<unknown>,
  list: listWorkload as Workload<unknown>,
};

function problemOf(operations: readonly Operation[], model: Model<unknown>) {
  const items = operations.map((operation) => itemOf(operation, model)).filter((item): item is Item => !!item);
  return { problem: layOut(items, model), start: { state: model.init("k"), placed: new Set<Operation>() } };
}

for (const [name, workload] of Object.entries(workloads)) {
  const { model } = workload;

  test(`${name}: what a sequential object did is linearizable, with an order that replays`, () => {
    const property = fc.property(shapes({ operations: workload.sweptLength, bent: 0 }), (shape) => {
      const { problem, start } = problemOf(execute(workload, shape), model);
      for (const limits of [unbounded, sweeping]) {
        const result = search(problem, model, [start], limits);
        assert.equal(result.status, "linearizable");
        if (result.status === "linearizable") assertWitness(problem.items, result.order, model);
      }
    });
    fc.assert(property, { ...fixed, numRuns: 300 });
  });

  test(`${name}: on small histories, right or wrong, both ways of the search agree with trying all orders`, () => {
    const seen = { linearizable: 0, impossible: 0, undecided: 0 };
    const property = fc.property(shapes({ operations: 7, bent: 0.3 }), (shape) => {
      const operations = execute(workload, shape);
      const expected = existsOrder(operations, model, model.init("k")) ? "linearizable" : "impossible";
      const { problem, start } = problemOf(operations, model);
      for (const limits of [unbounded, sweeping]) {
        const { status } = search(problem, model, [start], limits);
        assert.equal(status, expected);
        seen[status] += 1;
      }
    });
    fc.assert(property, { ...fixed, numRuns: 1_500 });
    assert.ok(Math.min(seen.linearizable, seen.impossible) > 300, JSON.stringify(seen));
  });

  test(`${name}: what an explanation names is impossible whatever the other operations did`, () => {
    let explained = 0;
    const property = fc.property(shapes({ operations: 7, bent: 0.4 }), (shape) => {
      const operations = execute(workload, shape);
      const { problem, start } = problemOf(operations, model);
      const result = search(problem, model, [start], sweeping);
      if (result.status !== "impossible") return;
      const { core, since, text } = explain(problem, model, result, undefined);
      assert.ok(core.length > 0, text);
      const weaker = operations.flatMap((operation) => {
        if (core.includes(operation) || operation.completedAt <= since || operation.outcome === "fail")
          return [operation];
        return model.readOnly(operation, operation.reply) ? [] : [weakened(operation)];
      });
      assert.equal(existsOrder(weaker, model, model.init("k")), false, text);
      explained += 1;
    });
    fc.assert(property, { ...fixed, numRuns: 600 });
    assert.ok(explained > 100, `${explained} explained`);
  });
}

function weakened(operation: Operation): Operation {
  return { ...operation, outcome: "info", reply: undefined, completedAt: Number.POSITIVE_INFINITY };
}

/** The order has all that returned, respects real time, and a sequential run of it answers the same. */
function assertWitness(items: readonly Item[], order: readonly number[], model: Model<unknown>): void {
  assert.equal(new Set(order).size, order.length);
  const missing = items.filter((item, number) => Number.isFinite(item.returnsAt) && !order.includes(number));
  assert.deepEqual(missing, []);
  let state = model.init("k");
  let latestInvoke = Number.NEGATIVE_INFINITY;
  for (const item of order.map((number) => items[number]!)) {
    assert.ok(item.returnsAt > latestInvoke, "the order breaks real time");
    latestInvoke = Math.max(latestInvoke, item.invokedAt);
    const step = model.step(state, item.operation, item.reply);
    assert.ok(step.ok, "the order does not replay");
    state = step.state;
  }
}

/** Each can be ordered only if, of the ways to one state, those are kept that use up less, or something else. */
for (const script of [
  "0 write 1 | 0 info | 1 cas [0,1] | 1 info | 2 read | 2 ok 1 | 2 write 2 | 2 ok | 2 read | 2 ok 2 | 2 read | 2 ok 1",
  "1 cas [0,1] | 1 info | 0 write 1 | 0 info | 2 read | 2 ok 1 | 2 write 2 | 2 ok | 2 read | 2 ok 2 | 2 read | 2 ok 1",
  "0 write 7 | 1 write 3 | 3 write 3 | 3 info | 2 cas [3,4] | 2 ok true | 0 ok | 1 ok | 2 read | 2 ok 4 | 2 read | 2 ok 3",
  "0 write 1 | 0 info | 1 cas [1,0] | 1 info | 2 cas [0,5] | 2 ok true | 2 read | 2 ok 5 | 2 read | 2 ok 1",
  "0 write 1 | 0 info | 1 cas [1,0] | 1 info | 2 cas [0,5] | 2 ok true | 2 read | 2 ok 5 | 2 read | 2 ok 1 | 2 read | 2 ok 0",
]) {
  test(`register: operations of unknown outcome are saved for when they are needed: ${script}`, () => {
    const operations = pairOperations(scriptedHistory(script));
    const model = registerModel(0);
    assert.ok(existsOrder(operations, model, model.init("k")));
    const { problem, start } = problemOf(operations, model as Model<unknown>);
    for (const limits of [unbounded, sweeping]) {
      assert.equal(search(problem, model as Model<unknown>, [start], limits).status, "linearizable");
    }
  });
}

test("register: wild histories, with any replies at any times, get the verdict of trying all orders", () => {
  const seen = { linearizable: 0, impossible: 0, undecided: 0 };
  const small = fc.integer({ min: 0, max: 2 });
  const wild = fc.record({
    call: fc.oneof(
      fc.record({ f: fc.constant("read"), value: fc.constant(undefined), answer: small }),
      fc.record({ f: fc.constant("write"), value: small, answer: fc.constant(undefined) }),
      fc.record({ f: fc.constant("cas"), value: fc.tuple(small, small), answer: fc.boolean() }),
    ),
    outcome: fc.constantFrom("ok", "ok", "ok", "info", "fail"),
    from: fc.nat(20),
    length: fc.nat(20),
  });
  const property = fc.property(fc.array(wild, { minLength: 2, maxLength: 7 }), (drawn) => {
    const operations = drawn
      .map(({ call: { f, value, answer }, outcome, from, length }, process): Operation => {
        const reply = outcome === "ok" ? { value: answer, error: undefined } : undefined;
        const invokedAt = from + process / 100;
        const completedAt = outcome === "info" ? Number.POSITIVE_INFINITY : from + length + 0.5 + process / 100;
        const whole = { process, f, key: "k", value, outcome: outcome as "ok", reply, invokedAt, completedAt };
        return { ...whole, node: undefined, epoch: undefined };
      })
      .sort((a, b) => a.invokedAt - b.invokedAt);
    const model = registerModel(0);
    const expected = existsOrder(operations, model, model.init("k")) ? "linearizable" : "impossible";
    const { problem, start } = problemOf(operations, model as Model<unknown>);
    for (const limits of [unbounded, sweeping]) {
      const { status } = search(problem, model as Model<unknown>, [start], limits);
      assert.equal(status, expected);
      seen[status] += 1;
    }
  });
  fc.assert(property, { ...fixed, numRuns: 4_000 });
  assert.ok(Math.min(seen.linearizable, seen.impossible) > 500, JSON.stringify(seen));
});

test("the fast check of lists finds exactly what the search finds", () => {
  const seen = { holds: 0, broken: 0, undecided: 0 };
  const property = fc.property(shapes({ operations: 12, bent: 0.15 }), (shape) => {
    const operations = execute(listWorkload, shape);
    const searched = checkLinearizability(operations, appendListModel());
    const fast = checkAppendList(operations);
    assert.equal(fast.status, searched.status, `${formatVerdict(fast)}\n${formatVerdict(searched)}`);
    seen[fast.status] += 1;
  });
  fc.assert(property, { ...fixed, numRuns: 2_000 });
  assert.ok(Math.min(seen.holds, seen.broken) > 300, JSON.stringify(seen));
});

test("the bounds of counters never blame what is linearizable", () => {
  let broken = 0;
  const property = fc.property(shapes({ operations: 12, bent: 0.15 }), (shape) => {
    const operations = execute(counterWorkload, shape);
    if (checkCounterBounds(operations).status === "holds") return;
    assert.equal(checkLinearizability(operations, counterModel()).status, "broken");
    broken += 1;
  });
  fc.assert(property, { ...fixed, numRuns: 1_000 });
  assert.ok(broken > 100, `${broken} broken`);
});

test("20,000 operations on one key by 20 clients are decided, right or wrong, within the default bounds", () => {
  const shape = { seed: 7, operations: 20_000, clients: 20, unknown: 0.003, bent: 0 };
  for (const workload of [registerWorkload(1_000), registerWorkload(5)]) {
    const verdict = checkLinearizability(execute(workload, shape), workload.model);
    assert.equal(verdict.status, "holds", formatVerdict(verdict));
  }
  const operations = execute(registerWorkload(1_000), { ...shape, operations: 4_000, unknown: 0 });
  const late = operations.findLastIndex(({ f }) => f === "read");
  operations[late] = { ...operations[late]!, reply: { value: 5_000, error: undefined } };
  const verdict = checkLinearizability(operations, registerModel(0));
  assert.equal(verdict.status, "broken", formatVerdict(verdict));
  assert.deepEqual(verdict.findings[0]?.operations, [operations[late]]);
});

test("5,000 operations on one list by 20 clients are checked at once, right or wrong", () => {
  const operations = execute(listWorkload, { seed: 3, operations: 5_000, clients: 20, unknown: 0.003, bent: 0 });
  assert.equal(checkAppendList(operations).status, "holds");
  const late = operations.findLastIndex(({ reply }) => Array.isArray(reply?.value));
  const elements = operations[late]!.reply!.value as number[];
  operations[late] = { ...operations[late]!, reply: { value: elements.toSpliced(100, 1), error: undefined } };
  assert.equal(checkAppendList(operations).status, "broken");
});
