/**
 * The judgement of a history by the checkers, each on its part of it. Run as a program it judges one file:
 * `node --conditions=synod-source tests/cluster/workload/judgement.ts HISTORY.jsonl`.
 */
import { Worker } from "node:worker_threads";
import { checkAppendList } from "../../../src/simulation/checkers/append-list.ts";
import { checkBank } from "../../../src/simulation/checkers/bank.ts";
import { checkCounterBounds, counterModel } from "../../../src/simulation/checkers/counter.ts";
import { checkLinearizability } from "../../../src/simulation/checkers/linearizability.ts";
import { registerModel } from "../../../src/simulation/checkers/register.ts";
import { checkSends } from "../../../src/simulation/checkers/sends.ts";
import { formatVerdict, type Verdict } from "../../../src/simulation/checkers/verdict.ts";
import type { HistoryEvent } from "../../../src/simulation/history.ts";
import { readHistoryFile } from "../../../src/simulation/history-file.ts";
import { type Operation, pairOperations } from "../../../src/simulation/operations.ts";
import { initialBalance } from "../interfaces.ts";
import { accountsOf, type WorkloadName } from "./moves.ts";

/** Of the searches for a linear order, with their explanations; then they are undecided, which counts as a failure. */
const searchMaxMs = 30_000;

/** The verdict of every checker on a history as far as it goes. */
export function judge(history: Iterable<HistoryEvent>): readonly Verdict[] {
  const operations = pairOperations(history);
  const end = performance.now() + searchMaxMs;
  const expired = (): boolean => performance.now() > end;
  return [
    ...quickVerdicts(operations),
    checkLinearizability(ofWorkload(operations, "register"), registerModel(), { expired }),
    checkLinearizability(ofWorkload(operations, "counter"), counterModel(), { expired }),
  ];
}

/** What can be told at once of a file that this thread writes. */
export function judgeQuickly(path: string): readonly Verdict[] {
  return quickVerdicts(pairOperations(readHistoryFile(path)));
}

/** The verdicts of the checkers that take one look. */
function quickVerdicts(operations: readonly Operation[]): readonly Verdict[] {
  return [
    checkCounterBounds(ofWorkload(operations, "counter")),
    checkAppendList(ofWorkload(operations, "list")),
    checkSends([...ofWorkload(operations, "mailer"), ...ofWorkload(operations, "inbox")]),
    bankVerdict(ofWorkload(operations, "bank")),
  ];
}

function ofWorkload(operations: readonly Operation[], name: WorkloadName | "inbox"): Operation[] {
  return operations.filter(({ key }) => key!.startsWith(`${name}-`));
}

function bankVerdict(operations: readonly Operation[]): Verdict {
  const verdicts = [...Map.groupBy(operations, ({ key }) => key!)].map(([bank, ofBank]) =>
    checkBank(ofBank, Object.fromEntries(accountsOf(bank).map((account) => [account, initialBalance]))),
  );
  const findings = verdicts.flatMap((verdict) => verdict.findings);
  const status = findings.length === 0 ? "holds" : "broken";
  return { promise: "bank", status, operations: operations.length, findings };
}

/**
 * The same for a file that this thread writes, in a thread of its own, so that clients and proxies of this one go on. It is
 * read here, at once: so no line is half written.
 */
export async function judgeApart(path: string): Promise<readonly Verdict[]> {
  const { promise, resolve, reject } = Promise.withResolvers<readonly Verdict[]>();
  const worker = new Worker(new URL("./judging-thread.ts", import.meta.url), { workerData: readHistoryFile(path) });
  worker.once("message", resolve);
  worker.once("error", reject);
  worker.once("exit", (code) => reject(new Error(`the judging thread ended with ${code}`)));
  return await promise;
}

if (import.meta.main) {
  const [path] = process.argv.slice(2);
  if (path === undefined) throw new Error("say which history: judgement.ts HISTORY.jsonl");
  const verdicts = judge(readHistoryFile(path));
  for (const verdict of verdicts) console.log(formatVerdict(verdict));
  process.exitCode = verdicts.every(({ status }) => status === "holds") ? 0 : 1;
}
