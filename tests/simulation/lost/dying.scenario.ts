/** Each of its runs breaks a promise, but for those on every other thread, which end their worker. */
import { threadId } from "node:worker_threads";
import { z } from "zod";
import { command, defineInterface, defineSystem, implement } from "../../../src/index.ts";
import { defineScenario, type Scenario } from "../../../src/simulation/index.ts";

const Counter = defineInterface("counter", { key: z.string(), operations: { add: command() } });

const counter = implement(Counter, {
  state: { version: 1, initial: () => ({ value: 0 }) },
  operations: {
    add: (ctx) => {
      ctx.state.value += 1;
    },
  },
});

// A worker looks at the file once; it is loaded again for its runs.
const thread = globalThis as { counterLoads?: number };
thread.counterLoads = (thread.counterLoads ?? 0) + 1;
if (threadId % 2 === 1 && thread.counterLoads > 1) throw new Error("this thread is doomed");

const scenario: Scenario = defineScenario({
  system: defineSystem({ name: "counters", services: [counter] }),
  nodes: 3,
  clients: 2,
  duration: "1s",
  invariants: [{ name: "nothing is ever counted", holds: (state) => state.all(Counter).size === 0 }],
});
export default scenario;
