/**
 * Past the capacity: calls come when they come, from processes of their own, at 0.2 to 10 times what a side can do,
 * and what counts is goodput, the answers per second that come within the caller's second. Work of two kinds: two
 * milliseconds of the processor, and a durable command that calls two others: a transfer.
 */
import type { Bench, Variant } from "../bench.ts";
import type { Result } from "../result.ts";
import { gatesOf } from "./gates.ts";
import { curvesOf } from "./picture.ts";

export type Work = "compute" | "transfer";

/** One stretch of an offered load, in times of the capacity. */
export interface Phase {
  readonly times: number;
  /** How long, in lengths of the time that counts. */
  readonly lengths: number;
  /** The one whose goodput is the result. */
  readonly counts?: boolean;
  /** The store stands still from its beginning on, for 2 s. */
  readonly stallsStore?: boolean;
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

const curve: readonly OverloadVariant[] = works.flatMap(([work, words]) =>
  factors.map((times) => ({
    name: `${work}-${times}`,
    title: `${words}, offered ${times} times the capacity`,
    work,
    repeats: false,
    phases: [
      { times, lengths: 0.5 },
      { times, lengths: 1, counts: true },
    ],
  })),
);

/** Before, trigger, ten seconds at the default length of 4 s to recover, and what counts. */
function trigger(name: string, title: string, work: Work, triggered: Phase): OverloadVariant {
  const normal = { times: 0.8, lengths: 1 };
  const phases = [normal, triggered, { times: 0.8, lengths: 2.5 }, { ...normal, counts: true }];
  return { name, title, work, repeats: true, phases };
}

const stories: readonly OverloadVariant[] = [
  trigger("after-stall", "0.8 C with repeats, after the store stood still for 2 s", "transfer", {
    ...{ times: 0.8, lengths: 0.5, stallsStore: true },
  }),
  trigger("after-3c", "0.8 C with repeats, after 3 C for a minute", "compute", { times: 3, lengths: 15 }),
  {
    ...{ name: "after-10c", title: "0.8 C on the way down from 10 C", work: "compute", repeats: false },
    phases: [0.8, 2, 10, 2]
      .map((times): Phase => ({ times, lengths: 1 }))
      .concat([
        { times: 0.8, lengths: 0.25 },
        { times: 0.8, lengths: 1, counts: true },
      ]),
  },
  {
    ...{ name: "critical-3c", title: "3 C, a tenth of it critical", work: "compute", repeats: false, critical: 0.1 },
    phases: [
      { times: 3, lengths: 0.5 },
      { times: 3, lengths: 1, counts: true },
    ],
  },
  {
    ...{ name: "fresh-2", title: "2 ms of the processor, 2 C, a connection for each call", work: "compute" },
    ...{ repeats: false, fresh: true },
    phases: [
      { times: 2, lengths: 0.5 },
      { times: 2, lengths: 1, counts: true },
    ],
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
  peers: ["moleculer"],
  pictures: (result: Result) =>
    Object.fromEntries(works.map(([work, words]) => [`overload-${work}.svg`, curvesOf(result, work, words, factors)])),
  gates: (result: Result) =>
    gatesOf(
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
