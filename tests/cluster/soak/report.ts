/** What a soak found, as data and in words. */
import { formatVerdict, type Verdict } from "../../../src/simulation/checkers/verdict.ts";

/** What one kind of fault did; gaps in ms, the longest that a key did not answer in a period in which it struck. */
export interface FaultFigures {
  readonly kind: string;
  readonly struck: number;
  /** In periods in which nothing else struck; null when there was none. */
  readonly worstGapAloneMs: number | null;
  readonly worstGapMs: number | null;
}

export interface SoakReport {
  readonly seed: number;
  readonly seconds: number;
  readonly defect: string | null;
  readonly operations: number;
  readonly probes: number;
  readonly periods: { readonly all: number; readonly quiet: number };
  readonly faults: readonly FaultFigures[];
  /** In the quiet periods. */
  readonly quietWorstGapMs: number | null;
  /** After the last fault of a period: until every node serves its part and every key answers. */
  readonly recoveryWorstMs: number;
  /** Operations that ended without a reply, by the kind of client. */
  readonly failures: Readonly<Record<string, number>>;
  /** Kinds of faults that this machine does not allow, and why. */
  readonly leftOut: readonly string[];
  readonly verdicts: readonly Verdict[];
  /** What went wrong besides: the system did not come back, or ended. */
  readonly troubles: readonly string[];
  /** Where the histories are. */
  readonly folder: string;
  readonly held: boolean;
}

/** Whether every promise was checked and holds. */
export function isHeld(verdicts: readonly Verdict[], troubles: readonly string[]): boolean {
  const isChecked = verdicts.length > 0 && verdicts.every(({ operations }) => operations > 0);
  return troubles.length === 0 && isChecked && verdicts.every(({ status }) => status === "holds");
}

export function inWords(report: SoakReport): string {
  const { operations, periods, seconds, faults, failures, leftOut, verdicts, troubles } = report;
  const ms = (value: number | null): string => (value === null ? "-" : `${Math.round(value)} ms`);
  const row = (cells: readonly string[]): string =>
    `  ${cells[0]!.padEnd(26)}${cells
      .slice(1)
      .map((cell) => cell.padStart(14))
      .join("")}`;
  const failed = Object.entries(failures).map(([kind, count]) => `${kind} ${count}`);
  return [
    `${operations} operations in ${Math.round(seconds)} s, ${periods.all} periods, ${periods.quiet} of them quiet`,
    `without a reply in the end: ${failed.join(", ")}`,
    "the longest that a key did not answer:",
    row(["fault", "struck", "alone", "with others"]),
    ...faults.map(({ kind, struck, worstGapAloneMs, worstGapMs }) =>
      row([kind, String(struck), ms(worstGapAloneMs), ms(worstGapMs)]),
    ),
    row(["(none)", "", ms(report.quietWorstGapMs), ""]),
    `after its faults a period was whole again within ${ms(report.recoveryWorstMs)}`,
    ...leftOut.map((text) => `left out: ${text}`),
    ...verdicts.map(formatVerdict),
    ...troubles.map((text) => `trouble: ${text}`),
    report.held
      ? `every promise held (seed ${report.seed})`
      : `NOT every promise held: the histories are in ${report.folder}`,
  ].join("\n");
}
