/**
 * Past the capacity: calls come when they come, from processes of their own, at 0.2 to 10 times what a side can do,
 * and what counts is goodput, the answers per second that come within the caller's second. Work of two kinds: two
 * milliseconds of the processor, and a durable command that calls two others: a transfer.
 */
import type { Bench, Variant } from "../bench.ts";
import type { Result } from "../result.ts";
import { gateLinesOf } from "./gates.ts";
import { pageOf } from "./page.ts";
import { curvesOf } from "./picture.ts";

export type Work = "compute" | "transfer";

/** One stretch of an offered load, in times of the capacity. */
export interface Phase {
  readonly times: number;
  /** In lengths of the time that counts, or in seconds where it is said what has to be over when. */
  readonly lasts: { readonly lengths: number } | { readonly seconds: number };
  /** The one whose goodput is the result. */
  readonly counts?: boolean;
  /** What may start a collapse: this load, or a store that stands still from the beginning of the phase to its end. */
  readonly trigger?: "load" | "stall";
}

/** How long the store stands still. */
export const stallMs: number = 2_000;

/** What it takes, as a rule, to start a side and the load, and until the last call is over. */
const startMs = 2_000;

export function phaseMs({ lasts }: Phase, measureMs: number): number {
  return "lengths" in lasts ? lasts.lengths * measureMs : lasts.seconds * 1_000;
}

export interface OverloadVariant extends Variant {
  readonly work: Work;
  /** Clients repeat what fails, within the budget of Synod's client library. */
  readonly repeats: boolean;
  readonly phases: readonly Phase[];
  /** Callers open a connection for each call. */
  readonly fresh?: boolean;
  /** The part of the calls that is critical, where a side knows priorities. */
  readonly critical?: number;
}

const factors = [0.2, 0.5, 0.8, 1, 1.5, 2, 5, 10];
const works: readonly (readonly [Work, string])[] = [
  ["compute", "2 ms of the processor"],
  ["transfer", "a durable command"],
];

/** Counted when it has gone on for half as long. */
function steady(times: number): readonly Phase[] {
  return [
    { times, lasts: { lengths: 0.5 } },
    { times, lasts: { lengths: 1 }, counts: true },
  ];
}

const curve: readonly OverloadVariant[] = works.flatMap(([work, words]) =>
  factors.map((times) => ({
    ...{ name: `${work}-${times}`, title: `${words}, offered ${times} times the capacity`, work, repeats: false },
    phases: steady(times),
  })),
);

/** Before, the trigger, the ten seconds in which a system has to recover, and what counts. */
function afterTrigger(name: string, title: string, work: Work, trigger: Phase): OverloadVariant {
  const times = 0.8;
  const phases: readonly Phase[] = [
    { times, lasts: { seconds: 3 } },
    trigger,
    { times, lasts: { seconds: 10 } },
    { times, lasts: { lengths: 1 }, counts: true },
  ];
  return { name, title, work, repeats: true, phases };
}

const stories: readonly OverloadVariant[] = [
  afterTrigger("after-stall", "0.8 C with repeats, after the store stood still for 2 s", "transfer", {
    ...{ times: 0.8, lasts: { seconds: stallMs / 1_000 }, trigger: "stall" },
  }),
  afterTrigger("after-3c", "0.8 C with repeats, after 3 C for a minute", "compute", {
    ...{ times: 3, lasts: { seconds: 60 }, trigger: "load" },
  }),
  {
    ...{ name: "after-10c", title: "0.8 C on the way down from 10 C", work: "compute", repeats: false },
    phases: [0.8, 2, 10, 2]
      .map((times): Phase => ({ times, lasts: { lengths: 1 } }))
      .concat([
        { times: 0.8, lasts: { lengths: 0.25 } },
        { times: 0.8, lasts: { lengths: 1 }, counts: true },
      ]),
  },
  {
    ...{ name: "critical-3c", title: "3 C, a tenth of it critical", work: "compute", repeats: false, critical: 0.1 },
    phases: steady(3),
  },
  {
    ...{ name: "fresh-2", title: "2 ms of the processor, 2 C, a connection for each call", work: "compute" },
    ...{ repeats: false, fresh: true, phases: steady(2) },
  },
];

const variants: readonly OverloadVariant[] = [...curve, ...stories];

export function overloadVariant(name: string): OverloadVariant {
  const found = variants.find((variant) => variant.name === name);
  if (found === undefined) throw new Error(`the bench overload has no variant ${name}`);
  return found;
}

export const overload: Bench = {
  name: "overload",
  summary: "goodput from 0.2 to 10 times the capacity, open loop over HTTP, and after what starts a collapse",
  unit: "good answers/s",
  variants,
  mainVariant: "compute-10",
  inRounds: true,
  runMs: ({ name }, measureMs) =>
    overloadVariant(name).phases.reduce((sum, phase) => sum + phaseMs(phase, measureMs), startMs),
  peers: ["moleculer"],
  pictures: (result: Result) =>
    Object.fromEntries(works.map(([work, words]) => [`overload-${work}.svg`, curvesOf(result, work, words, factors)])),
  page: { path: "docs/load.md", text: (result: Result) => pageOf(result, works, factors) },
  gates: (result: Result) =>
    gateLinesOf(
      result,
      works.map(([work]) => work),
      factors,
    ),
  sides: {
    synod: new URL("./synod.ts", import.meta.url),
    unshed: new URL("./unshed.ts", import.meta.url),
    fastify: new URL("./fastify.ts", import.meta.url),
    moleculer: new URL("./moleculer.ts", import.meta.url),
    limit: new URL("./limit.ts", import.meta.url),
  },
};
