/**
 * The counter: `add AMOUNT` (an integer; it may answer the new total) and `read`. The model is exact; the
 * bounds check is the fast one for long histories: what was acknowledged before a read began is in it, and
 * nothing is in it that was not attempted before the read ended.
 */
import type { Operation } from "../operations.ts";
import { type Call, type Model, refused, unknownOperation } from "./model.ts";
import { withHighestBefore } from "./real-time.ts";
import { Findings, locate, type Verdict } from "./verdict.ts";

export function counterModel(initial = 0): Model<number> {
  return {
    name: "counter",
    init: () => initial,
    step(state, call, reply) {
      const total = call.f === "read" ? state : state + amountOf(call);
      const answered = typeof reply?.value === "number" || (call.f === "read" && reply !== undefined);
      return answered && reply?.value !== total ? refused : { ok: true, state: total };
    },
    stateKey: (state) => state,
    readOnly: (call) => call.f === "read",
    describe: (state) => String(state),
  };
}

function amountOf(call: Call): number {
  if (call.f !== "add" || !Number.isSafeInteger(call.value)) throw unknownOperation("counter", call);
  return call.value as number;
}

/**
 * Sum of acknowledged <= read <= sum of attempted, for each read of each key, and no read goes back where all
 * amounts are positive. Once no outcome is unknown, the bounds of a read in a quiet moment meet.
 */
export function checkCounterBounds(operations: readonly Operation[]): Verdict {
  const findings = new Findings();
  for (const [key, ofKey] of Map.groupBy(operations, (operation) => operation.key)) checkKey(key, ofKey, findings);
  return findings.verdict("counter within its bounds", operations.length);
}

function checkKey(key: string | null, operations: readonly Operation[], findings: Findings): void {
  const happened = operations.filter((operation) => operation.outcome !== "fail");
  const adds = happened.filter((operation) => operation.f !== "read");
  const amounts = adds.map(amountOf);
  const reads = happened.filter((operation) => operation.f === "read" && operation.reply !== undefined);
  const attempted = runningSum(adds.map((add, position) => ({ at: add.invokedAt, amount: amounts[position]! })));
  const acknowledged = runningSum(adds.map((add, position) => ({ at: add.completedAt, amount: amounts[position]! })));
  for (const read of reads) {
    const low = acknowledged.gains(read.invokedAt) + attempted.losses(read.completedAt);
    const high = attempted.gains(read.completedAt) + acknowledged.losses(read.invokedAt);
    const total = read.reply!.value;
    if (typeof total === "number" && total >= low && total <= high) continue;
    findings.add(key, `counter ${key}: ${locate(read)}, but it must be from ${low} to ${high}`);
  }
  if (amounts.every((amount) => amount >= 0)) checkGrowing(key, reads, findings);
}

/** The sum of the positive and of the negative amounts before an instant. */
function runningSum(changes: readonly { readonly at: number; readonly amount: number }[]) {
  const ordered = changes.toSorted((a, b) => (a.at < b.at ? -1 : 1));
  const sums = (part: (amount: number) => number) => {
    const sumAfter = [0];
    for (const { amount } of ordered) sumAfter.push(sumAfter.at(-1)! + part(amount));
    return (instant: number): number => sumAfter[countBefore(ordered, instant)]!;
  };
  return { gains: sums((amount) => Math.max(amount, 0)), losses: sums((amount) => Math.min(amount, 0)) };
}

function countBefore(ordered: readonly { readonly at: number }[], instant: number): number {
  let [low, high] = [0, ordered.length];
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (ordered[middle]!.at < instant) low = middle + 1;
    else high = middle;
  }
  return low;
}

function checkGrowing(key: string | null, reads: readonly Operation[], findings: Findings): void {
  for (const [read, before] of withHighestBefore(reads, reads, totalOf)) {
    if (totalOf(read) < totalOf(before)) {
      findings.add(key, `counter ${key}: ${locate(read)} goes back behind ${locate(before)}`);
    }
  }
}

function totalOf(read: Operation): number {
  return Number(read.reply!.value);
}
