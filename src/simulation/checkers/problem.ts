/**
 * The question that the search answers, laid out for speed: which operations of one entity are pending at
 * each point at which one of them returns.
 *
 * An operation with a return must take effect before it; one without (its outcome is unknown) may take
 * effect at any time after its invocation, or never. Between two returns nothing needs to happen, so the
 * returns are the only positions at which the search stops (just-in-time linearization).
 */
import type { Operation, Reply } from "../operations.ts";
import { canonical, type Model } from "./model.ts";

/** An operation as the search is to see it; the explanation asks about weaker ones than really happened. */
export interface Item {
  readonly operation: Operation;
  /** What it answered; undefined when anything will do. */
  readonly reply: Reply | undefined;
  readonly invokedAt: number;
  /** Infinity: it may as well never take effect. */
  readonly returnsAt: number;
}

/** All that the layout needs to know of a model. */
type Purity = Pick<Model<unknown>, "readOnly">;

export interface Problem {
  readonly items: readonly Item[];
  /** The items that return, in order: position p of the search is the return of `returns[p]`. */
  readonly returns: readonly number[];
  /**
   * Bit of each item: those that return share bits with others that were never pending with them, the others
   * have one each in a set of their own.
   */
  readonly bit: readonly number[];
  readonly bitsOfReturning: number;
  readonly bitsOfOptional: number;
  /** By position: pending items that return and may change the state, soonest return first. */
  readonly writers: readonly (readonly number[])[];
  /** By position: pending items that return and change nothing. */
  readonly readers: readonly (readonly number[])[];
  /** The items that do not return, by invocation, and how many of them are invoked at each position. */
  readonly optional: readonly number[];
  readonly optionalInvoked: readonly number[];
  /** Items of one class ask the same and heard the same: pending together, they are interchangeable. */
  readonly classOf: readonly number[];
}

/** What an operation of a history is to the search; undefined when it cannot matter. */
export function itemOf(operation: Operation, model: Purity): Item | undefined {
  if (operation.outcome === "fail") return undefined;
  const { reply, invokedAt, completedAt } = operation;
  const item: Item = { operation, reply, invokedAt, returnsAt: completedAt };
  return isIdle(item, model) ? undefined : item;
}

/** Whether an item need not take effect, and would change nothing if it did. */
export function isIdle(item: Item, model: Purity): boolean {
  return item.returnsAt === Number.POSITIVE_INFINITY && model.readOnly(item.operation, item.reply);
}

/** Lays out items given in the order of their invocations. */
export function layOut(items: readonly Item[], model: Purity): Problem {
  const numbers = [...items.keys()];
  const optional = numbers.filter((item) => items[item]!.returnsAt === Number.POSITIVE_INFINITY);
  const returning = numbers.filter((item) => items[item]!.returnsAt !== Number.POSITIVE_INFINITY);
  const returns = returning.toSorted((a, b) => items[a]!.returnsAt - items[b]!.returnsAt);
  const readOnly = items.map((item) => model.readOnly(item.operation, item.reply));
  const bit = new Array<number>(items.length).fill(0);
  for (const [position, item] of optional.entries()) bit[item] = position;

  const free: number[] = [];
  const writers: number[][] = [];
  const readers: number[][] = [];
  const optionalInvoked: number[] = [];
  let pending: number[] = [];
  let [bits, invoked, optionalCount] = [0, 0, 0];
  for (const item of returns) {
    const now = items[item]!.returnsAt;
    for (; invoked < returning.length && items[returning[invoked]!]!.invokedAt < now; invoked++) {
      bit[returning[invoked]!] = free.pop() ?? bits++;
      pending.push(returning[invoked]!);
    }
    while (optionalCount < optional.length && items[optional[optionalCount]!]!.invokedAt < now) optionalCount++;
    pending.sort((a, b) => items[a]!.returnsAt - items[b]!.returnsAt);
    writers.push(pending.filter((each) => !readOnly[each]));
    readers.push(pending.filter((each) => readOnly[each]));
    optionalInvoked.push(optionalCount);
    pending = pending.filter((each) => each !== item);
    free.push(bit[item]!);
  }
  return {
    items,
    returns,
    bit,
    bitsOfReturning: bits,
    bitsOfOptional: optional.length,
    writers,
    readers,
    optional,
    optionalInvoked,
    classOf: classesOf(items),
  };
}

function classesOf(items: readonly Item[]): number[] {
  const classes = new Map<string, number>();
  return items.map(({ operation, reply }) => {
    const heard = reply === undefined ? "" : canonical([reply.value ?? null, reply.error ?? null]);
    const name = `${operation.f} ${canonical(operation.value)} ${heard}`;
    const known = classes.get(name) ?? classes.size;
    classes.set(name, known);
    return known;
  });
}
