/** `synod drill`: injects faults into a running system while callers use it, and says what they felt and what was lost. */
import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { drill as runDrill } from "../../drill/drill.ts";
import { type FaultKind, faultKinds, faultLastsMaxMs, isFaultKind } from "../../drill/fault.ts";
import { pageOf, picturesOf } from "../../drill/page.ts";
import { type DrillReport, isProven } from "../../drill/report.ts";
import { faultColumns, faultRows, headlineOf, sentencesOf } from "../../drill/words.ts";
import { defaultFolder } from "../../host/store-location.ts";
import { loadScenario } from "../../simulation/scenario-file.ts";
import { parseDuration } from "../../values/durations.ts";
import { exitCodes, UsageError } from "../exit.ts";
import { headersFrom } from "../header-option.ts";
import { onInterrupt } from "../interrupt.ts";
import { table } from "../table.ts";
import { runningAt, startedFor } from "./systems.ts";

export interface DrillCommandOptions {
  readonly faults: string;
  readonly minutes: number;
  readonly every: string;
  readonly lasts: string;
  readonly rate: number;
  readonly timeout: string;
  readonly keys: number;
  readonly nodes?: number;
  readonly store?: string;
  readonly scenario?: string;
  readonly header: readonly string[];
  readonly ledgerOnly: boolean;
  readonly seed: number;
  readonly history?: string;
  readonly html?: string;
  readonly pictures?: string;
  readonly json: boolean;
}

const nodesDefault = 3;
const everyMinMs = 1_000;

/** Exit code 1 when a promise was broken, or when nobody can tell whether one was. */
export async function drill(target: string, options: DrillCommandOptions): Promise<number> {
  const url = /^https?:\/\//.test(target) ? new URL(target) : undefined;
  if (url && (options.nodes !== undefined || options.store !== undefined)) {
    throw new UsageError(
      "--nodes and --store need a system that this command starts itself: give its file instead of a URL.",
    );
  }
  const faults = readFaults(options.faults);
  const everyMs = parseDuration(options.every, "--every");
  if (everyMs < everyMinMs)
    throw new UsageError(`There is at least ${everyMinMs} ms between faults: give --every 20s, say.`);
  const faultLastsMs = parseDuration(options.lasts, "--lasts");
  const lasting = faults.some((kind) => kind === "pause" || kind === "slow-store");
  if (lasting && faultLastsMs > Math.min(everyMs, faultLastsMaxMs)) {
    const sentence = `A fault lasts no longer than it takes until the next one, and ${faultLastsMaxMs} ms at the most: give a smaller --lasts.`;
    throw new UsageError(sentence);
  }
  const scenario = options.scenario === undefined ? undefined : await loadScenario(options.scenario);
  const ending = new AbortController();
  // Not to be cut short in the middle of the reading back.
  onInterrupt({ first: () => ending.abort(), again: () => process.exit(130) });
  await using opened = url
    ? await runningAt(url)
    : await startedFor(target, options.nodes ?? nodesDefault, options.store);
  const report = await runDrill({
    system: opened.system,
    faults,
    lastsMs: options.minutes * 60_000,
    everyMs,
    faultLastsMs,
    perSecond: options.rate,
    timeoutMs: parseDuration(options.timeout, "--timeout"),
    keys: options.keys,
    headers: headersFrom(options.header),
    ...(scenario && { work: scenario.workload }),
    ledgerOnly: options.ledgerOnly,
    seed: options.seed,
    history: options.history ?? (await newHistory(opened.system.name)),
    onProgress: (words) => process.stderr.write(`${words}\n`),
    signal: ending.signal,
  });
  if (options.html !== undefined) await writeFile(options.html, pageOf(report));
  if (options.pictures !== undefined) await writePictures(options.pictures, report);
  process.stdout.write(options.json ? `${JSON.stringify(report)}\n` : summaryOf(report));
  return isProven(report) ? exitCodes.done : exitCodes.failed;
}

function readFaults(text: string): readonly FaultKind[] {
  return text.split(",").map((word) => {
    if (isFaultKind(word)) return word;
    throw new UsageError(`${JSON.stringify(word)} is no fault: give some of ${faultKinds.join(",")}.`);
  });
}

async function newHistory(system: string): Promise<string> {
  await mkdir(defaultFolder, { recursive: true });
  const time = new Date().toISOString().replaceAll(/[:.]/g, "-");
  return join(defaultFolder, `drill-${system}-${time}.jsonl`);
}

async function writePictures(folder: string, report: DrillReport): Promise<void> {
  await mkdir(folder, { recursive: true });
  for (const [name, picture] of Object.entries(picturesOf(report))) {
    await writeFile(join(folder, `drill-${name}.svg`), picture);
  }
}

function summaryOf(report: DrillReport): string {
  const sentences = sentencesOf(report).map((words) => `  ${words}\n`);
  const rows = faultRows(report);
  const faults = rows.length === 0 ? "" : `\n${table(faultColumns, rows)}`;
  return `${headlineOf(report)}\n${sentences.join("")}${faults}\nhistory: ${report.history}\n`;
}
