/** Rare branches of the runtime: each is marked where it is, and faults that are meant to reach one do. */
import assert from "node:assert/strict";
import { globSync, readFileSync } from "node:fs";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { defineScenario, type Fault, type RunOptions, simulate } from "../../src/simulation/index.ts";
import { listenToMarks, type Mark, mark, marks } from "../../src/values/marks.ts";
import { workshop } from "./workshop-system.ts";

const keys = ["a", "b", "c"];
const scenario = defineScenario({
  system: workshop,
  nodes: 3,
  clients: 12,
  duration: "5s",
  workload: (prng) => ({
    service: "list",
    key: keys[prng.below(keys.length)]!,
    operation: prng.below(3) === 0 ? "appendFrom" : "append",
    input: prng.below(3) === 0 ? "a" : prng.below(100),
  }),
});
const nodes = ["node-1", "node-2", "node-3"];

const storeRestarts = Array.from({ length: 8 }, (_, index): Fault => {
  return { kind: "storeRestart", at: 500 + index * 400, lastsMs: 60, nodes: [], amount: 0 };
});

async function reached(options: Omit<RunOptions, "scenario">): Promise<Partial<Record<Mark, number>>> {
  const result = await simulate({ fairWeather: true, endsAtMs: 9_000, ...options, scenario });
  assert.deepEqual(result.violations, []);
  return result.marks;
}

test("every mark stands in the runtime, and only there", () => {
  const root = fileURLToPath(new URL("../..", import.meta.url));
  const files = globSync("src/{core,runtime}/**/*.ts", { cwd: root }).filter((file) => !file.endsWith(".test.ts"));
  const placed = files.flatMap((file) => {
    return [...readFileSync(`${root}/${file}`, "utf8").matchAll(/\bmark\("([^"]+)"\)/g)].map((found) => found[1]!);
  });
  assert.deepEqual([...new Set(placed)].toSorted(), Object.keys(marks).toSorted());
});

test("a mark is heard by whoever listens last, and by nobody afterwards", () => {
  const heard: string[] = [];
  const noMore = listenToMarks((name) => heard.push(`outer ${name}`));
  const noMoreWithin = listenToMarks((name) => heard.push(`inner ${name}`));
  mark("batch full");
  noMoreWithin();
  mark("mailbox full");
  noMore();
  mark("batch full");
  assert.deepEqual(heard, ["inner batch full", "outer mailbox full"]);
});

/** What happens between the faults is up to the seed. */
const seedsMax = 8;

const cases: readonly { readonly plan: readonly Fault[]; readonly reaches: readonly Mark[] }[] = [
  {
    // Longer than a lease: the others take over, and whoever wakes up finds that he is no member any more.
    plan: [{ kind: "pause", at: 500, lastsMs: 4_000, nodes, amount: 0 }],
    reaches: ["lease ended by this node", "joined again"],
  },
  {
    plan: [{ kind: "storeLock", at: 500, lastsMs: 3_000, nodes: [], amount: 0 }],
    reaches: ["commit failed", "runs again", "lease ran out"],
  },
  {
    // A store that is slow has commits under way when it goes down.
    plan: [...storeRestarts, { kind: "storeSlow", at: 0, lastsMs: 5_000, nodes: [], amount: 150 }],
    reaches: ["commit unknown", "undurable dropped", "lost shard claimed again", "exit gate waits"],
  },
];

for (const { plan, reaches } of cases) {
  test(`${plan[0]!.kind} reaches: ${reaches.join(", ")}`, async () => {
    let missed = reaches;
    for (let seed = 1; seed <= seedsMax && missed.length > 0; seed++) {
      const found = await reached({ seed, plan });
      missed = missed.filter((name) => found[name] === undefined);
    }
    assert.deepEqual(missed, []);
  });
}

test("without faults none of the branches of a lost lease is reached", async () => {
  const found = await reached({ seed: 1, plan: [] });
  for (const name of ["lease ran out", "joined again", "commit unknown", "commit fenced"] as const) {
    assert.equal(found[name], undefined, name);
  }
});
