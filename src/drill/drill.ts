/**
 * A drill: the whole of `synod drill` but for starting systems and printing. Callers ask, faults strike, and when it is quiet
 * again everything is read back. Whoever runs it brings the running system and a way to injure it.
 */
import { loadavg } from "node:os";
import type { AvailabilityReport } from "../availability/report.ts";
import { type Asks, type DescribedOperation, findAsks, type Work } from "../capacity/asks.ts";
import type { AnyInterface } from "../service/model.ts";
import { checkAppendList } from "../simulation/checkers/append-list.ts";
import { HistoryRecorder } from "../simulation/history.ts";
import { HistoryFile, readHistoryFile } from "../simulation/history-file.ts";
import { pairOperations } from "../simulation/operations.ts";
import { createPrng } from "../values/prng.ts";
import { AnswerCounts, DrillCaller, interfacesFrom } from "./callers.ts";
import type { FaultKind, FaultOrder } from "./fault.ts";
import { injectFaults, sleep, untilWhole } from "./injection.ts";
import { Ledger, ledgerService } from "./ledger.interface.ts";
import { LedgerBook } from "./ledger.ts";
import { DrillLoad } from "./load.ts";
import { comparisonsOf, type DrillReport, faultsOf, isProven, requestsOf, secondsOf } from "./report.ts";
import { forgetLedger, readLedger, repeatAll } from "./verification.ts";

/** A running system that takes part in drills. */
export interface DrilledSystem {
  readonly name: string;
  readonly url: URL;
  /** Its nodes, and whether they serve. */
  readonly nodes: () => Promise<readonly { readonly id: string; readonly serves: boolean }[]>;
  readonly strike: (order: FaultOrder) => Promise<void>;
  readonly availability: () => Promise<AvailabilityReport>;
}

export interface DrillOptions {
  readonly system: DrilledSystem;
  readonly faults: readonly FaultKind[];
  readonly lastsMs: number;
  readonly everyMs: number;
  /** How long pauses and slowness of the store last. */
  readonly faultLastsMs: number;
  readonly perSecond: number;
  readonly timeoutMs: number;
  readonly keys: number;
  readonly headers: Readonly<Record<string, string>>;
  /** What is asked for instead of generated requests. */
  readonly work?: Work;
  /** Whether only the ledger is asked, and nothing of the system's own services. */
  readonly ledgerOnly: boolean;
  readonly seed: number;
  /** Where the history goes. */
  readonly history: string;
  readonly onProgress: (words: string) => void;
  /** Ends the drill early; what was seen until then is reported. */
  readonly signal: AbortSignal;
}

/** How long all nodes may take to serve again before what is left is read back all the same. */
const wholeMaxMs = 30_000;
/** When the meter has counted all requests there were: it asks the nodes every 2 s. */
const meterLooksMs = 2_500;
/** When its probes have been judged, too: slices settle after 4 s. */
const meterSettlesMs = 7_000;

export async function drill(options: DrillOptions): Promise<DrillReport> {
  const { system, url, history } = { ...options, url: options.system.url };
  const loadAverage = loadavg()[0]!;
  const { headers, timeoutMs, keys, work, ledgerOnly, perSecond } = options;
  const asks = ledgerOnly ? undefined : await findAsks({ url, headers, timeoutMs, keys, ...(work && { work }) });
  using file = new HistoryFile(history);
  const started = process.hrtime.bigint();
  const recorder = new HistoryRecorder({
    now: () => Number(process.hrtime.bigint() - started),
    emit: (event) => file.append(event),
  });
  const interfaces = interfacesOf(asks);
  // What was tried to find out what can be asked for is no part of the drill.
  await sleep(meterLooksMs);
  const before = await system.availability();
  const book = new LedgerBook(`drill-${started.toString(36)}`);
  const prng = createPrng(options.seed);
  const answers = new AnswerCounts();
  const load = new DrillLoad({ url, headers, timeoutMs, interfaces, answers, perSecond, prng, recorder, book, asks });
  const { struck, skipped } = await injectFaults(options, load, recorder, createPrng(options.seed + 1));
  const endedAt = load.now;
  await load.stop();
  options.onProgress("waiting until all nodes serve again");
  const { nodes } = await untilWhole(system, wholeMaxMs);
  await sleep(meterSettlesMs);
  // What was acknowledged is read back all the same.
  const after = await system.availability().catch(() => undefined);
  const callers = (): DrillCaller =>
    new DrillCaller({ url, headers, timeoutMs, interfaces, history: recorder.client() });
  options.onProgress(`reading back ${book.pages.length} pages and repeating ${load.acknowledged.length} commands`);
  const ledger = await readLedger(book, callers);
  const repeats = await repeatAll(load.acknowledged, callers);
  file.flush();
  const order = orderOf(history);
  const { calls } = load;
  const report: DrillReport = {
    ...{ system: system.name, at: new Date().toISOString(), nodes: nodes.length, seed: options.seed, loadAverage },
    ...{ minutes: endedAt / 60_000, perSecond, timeoutMs, ledger, repeats, order, skipped, history },
    operations: [...new Set(calls.map(({ name }) => name))].sort(),
    unasked: asks?.unasked ?? [],
    requests: requestsOf(calls),
    faults: faultsOf(struck, calls, endedAt),
    comparisons: after === undefined ? [] : comparisonsOf({ calls, answers }, before, after),
    seconds: secondsOf(calls),
  };
  // What shows a broken promise stays where it is, and so does what may show one when it can be read again.
  if (isProven(report)) await forgetLedger(book, callers);
  return report;
}

/** Of everything that is asked for, and of the ledger. */
function interfacesOf(asks: Asks | undefined): ReadonlyMap<string, AnyInterface> {
  const operations: readonly DescribedOperation[] = asks?.operations ?? [];
  return interfacesFrom(operations).set(ledgerService, Ledger);
}

/** What the checker of append-only lists finds in the ledger's part of the history. */
function orderOf(history: string): readonly string[] {
  const own = pairOperations(readHistoryFile(history)).filter(({ f }) => f === "append" || f === "read");
  return checkAppendList(own).findings.map(({ text }) => text);
}
