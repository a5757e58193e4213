/**
 * What a drill had written into the ledger, and the comparison with what stands there in the end: the bookkeeper beside the
 * bank. Each entry is appended by one call only, so an entry that stands there twice took effect twice, and one that was
 * acknowledged and is missing was lost. It calls nobody.
 */
import { pageLengthMax } from "./ledger.interface.ts";

/** Pages that are written to at the same time: enough to lie on all nodes. */
const pagesOpen = 32;
/** Entries that a report names. */
const namedMax = 10;

/** `ok`: acknowledged. `fail`: it certainly did not happen. `info`: nobody knows. */
export type Outcome = "ok" | "fail" | "info";

export interface LedgerVerdict {
  /** Entries that were to be appended. */
  readonly appended: number;
  readonly acknowledged: number;
  /** Of which nobody knew whether they were appended. */
  readonly unknown: number;
  /** Entries that stand in the pages. */
  readonly found: number;
  /** Each of the following names the first entries, as `PAGE: ENTRY`. */
  readonly duplicates: Counted;
  /** Acknowledged, and not there; of a damaged page all. */
  readonly lost: Counted;
  /** There, though whoever asked for them was told that they were certainly not appended, or nobody asked. */
  readonly unasked: Counted;
  /** Pages that could not be read, damaged ones too. */
  readonly unread: number;
}

export interface Counted {
  readonly count: number;
  readonly first: readonly string[];
}

interface Entry {
  readonly page: string;
  outcome: Outcome;
}

export class LedgerBook {
  readonly #prefix: string;
  readonly #entries: Entry[] = [];
  readonly #pages = new Set<string>();
  #latest: readonly string[] = [];

  /** `run` is unique to the drill, so that its pages are nobody else's. */
  constructor(run: string) {
    this.#prefix = run;
  }

  /** Where the next entry goes; of an append that is never told of again nothing is known. */
  next(): { readonly page: string; readonly entry: number } {
    const entry = this.#entries.length;
    const row = Math.floor(entry / (pagesOpen * pageLengthMax));
    const page = `${this.#prefix}/${row * pagesOpen + (entry % pagesOpen)}`;
    this.#entries.push({ page, outcome: "info" });
    if (!this.#pages.has(page)) this.#latest = [...this.#latest, page].slice(-pagesOpen);
    this.#pages.add(page);
    return { page, entry };
  }

  told(entry: number, outcome: Outcome): void {
    this.#entries[entry]!.outcome = outcome;
  }

  /** Every page that may have an entry. */
  get pages(): readonly string[] {
    return [...this.#pages];
  }

  /** Those that were begun last. */
  get latestPages(): readonly string[] {
    return this.#latest;
  }

  /** `read` has the entries of each page that could be read; `damaged` are pages that can never be read again. */
  compare(read: ReadonlyMap<string, readonly number[]>, damaged: ReadonlySet<string> = new Set()): LedgerVerdict {
    const found = [...read].flatMap(([page, entries]) => entries.map((entry) => ({ page, entry })));
    const times = new Map<number, number>();
    const [duplicates, lost, unasked]: [string[], string[], string[]] = [[], [], []];
    for (const { page, entry } of found) {
      const own = this.#entries[entry];
      const before = times.get(entry) ?? 0;
      times.set(entry, before + 1);
      if (before === 1) duplicates.push(`${page}: ${entry}`);
      if (own?.page !== page || own.outcome === "fail") unasked.push(`${page}: ${entry}`);
    }
    for (const [entry, { page, outcome }] of this.#entries.entries()) {
      const isGone = damaged.has(page) || (read.has(page) && !times.has(entry));
      if (outcome === "ok" && isGone) lost.push(`${page}: ${entry}`);
    }
    const count = (outcome: Outcome): number => this.#entries.filter((entry) => entry.outcome === outcome).length;
    return {
      appended: this.#entries.length,
      acknowledged: count("ok"),
      unknown: count("info"),
      found: found.length,
      duplicates: counted(duplicates),
      lost: counted(lost),
      unasked: counted(unasked),
      unread: this.pages.filter((page) => !read.has(page)).length,
    };
  }
}

export function counted(all: readonly string[]): Counted {
  return { count: all.length, first: all.slice(0, namedMax) };
}
