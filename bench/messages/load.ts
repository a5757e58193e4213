/** The load of the bench: a node with senders and receivers, and a number of callers that wait for each message. */
import { join } from "node:path";
import { command, defineInterface, defineSystem, implement } from "synod";
import { z } from "zod";
import { createLog } from "../../src/adapters/log/pino.ts";
import { openSqliteStore } from "../../src/adapters/sqlite/store.ts";
import { systemClock } from "../../src/adapters/system/clock.ts";
import { systemRandom } from "../../src/adapters/system/random.ts";
import { callThrough } from "../../src/host/caller.ts";
import { startNode } from "../../src/runtime/node.ts";
import type { Measured, RunOptions } from "../bench.ts";
import { PatientCalls } from "../linked-node.ts";
import { processorDetail, processorMicroseconds } from "../processor-time.ts";
import { Window } from "../window.ts";
import { messagesVariant } from "./bench.ts";

const entities = 1_000;

const Letter = z.object({ to: z.string(), number: z.number() });
const Sender = defineInterface("sender", {
  key: z.string(),
  operations: {
    tell: command({ input: Letter }),
    note: command({ input: Letter }),
    promise: command({ durable: true, input: Letter }),
  },
});
const Receiver = defineInterface("receiver", {
  key: z.string(),
  operations: { put: command({ input: z.number() }) },
});

/** Messages on their way, by their numbers: whoever waits for each. */
class Arrivals {
  readonly #waiting = new Map<number, () => void>();
  /** That came twice, or that nobody sent. */
  strays = 0;

  arrived(number: number): void {
    const wake = this.#waiting.get(number);
    this.#waiting.delete(number);
    if (wake === undefined) this.strays += 1;
    else wake();
  }

  of(number: number): Promise<void> {
    return new Promise((resolve) => this.#waiting.set(number, resolve));
  }
}

function systemWith(arrivals: Arrivals) {
  const sender = implement(Sender, {
    sends: [Receiver],
    state: { version: 1, initial: () => ({ count: 0 }) },
    operations: {
      tell: (ctx, { to, number }) => {
        ctx.state.count += 1;
        ctx.send(Receiver, to).put(number);
      },
      note: (ctx) => {
        ctx.state.count += 1;
      },
      promise: (ctx) => {
        ctx.state.count += 1;
      },
    },
  });
  const receiver = implement(Receiver, {
    state: { version: 1, initial: () => ({ count: 0 }) },
    operations: {
      put: (ctx, number) => {
        ctx.state.count += 1;
        arrivals.arrived(number);
      },
    },
  });
  return defineSystem({ name: "bench", services: [sender, receiver] });
}

/** Fails when a message arrived twice. */
export async function measureMessages(operation: "tell" | "note" | "promise", options: RunOptions): Promise<Measured> {
  const arrivals = new Arrivals();
  const system = systemWith(arrivals);
  const store = await openSqliteStore({ path: join(options.folder, "bench.db"), system: system.name });
  const log = createLog({ format: "text", level: "warn", name: system.name });
  const node = await startNode({ node: "node-1", system, store, clock: systemClock, random: systemRandom, log });
  try {
    let number = 0;
    const delivery: number[] = [];
    const calls = new PatientCalls();
    const send = async (): Promise<void> => {
      number += 1;
      const letter = { to: `r${(number * 7) % entities}`, number };
      const sender = callThrough(node.gateway, "bench", Sender, [`s${number % entities}`]);
      if (operation !== "tell") return calls.call(() => sender[operation](letter));
      const arrived = arrivals.of(number);
      await calls.call(() => sender.tell(letter));
      const answeredAt = performance.now();
      await arrived;
      delivery.push(performance.now() - answeredAt);
    };
    const edge = () => ({ commits: node.status().commits, processor: processorMicroseconds(), from: delivery.length });
    const window = new Window(options, edge);
    const caller = async (): Promise<void> => {
      do await send();
      while (window.completed());
    };
    await Promise.all(Array.from({ length: messagesVariant(options.variant).inFlight }, caller));
    if (arrivals.strays > 0) throw new Error(`${arrivals.strays} messages arrived twice`);
    const { completed, perSecond, begun, ended } = window.result;
    const counted = delivery.slice(begun.from, ended.from).sort((a, b) => a - b);
    const quantile = (part: number): number => counted[Math.floor(part * counted.length)] ?? 0;
    return {
      value: perSecond,
      details: [
        { name: "delivery after the answer, p50", unit: "ms", value: quantile(0.5) },
        { name: "delivery after the answer, p99", unit: "ms", value: quantile(0.99) },
        { name: "messages per commit", unit: "messages", value: completed / (ended.commits - begun.commits) },
        processorDetail("message", begun.processor, ended.processor, completed),
      ],
    };
  } finally {
    await node.stop(10_000);
    await store.close();
  }
}
