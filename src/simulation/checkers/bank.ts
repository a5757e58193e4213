/**
 * The bank: `transfer {id, from, to, amount}` between accounts, and reads of all balances at once
 * (`balances`, answered as `{account: balance}`), which need not be one atomic view. In a settled read every
 * balance must be what the transfers make it.
 *
 * A transfer is known by its id: all attempts with one id are one transfer.
 */
import { SynodError } from "../../errors.ts";
import { type Operation, settled } from "../operations.ts";
import { Findings, locate, short, type Verdict } from "./verdict.ts";

interface Transfer {
  readonly id: string;
  readonly from: string;
  readonly to: string;
  readonly amount: number;
}

/** `unknown`: some attempt may have taken effect, and none said. */
type Fate = "applied" | "refused" | "unknown";

/** Total constant, no balance negative, each transfer applied at most once; `initial` is by account. */
export function checkBank(operations: readonly Operation[], initial: Readonly<Record<string, number>>): Verdict {
  const findings = new Findings();
  const transfers = fatesOf(operations, findings);
  for (const read of operations) {
    if (read.f !== "balances" || read.reply === undefined) continue;
    const balances = balancesOf(read.reply.value);
    if (balances === undefined) {
      findings.add(null, `the answer is no record of balances: ${locate(read)}`);
      continue;
    }
    const negative = Object.entries(balances).find(([, balance]) => balance < 0);
    if (negative !== undefined) findings.add(negative[0], `account ${negative[0]} is negative: ${locate(read)}`);
    if (read.value === settled) checkSettled(read, balances, initial, transfers, findings);
  }
  return findings.verdict("bank", operations.length);
}

function balancesOf(value: unknown): Readonly<Record<string, number>> | undefined {
  if (typeof value !== "object" || value === null) return undefined;
  return Object.values(value).every((balance) => typeof balance === "number") ? { ...value } : undefined;
}

/** Each transfer that may have happened, with what its attempts tell of it together. */
function fatesOf(operations: readonly Operation[], findings: Findings): Map<Transfer, Fate> {
  const attempts = operations.filter((operation) => operation.f === "transfer");
  const fates = new Map<Transfer, Fate>();
  for (const [id, ofId] of Map.groupBy(attempts, (attempt) => transferOf(attempt).id)) {
    const applied = ofId.find((attempt) => attempt.reply !== undefined && attempt.reply.error === undefined);
    const refused = ofId.find((attempt) => attempt.reply?.error !== undefined);
    const isOpen = ofId.some((attempt) => attempt.outcome === "info");
    if (applied !== undefined && refused !== undefined) {
      findings.add(null, `transfer ${id} was both done and refused: ${locate(applied)}, ${locate(refused)}`);
    }
    const fate = applied ? "applied" : refused ? "refused" : isOpen ? "unknown" : undefined;
    if (fate !== undefined) fates.set(transferOf(ofId[0]!), fate);
  }
  return fates;
}

function transferOf({ value, invokedAt }: Operation): Transfer {
  const transfer = value as Partial<Transfer> | null | undefined;
  if (typeof transfer?.id === "string" && Number.isSafeInteger(transfer.amount)) return transfer as Transfer;
  throw new SynodError("invalid_argument", `event ${invokedAt} of the history is no transfer: ${short(value)}`);
}

function checkSettled(
  read: Operation,
  balances: Readonly<Record<string, number>>,
  initial: Readonly<Record<string, number>>,
  transfers: ReadonlyMap<Transfer, Fate>,
  findings: Findings,
): void {
  const sum = (by: Readonly<Record<string, number>>) =>
    Object.values(by).reduce((total, balance) => total + balance, 0);
  if (sum(balances) !== sum(initial)) {
    findings.add(null, `the total is ${sum(balances)} and was ${sum(initial)}: ${locate(read)}`);
  }
  for (const account of new Set([...Object.keys(initial), ...Object.keys(balances)])) {
    let [low, high] = [initial[account] ?? 0, initial[account] ?? 0];
    for (const [{ from, to, amount }, fate] of transfers) {
      const change = (to === account ? amount : 0) - (from === account ? amount : 0);
      if (fate === "applied" || (fate === "unknown" && change < 0)) low += change;
      if (fate === "applied" || (fate === "unknown" && change > 0)) high += change;
    }
    const balance = balances[account] ?? 0;
    if (balance >= low && balance <= high) continue;
    const range = low === high ? `${low}` : `from ${low} to ${high}`;
    findings.add(account, `account ${account} holds ${balance}; its transfers make it ${range}: ${locate(read)}`);
  }
}
