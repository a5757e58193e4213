/**
 * The append-only list: `append ELEMENT` and `read`, which answers the whole list. Each element is appended
 * by one operation only, so every read shows the whole past, and that makes lists the sharpest workload: the
 * fast check finds exactly what the search for a linearization would.
 */
import { SynodError } from "../../errors.ts";
import type { Operation } from "../operations.ts";
import { canonical, type Model, refused, unknownOperation } from "./model.ts";
import { withHighestBefore } from "./real-time.ts";
import { Findings, locate, short, type Verdict } from "./verdict.ts";

/** A list as the path from the root of a tree of all lists met so far: equal lists are one node. */
export interface ListState {
  readonly number: number;
  readonly length: number;
  readonly last: string;
  readonly before: ListState | undefined;
  readonly longer: Map<string, ListState>;
}

export function appendListModel(): Model<ListState> {
  let nodes = 0;
  const newNode = (before: ListState | undefined, last: string): ListState => ({
    number: nodes++,
    length: before === undefined ? 0 : before.length + 1,
    last,
    before,
    longer: new Map(),
  });
  const empty = newNode(undefined, "");
  return {
    name: "append-only list",
    init: () => empty,
    step(state, call, reply) {
      if (call.f === "read") return reply === undefined || isList(state, reply.value) ? { ok: true, state } : refused;
      if (call.f !== "append") throw unknownOperation("list", call);
      const element = canonical(call.value);
      const longer = state.longer.get(element) ?? newNode(state, element);
      state.longer.set(element, longer);
      return { ok: true, state: longer };
    },
    stateKey: (state) => state.number,
    readOnly: (call) => call.f === "read",
    describe: (state) => short(elementsOf(state).map((element) => JSON.parse(element))),
  };
}

function isList(state: ListState, value: unknown): boolean {
  if (!Array.isArray(value) || value.length !== state.length) return false;
  let node: ListState = state;
  for (let index = value.length - 1; index >= 0; index--, node = node.before!) {
    if (canonical(value[index]) !== node.last) return false;
  }
  return true;
}

function elementsOf(state: ListState): string[] {
  const elements: string[] = [];
  for (let node = state; node.before !== undefined; node = node.before) elements.push(node.last);
  return elements.reverse();
}

/**
 * Every read is a prefix of the longest one; each element in it was appended by an operation that had begun;
 * what was acknowledged is in every later read; and the order of the list is one of real time.
 */
export function checkAppendList(operations: readonly Operation[]): Verdict {
  const findings = new Findings();
  for (const [key, ofKey] of Map.groupBy(operations, (operation) => operation.key)) checkKey(key, ofKey, findings);
  return findings.verdict("append-only list", operations.length);
}

interface List {
  readonly appends: readonly Operation[];
  readonly reads: readonly Operation[];
  /** Position in the longest read, by element. */
  readonly positions: ReadonlyMap<string, number>;
  readonly report: (text: string) => void;
}

function checkKey(key: string | null, operations: readonly Operation[], findings: Findings): void {
  const report = (text: string) => findings.add(key, `list ${key}: ${text}`);
  const reads = operations.filter((operation) => operation.f === "read" && operation.reply !== undefined);
  const appends = operations.filter((operation) => operation.f === "append");
  const elements = appends.map((append) => canonical(append.value));
  if (new Set(elements).size < elements.length) throw appendedTwice(key, elements);
  const odd = reads.find((read) => !Array.isArray(read.reply!.value));
  if (odd !== undefined) {
    report(`${locate(odd)}, which is no list`);
    return;
  }
  const longest = reads.reduce<readonly string[]>((best, read) => {
    const length = lengthOf(read);
    return length > best.length ? (read.reply!.value as unknown[]).map(canonical) : best;
  }, []);
  const positions = new Map(longest.map((element, position) => [element, position]));
  const list: List = { appends, reads, positions, report };
  if (positions.size < longest.length) report(`an element stands in it twice: ${twice(longest)}`);
  checkPrefixes(list, longest);
  checkElements(list);
  checkLost(list);
  checkOrder(list);
}

function appendedTwice(key: string | null, elements: readonly string[]): SynodError {
  const message = `the history appends ${twice(elements)} to list ${key} twice; without unique elements nothing can be told`;
  return new SynodError("invalid_argument", message);
}

function twice(elements: readonly string[]): string | undefined {
  return elements.find((each, position) => elements.indexOf(each) < position);
}

function lengthOf(read: Operation): number {
  return (read.reply!.value as unknown[]).length;
}

function checkPrefixes({ reads, report }: List, longest: readonly string[]): void {
  for (const read of reads) {
    const wrong = (read.reply!.value as unknown[]).findIndex((element, at) => canonical(element) !== longest[at]);
    if (wrong >= 0) report(`${locate(read)} is no prefix of the longest read, which has ${longest[wrong]} at ${wrong}`);
  }
}

/** What is in a list was appended, certainly not refused, and not after it was read. */
function checkElements({ appends, reads, positions, report }: List): void {
  const byElement = new Map(appends.map((append) => [canonical(append.value), append]));
  const firstRead: Operation[] = [];
  for (const read of reads.toSorted((a, b) => a.completedAt - b.completedAt)) {
    while (firstRead.length < lengthOf(read)) firstRead.push(read);
  }
  for (const [element, position] of positions) {
    const append = byElement.get(element);
    const read = firstRead[position]!;
    if (append === undefined) report(`${locate(read)} has ${element}, which nobody appended`);
    else if (append.outcome === "fail") report(`${locate(read)} has ${element} of ${locate(append)}`);
    else if (append.invokedAt > read.completedAt)
      report(`${locate(read)} has ${element} of the later ${locate(append)}`);
  }
}

/** A read has all that was acknowledged before it began, and is not shorter than a read that ended before. */
function checkLost({ appends, reads, positions, report }: List): void {
  const known = [...reads, ...appends.filter((append) => append.outcome === "ok")];
  const lengthNeeded = (operation: Operation): number => {
    if (operation.f === "read") return lengthOf(operation);
    return (positions.get(canonical(operation.value)) ?? Number.POSITIVE_INFINITY) + 1;
  };
  for (const [read, before] of withHighestBefore(reads, known, lengthNeeded)) {
    if (lengthOf(read) < lengthNeeded(before)) report(`${locate(read)} lacks what ${locate(before)} showed before`);
  }
}

/** An append that was acknowledged before another began stands before it; so do they all if one is missing. */
function checkOrder({ appends, positions, report }: List): void {
  const position = (append: Operation) => positions.get(canonical(append.value)) ?? Number.POSITIVE_INFINITY;
  const acknowledged = appends.filter((append) => append.outcome === "ok");
  for (const [append, before] of withHighestBefore(appends, acknowledged, position)) {
    if (position(append) >= position(before)) continue;
    report(`${locate(append)} stands before ${locate(before)}, which ended before it began`);
  }
}
