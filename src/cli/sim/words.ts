/** What `synod sim` says of its runs. */
import type { CampaignReport, LostRun } from "../../simulation/campaign.ts";
import { type Case, encodeCase } from "../../simulation/case.ts";
import { describeFault, faultKinds } from "../../simulation/faults.ts";
import { type Reachable, reachable } from "../../simulation/reached.ts";
import type { Failure } from "../../simulation/shrink/shrink.ts";
import type { RunResult } from "../../simulation/simulate.ts";
import { type Mark, marks } from "../../values/marks.ts";
import { counted } from "../table.ts";

/** How a run is run again. */
export interface Replay {
  readonly file: string;
  readonly mutation: string | undefined;
  /** What `--only` was given, if it was. */
  readonly only: string | undefined;
}

/** Words for `--only` that are longer than this want a file, characters. */
const wordLengthMax = 4_000;
/** Faults, and operations, that are listed. */
const listedMax = 12;

export function wordsOfFailure(result: RunResult, replay: Replay): string {
  const [first] = result.violations;
  return [
    `seed ${result.seed} breaks a promise: ${first?.promise}, after ${duration(first?.at ?? 0)}`,
    ...(first?.text ?? "").split("\n").map((line) => `  ${line}`),
    `replay it: ${replayLine(replay, result.seed)} --trace`,
  ].join("\n");
}

export function wordsOfLost({ seed, reason }: LostRun, replay: Replay): string {
  return `seed ${seed} came to no result: ${reason}\nalone: ${replayLine(replay, seed)}`;
}

export function replayLine({ file, mutation, only }: Replay, seed: number): string {
  const defect = mutation === undefined ? "" : ` --mutation ${mutation}`;
  return `synod sim ${file} ${only === undefined ? `--seed ${seed}` : `--only '${only}'`}${defect}`;
}

/** What is left of a run, and the line that runs just that. */
export function wordsOfShrunk({ case: small, violation }: Failure, whole: RunResult, replay: Replay): string {
  const before = `${counted(whole.plan.length, "fault")} and ${counted(whole.asked.length, "operation")}`;
  const clients = new Set(small.operations.map(({ client }) => client)).size;
  const word = encodeCase(small);
  const line = replayLine({ ...replay, only: word }, small.seed);
  return [
    `what is left of ${before} when all is gone that can: ${counted(small.plan.length, "fault")} and ${counted(small.operations.length, "operation")} of ${counted(clients, "client")}`,
    ...wordsOfCase(small).map((text) => `  ${text}`),
    ...violation.text.split("\n").map((text) => `  ${text}`),
    word.length <= wordLengthMax ? `replay that: ${line} --trace` : "to replay that, save it: --save FILE.json",
  ].join("\n");
}

/** Instead of what is left: its operations may not be what breaks the promise, or no run of them came to a result. */
export const wordsOfNoCase =
  "it was not seen to fail as a list of its operations, so that nothing of it can be left out: replay it by its seed";

function wordsOfCase({ plan, operations, fairWeather }: Case): string[] {
  const asked = operations.map(({ client, at, request, calm }) => {
    const { service, key, operation, input } = request;
    const when = calm === true ? "when all is calm" : `at ${at.toFixed(0)} ms`;
    const entity = key === undefined ? service : `${service}/${key}`;
    return `client-${client + 1} ${when}: ${operation}${input === undefined ? "" : ` ${JSON.stringify(input)}`} on ${entity}`;
  });
  return [
    ...bounded(plan.map((fault) => describeFault(fault))),
    ...bounded(asked),
    ...(fairWeather ? [] : ["in the weather of the seed: messages and answers of the store are late, or get lost"]),
  ];
}

function bounded(lines: readonly string[]): readonly string[] {
  const left = lines.length - listedMax;
  return left <= 0 ? lines : [...lines.slice(0, listedMax), `and ${left} more`];
}

/** `unasked`: what no client asked for, with the reason. */
export function wordsOfReport(report: CampaignReport, ms: number, unasked: readonly string[]): string {
  const { operations, faults } = report;
  // One that ended early came to little, which says nothing.
  const ended = report.failure !== undefined || report.lost !== undefined;
  const injected = Object.entries(faults).sort(([, a], [, b]) => b - a);
  // These happen where the scenario has a release to change to, durable commands, or windows shorter than a run.
  const apart: readonly string[] = ["upgrade", "newCode", "outage"];
  const never = faultKinds.filter((kind) => !apart.includes(kind) && faults[kind] === undefined);
  return [
    `  simulated   ${duration(report.simulatedMs)} in ${duration(ms)}, ${(report.runs / (ms / 1_000)).toFixed(1)} runs/s`,
    `  operations  ${operations.ok} answered, ${operations.fail} did not happen, ${operations.info} unknown`,
    `  checked     ${report.checks} answers, ${report.commits} commits`,
    `  faults      ${injected.map(([kind, count]) => `${kind} ${count}`).join(", ") || "none"}`,
    ...(never.length > 0 && !ended ? [`  never       ${never.join(", ")}`] : []),
    ...(Object.keys(reachable) as Reachable[])
      .filter((what) => report.reached[what] > 0)
      .map((what) => `  came to     ${report.reached[what]} ${reachable[what]}`),
    ...(ended ? [] : wordsOfMarks(report)),
    ...unasked.map((one) => `  not asked   ${one}`),
  ].join("\n");
}

/** Rare branches of the runtime: how many were reached, and which were not. */
function wordsOfMarks(report: CampaignReport): string[] {
  const all = Object.keys(marks) as Mark[];
  const missed = all.filter((mark) => report.marks[mark] === undefined);
  const reached = `  branches    ${all.length - missed.length} of ${all.length} rare ones of the runtime`;
  return missed.length === 0 ? [reached] : [reached, `  unreached   ${missed.join(", ")}`];
}

export function duration(ms: number): string {
  if (ms < 10_000) return `${(ms / 1_000).toFixed(1)} s`;
  if (ms < 600_000) return `${Math.round(ms / 1_000)} s`;
  return ms < 36_000_000 ? `${Math.round(ms / 60_000)} min` : `${(ms / 3_600_000).toFixed(1)} h`;
}
