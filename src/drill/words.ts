/** The report in words and rows, the same on the terminal and on the page. */
import type { FaultKind } from "./fault.ts";
import type { Counted } from "./ledger.ts";
import { type Comparison, type DrillReport, type FaultReport, isBroken, isProven, type Ratio } from "./report.ts";

export const faultColumns: readonly string[] = ["fault", "times", "longest wait", "longest silence", "failed requests"];

/** One row for each kind of fault. */
export function faultRows({ faults }: DrillReport): string[][] {
  return [...Map.groupBy(faults, ({ kind }) => kind)].map(([kind, all]) => rowOf(kind, all));
}

function rowOf(kind: FaultKind, all: readonly FaultReport[]): string[] {
  const longest = (of: (fault: FaultReport) => number): number => Math.max(...all.map(of));
  return [
    kind,
    String(all.length),
    wait(longest(({ longestWaitMs }) => longestWaitMs)),
    wait(longest(({ silenceMs }) => silenceMs)),
    count(all.reduce((sum, { failed }) => sum + failed, 0)),
  ];
}

export function headlineOf(report: DrillReport): string {
  const { system, nodes, requests, faults } = report;
  const many = faults.length === 1 ? "1 fault" : `${faults.length} faults`;
  return `${system} on ${nodes} ${nodes === 1 ? "node" : "nodes"}, ${many} in ${report.minutes.toFixed(1)} min: ${percent(requests.availability)} of ${count(requests.good + requests.bad)} requests were answered well; ${verdictOf(report)}.`;
}

function verdictOf(report: DrillReport): string {
  if (isBroken(report)) return "PROMISES WERE BROKEN";
  if (isProven(report)) return "nothing was lost, and nothing took effect twice";
  return "WHETHER SOMETHING WAS LOST COULD NOT BE VERIFIED";
}

export function sentencesOf(report: DrillReport): string[] {
  const { requests, ledger, repeats, order, skipped, unasked } = report;
  const failures = Object.entries(requests.failures).map(([code, times]) => `${code} ${count(times)}`);
  return [
    `Nines: ${ninesWords(requests)}. It took ${(requests.attempts / Math.max(1, requests.good + requests.bad)).toFixed(3)} HTTP requests for each.`,
    failures.length === 0 ? "No request failed." : `Failed: ${failures.join(", ")}.`,
    `Ledger: of ${count(ledger.appended)} entries ${count(ledger.acknowledged)} were acknowledged and ${count(ledger.unknown)} unknown; read back were ${count(ledger.found)}: ${named("twice", ledger.duplicates)}, ${named("lost", ledger.lost)}, ${named("never asked for", ledger.unasked)}${ledger.unread > 0 ? `; ${ledger.unread} PAGES COULD NOT BE READ` : ""}.`,
    ...order.map((words) => `The order of the ledger is wrong: ${words}`),
    repeatWords(report),
    ...(repeats.tooOld > 0 ? [`Of these commands ${count(repeats.tooOld)} were too old to be asked for again.`] : []),
    ...(repeats.unanswered.count > 0 ? [`Not repeated: ${named("commands", repeats.unanswered)}.`] : []),
    ...(skipped > 0
      ? [`${skipped} faults were left out: not all nodes served then, or the system did not take them.`]
      : []),
    ...report.comparisons.map(comparisonWords),
    ...(report.comparisons.length === 0 ? ["The availability meter could not be asked what it has counted."] : []),
    ...unasked.map((reason) => `Not asked for: ${reason}`),
  ];
}

function repeatWords({ repeats }: DrillReport): string {
  if (repeats.repeated === 0) return "No command of the system's own services was acknowledged, so none was repeated.";
  return `Acknowledged commands of the system's own services, repeated under their idempotency keys: ${count(repeats.repeated)}, of which ${count(repeats.replayed)} got their first answer again; ${named("lost", repeats.lost)}.`;
}

function comparisonWords({ what, drill, meter, cut, agree }: Comparison): string {
  const figures = (ratio: Ratio | undefined): string =>
    ratio === undefined ? "nothing" : `${percent(ratio.availability)} of ${count(ratio.good + ratio.bad)}`;
  const verdict = agree === undefined ? "one of them counted nothing" : agree ? "they agree" : "THEY DO NOT AGREE";
  const besides = cut === 0 ? "" : ` (and ${count(cut)} cut unanswered, which nodes may have counted as bad)`;
  return `Counted by the drill and by the availability meter, ${what}: ${figures(drill)}${besides}; ${figures(meter)}. Within their bounds (95 %) ${verdict}.`;
}

function ninesWords({ nines, ninesAtLeast }: Ratio): string {
  return `${nines === null ? "all" : nines.toFixed(2)}, with 95 % confidence at least ${ninesAtLeast.toFixed(2)}`;
}

function named(what: string, { count: many, first }: Counted): string {
  if (many === 0) return `${what} 0`;
  return `${what.toUpperCase()} ${count(many)} (${first.join(", ")}${many > first.length ? ", …" : ""})`;
}

function percent(part: number): string {
  return `${(100 * part).toFixed(4).replace(/\.?0+$/, "")} %`;
}

function count(value: number): string {
  return Math.round(value).toLocaleString("en");
}

export function wait(ms: number): string {
  return ms < 1_000 ? `${ms.toFixed(0)} ms` : `${(ms / 1_000).toFixed(2)} s`;
}
