/** What the curve and its stories are measured for: Synod's gates under overload, and whether a result passes them. */
import { detailName, type Result } from "../result.ts";
import type { Work } from "./bench.ts";

/** The parts of the peak that have to be left at so many times the capacity. */
const parts: readonly (readonly [times: number, part: number])[] = [
  [2, 0.95],
  [5, 0.85],
  [10, 0.75],
];
/** What callers wait for, and so what the admitted have to be answered in. */
const objectiveMs = 1_000;
const criticalPart = 0.999;
export const recoveredPart: number = 0.95;
/** How soon goodput is back when the trigger is gone, seconds. */
const recoveredSeconds = 10;
const amplificationMax = 1.2;
/** The way down is as good as the way up, but for chance. */
const wayDownPart = 0.97;

/** One line for each gate of what was measured. */
export function gatesOf(result: Result, works: readonly Work[], factors: readonly number[]): readonly string[] {
  const own = result.sides.synod ?? {};
  const value = (variant: string, detail?: string): number | undefined =>
    own[detail === undefined ? variant : detailName(variant, detail)]?.median;
  const lines: string[] = [];
  const gate = (what: string, is: number | undefined, bound: number, most = false): void => {
    if (is === undefined) return;
    const passed = most ? is <= bound : is >= bound;
    const figure = Number(is.toPrecision(4));
    lines.push(`${passed ? "passed" : "FAILED"}: ${what}: ${figure}, to be ${most ? "at most" : "at least"} ${bound}`);
  };
  for (const work of works) {
    // Of medians: the highest sample of many runs would be the luckiest one.
    const peak = Math.max(...factors.map((times) => value(`${work}-${times}`) ?? 0));
    for (const [times, part] of parts) {
      const good = value(`${work}-${times}`);
      gate(`${work}, goodput at ${times}C over the peak`, good === undefined ? undefined : good / peak, part);
      gate(
        `${work}, p99 of the admitted at ${times}C, ms`,
        value(`${work}-${times}`, "p99 of the admitted"),
        objectiveMs,
        true,
      );
    }
  }
  gate("critical calls that are answered at 3C", value("critical-3c", "good of the critical"), criticalPart);
  for (const story of ["after-stall", "after-3c"]) {
    gate(`${story}, answered of what was offered`, value(story, "good"), recoveredPart);
    gate(`${story}, back after, s`, value(story, "back after"), recoveredSeconds, true);
    gate(`${story}, attempts per call`, value(story, "attempts per call"), amplificationMax, true);
  }
  const [down, up] = [value("after-10c", "good"), value("compute-0.8", "good")];
  gate(
    "0.8C after 10C over 0.8C on the way up",
    down === undefined || up === undefined ? undefined : down / up,
    wayDownPart,
  );
  return lines;
}
