/** The places of a run: one for each process of each node, one for the scenario itself, one to look at a file first. */
import type { Clock } from "../../ports/clock.ts";
import { createPrng } from "../../values/prng.ts";
import type { Judge } from "../judge.ts";
import { epochMs } from "../world/machine-clock.ts";
import type { Process } from "../world/process.ts";
import type { World } from "../world/world.ts";
import type { Place } from "./place.ts";

/** What is broken by code that reaches for the outside world. */
export const outsidePromise = "no outside world";

export function nodePlace(process: Process, judge: Judge): Place {
  const { world, name, generation } = process;
  return {
    name,
    // Each machine counts its own, as containers do: another process has another one.
    pid: generation,
    clock: process.clock(),
    prng: world.prng(`user code/${name}/${generation}`),
    loads: 0,
    hold: (work) => world.hold(work),
    print: (text) => print(world, name, text),
    refused: (sentence) => judge.report(outsidePromise, `${name}: ${sentence}`),
  };
}

/** Its workload and its invariants are asked from outside of every node: no timer of it ever fires. */
export function scenarioPlace(world: World, judge: Judge): Place {
  return {
    name: "scenario",
    pid: 1,
    clock: standingClock(() => world.now),
    prng: world.prng("user code/scenario"),
    loads: 0,
    hold: (work) => world.hold(work),
    print: (text) => print(world, "scenario", text),
    refused: (sentence) => judge.report(outsidePromise, `scenario: ${sentence}`),
  };
}

/**
 * Where a file is loaded before any run. Packages are loaded with it, here and nowhere else, so that what they draw and
 * read while they are loaded is the same whichever run comes first.
 */
export function firstPlace(
  print: (text: string) => void,
  { seed, nowMs }: { readonly seed: number; readonly nowMs: number } = { seed: 0, nowMs: 0 },
): Place {
  return {
    name: "first",
    pid: 1,
    clock: standingClock(() => nowMs),
    prng: createPrng(seed),
    loads: 0,
    hold: () => {},
    print,
    refused: () => {},
  };
}

function standingClock(nowMs: () => number): Clock {
  return {
    monotonic: nowMs,
    wall: () => epochMs + Math.floor(nowMs()),
    setTimer: () => ({ cancel: () => {} }),
    soon: () => {},
  };
}

function print(world: World, name: string, text: string): void {
  for (const line of text.replace(/\n$/, "").split("\n")) world.trace.aside(name, "prints", line);
}
