// What is simulated: people who move money between a few accounts, and close some of them on the way.
import { type CommittedState, defineScenario, type Invariant, type Workload } from "synod/simulation";
import { Account } from "./account.interface.ts";
import { account } from "./account.ts";
import system from "./system.ts";
import { Transfer } from "./transfer.interface.ts";
import type { TransferState } from "./transfer.ts";

const accounts = ["ann", "ben", "cleo", "dan", "eve", "finn", "gus"];
/** Each is asked for by several clients, under idempotency keys of their own. */
const transfersLength = 400;

/** What an account begins with, in cents: some begin empty, so that they are closed before money comes to them. */
function startOf(name: string): number {
  return name === "finn" || name === "gus" ? 0 : 1_000;
}

const initial = (name: string): { balance: number } => ({ balance: startOf(name) });
const funded = { ...account, state: { version: 1, initial, migrate: {} } };

const moneyMoves: Workload = (prng) => {
  const name = accounts[prng.below(accounts.length)]!;
  const dice = prng.below(20);
  if (dice < 2) return { service: "account", key: name, operation: "close" };
  if (dice < 4) return { service: "account", key: name, operation: "balance" };
  const number = prng.below(transfersLength);
  if (dice < 6) return { service: "transfer", key: `t${number}`, operation: "status" };
  // The order follows from the transfer's id, so that whoever asks again asks for the same.
  const from = accounts[number % accounts.length];
  const to = accounts[(number * 3 + 1) % accounts.length];
  const input = { from, to, amount: 50 + (number % 40) * 10 };
  return { service: "transfer", key: `t${number}`, operation: "start", input };
};

/** What accounts must have, if each transfer that is done was applied once, and no other one at all. */
function expected(state: CommittedState): Map<string, number> {
  const balances = new Map(accounts.map((name) => [name, startOf(name)]));
  for (const { status, order } of state.all<TransferState>(Transfer).values()) {
    if (status !== "done") continue;
    const { from, to, amount } = order!;
    balances.set(from, balances.get(from)! - amount);
    balances.set(to, balances.get(to)! + amount);
  }
  return balances;
}

function actual(state: CommittedState): Map<string, number> {
  const states = state.all<{ balance: number }>(Account);
  return new Map(accounts.map((name) => [name, states.get(name)?.balance ?? startOf(name)]));
}

function total(balances: ReadonlyMap<string, number>): number {
  return [...balances.values()].reduce((sum, balance) => sum + balance, 0);
}

const noneNegative: Invariant = {
  name: "no account is negative",
  holds: (state) => [...actual(state).values()].every((balance) => balance >= 0),
};

/** While transfers are under way some of it is in nobody's account. */
const moneyIsConstant: Invariant = {
  name: "no money is made, and none is lost",
  holds: (state) => {
    const [is, was] = [total(actual(state)), total(new Map(accounts.map((name) => [name, startOf(name)])))];
    if (is === was || (is < was && state.pending(Transfer) > 0)) return true;
    return `there are ${is} cents and there were ${was}, with ${state.pending(Transfer)} transfers under way`;
  },
};

const eachTransferOnce: Invariant = {
  name: "each transfer is applied once or not at all",
  holds: (state) => {
    if (state.pending(Transfer) > 0) return true;
    const should = expected(state);
    const wrong = [...actual(state)].find(([name, balance]) => balance !== should.get(name));
    return wrong === undefined || `${wrong[0]} has ${wrong[1]} cents; by its transfers it has ${should.get(wrong[0])}`;
  },
};

export default defineScenario({
  system,
  replace: [funded],
  workload: moneyMoves,
  invariants: [noneNegative, moneyIsConstant, eachTransferOnce],
  duration: "20s",
});
