/** What the curve and its stories are measured for: Synod's gates under overload, and whether a result passes them. */
import { detailName, type Result } from "../result.ts";
import type { Work } from "./bench.ts";

/** The parts of the peak that have to be left at so many times the capacity. */
const parts: readonly (readonly [times: number, part: number])[] = [
  [2, 0.95],
  [5, 0.85],
  [10, 0.75],
];
/** Of calls that were sent, the part whose callers may have heard nothing when their time is over: neither an answer nor a refusal. */
const unheardPart = 0.01;
const criticalPart = 0.999;
export const recoveredPart: number = 0.95;
/** How soon goodput is back when the trigger is gone, seconds. */
const recoveredSeconds = 10;
const amplificationMax = 1.2;
/** The way down is as good as the way up, but for chance. */
const wayDownPart = 0.97;

/**
 * Of the answers that came within the callers' second. It is shown and no gate: what comes later is not among them, so that it never is more than
 * that second.
 */
export const p99Detail = "p99 of the good";
export const unheardDetail = "heard nothing in time";

/** What Synod is to reach, and what it did. */
export interface Gate {
  readonly what: string;
  /** The variant by which it is measured. */
  readonly variant: string;
  readonly is: number;
  readonly bound: number;
  /** The bound is the most, and not the least. */
  readonly most: boolean;
  readonly passed: boolean;
  /** Whether what it is measured by is not to be quoted. */
  readonly doubtful: boolean;
}

/** Nothing is passed by what is doubtful. */
export function verdictOf({ passed, doubtful }: Gate): string {
  if (!passed) return "FAILED";
  return doubtful ? "doubtful" : "passed";
}

/** One line for each gate of what was measured. */
export function gateLinesOf(result: Result, works: readonly Work[], factors: readonly number[]): readonly string[] {
  return gatesOf(result, works, factors).map((gate) => {
    const { what, is, bound, most } = gate;
    return `${verdictOf(gate)}: ${what}: ${is}, to be at ${most ? "most" : "least"} ${bound}`;
  });
}

export function gatesOf(result: Result, works: readonly Work[], factors: readonly number[]): readonly Gate[] {
  const own = result.sides.synod ?? {};
  const value = (variant: string, detail?: string): number | undefined =>
    own[detail === undefined ? variant : detailName(variant, detail)]?.median;
  const curve = works.flatMap((work) => {
    // Of medians: the highest sample of many runs would be the luckiest one.
    const peak = Math.max(...factors.map((times) => value(`${work}-${times}`) ?? 0));
    return parts.flatMap(([times, part]) => {
      const variant = `${work}-${times}`;
      const good = value(variant);
      const unheard = value(variant, unheardDetail);
      return [
        ...least(`${work}, goodput at ${times}C over the peak`, variant, good && good / peak, part),
        ...most(`${work}, heard nothing in time at ${times}C`, variant, unheard, unheardPart),
      ];
    });
  });
  const critical = value("critical-3c", "good of the critical");
  const recovered = ["after-stall", "after-3c"].flatMap((story) => [
    ...least(`${story}, answered of what was offered`, story, value(story, "good"), recoveredPart),
    ...most(`${story}, back after, s`, story, value(story, "back after"), recoveredSeconds),
    ...most(`${story}, attempts per call`, story, value(story, "attempts per call"), amplificationMax),
  ]);
  const [down, up] = [value("after-10c", "good"), value("compute-0.8", "good")];
  const gates = [
    ...curve,
    ...least("critical calls that are answered at 3C", "critical-3c", critical, criticalPart),
    ...recovered,
    ...least("0.8C after 10C over 0.8C on the way up", "after-10c", down && up && down / up, wayDownPart),
  ];
  return gates.map((gate) => ({ ...gate, doubtful: own[gate.variant]?.doubt !== undefined }));
}

type Bounded = Omit<Gate, "doubtful">;

/** Nothing is said of what was not measured. */
function least(what: string, variant: string, is: number | undefined, bound: number): readonly Bounded[] {
  if (is === undefined) return [];
  return [{ what, variant, is: Number(is.toPrecision(4)), bound, most: false, passed: is >= bound }];
}

function most(what: string, variant: string, is: number | undefined, bound: number): readonly Bounded[] {
  if (is === undefined) return [];
  return [{ what, variant, is: Number(is.toPrecision(4)), bound, most: true, passed: is <= bound }];
}
