/** What clients do next, each service on keys that are new after a while, so that the history of a key stays short. */
import { settled } from "../../../src/simulation/operations.ts";
import type { Prng } from "../../../src/values/prng.ts";
import type { Call } from "./callers.ts";

export const workloads = ["register", "counter", "list", "mailer", "bank"] as const;
export type WorkloadName = (typeof workloads)[number];

/** One operation as a history names it; its key begins with what it is a key of. */
export interface Move {
  readonly key: string;
  readonly f: string;
  readonly value?: unknown;
}

export interface MovesOptions {
  /** Before each key, so that no two sets of moves on one system share any. */
  readonly prefix: string;
  /** Moves of one workload on the same keys. */
  readonly movesPerKeys: number;
  /** How many of its keys there are at a time. */
  readonly keysLength: number;
}

const valuesMax = 5;
const amountMax = 40;
export const accountsPerBank = 4;

export class Moves {
  readonly #options: MovesOptions;
  readonly #made = new Map<WorkloadName, number>();
  readonly #keys = new Set<string>();
  #elements = 0;

  constructor(options: MovesOptions) {
    this.#options = options;
  }

  /** Every entity of which a history can be read, in the form of a key of it. */
  get keys(): ReadonlySet<string> {
    return this.#keys;
  }

  next(workload: WorkloadName, prng: Prng): Move {
    const { prefix, movesPerKeys, keysLength } = this.#options;
    const made = this.#made.get(workload) ?? 0;
    this.#made.set(workload, made + 1);
    const generation = `${prefix}${Math.floor(made / movesPerKeys)}`;
    const place = `${generation}-${prng.below(keysLength)}`;
    if (workload === "mailer") return this.#mail(place, `inbox-${generation}-${prng.below(keysLength)}`, prng);
    const key = `${workload}-${workload === "bank" ? generation : place}`;
    this.#keys.add(key);
    if (workload === "bank") return this.#transfer(key, prng);
    if (prng.below(3) === 0) return { key, f: "read" };
    if (workload === "counter") return { key, f: "add", value: 1 + prng.below(valuesMax) };
    if (workload === "list") return { key, f: "append", value: ++this.#elements };
    const value = prng.below(valuesMax);
    if (prng.below(2) === 0) return { key, f: "write", value };
    return { key, f: "cas", value: [prng.below(valuesMax), value] };
  }

  /** A read of what some client works on. */
  look(workload: WorkloadName, prng: Prng): Move {
    const move = this.next(workload, prng);
    if (workload === "bank") return { key: move.key, f: "balances" };
    if (workload !== "mailer") return { key: move.key, f: "read" };
    const to = (move.value as { readonly to?: string } | undefined)?.to ?? move.key;
    return { key: to, f: "received" };
  }

  #mail(place: string, to: string, prng: Prng): Move {
    this.#keys.add(to);
    if (prng.below(4) === 0) return { key: to, f: "received" };
    return { key: `mailer-${place}`, f: "send", value: { to, id: String(++this.#elements) } };
  }

  #transfer(key: string, prng: Prng): Move {
    if (prng.below(4) === 0) return { key, f: "balances" };
    const from = prng.below(accountsPerBank);
    const to = (from + 1 + prng.below(accountsPerBank - 1)) % accountsPerBank;
    const [source, target] = [`${key}-${from}`, `${key}-${to}`];
    const id = `${key}-${++this.#elements}`;
    return { key, f: "transfer", value: { id, from: source, to: target, amount: 1 + prng.below(amountMax) } };
  }
}

/** The read of everything that a key is about. */
export function readOf(key: string, isSettled: boolean): Move {
  const value = isSettled ? { value: settled } : {};
  if (key.startsWith("inbox-")) return { key, f: "received", ...value };
  if (key.startsWith("bank-")) return { key, f: "balances", ...value };
  return { key, f: "read" };
}

/** The accounts of a bank. */
export function accountsOf(bank: string): readonly string[] {
  return Array.from({ length: accountsPerBank }, (_, number) => `${bank}-${number}`);
}

/** Performs a move by a way of calling. */
export async function perform(call: Call, { key, f, value }: Move): Promise<unknown> {
  switch (f) {
    case "balances": {
      const balances = accountsOf(key).map(async (account) => [account, await call("account", account, "balance")]);
      return Object.fromEntries(await Promise.all(balances));
    }
    case "transfer": {
      const { id, ...order } = value as { readonly id: string };
      return await call("transfer", id, "start", order);
    }
    case "cas": {
      const [expected, next] = value as readonly number[];
      return await call("register", key, "cas", { expected, next });
    }
    case "received":
      return await call("inbox", key, "received");
    default:
      return await call(key.slice(0, key.indexOf("-")) as "register", key, f, value);
  }
}
