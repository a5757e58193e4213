/**
 * Rows by name that can be read in their order, page by page. The order is kept in a list beside the map: rows that come
 * in order are added at its end, anything else has it sorted again when it is next read.
 */
import type { Page } from "../../ports/work.ts";

export interface Order<Row, Place> {
  /** Rows of one name replace each other. */
  nameOf(row: Row): string | number;
  placeOf(row: Row): Place;
  compare(a: Place, b: Place): number;
}

interface Cell<Row> {
  row: Row;
  isGone: boolean;
}

export class OrderedRows<Row, Place> {
  readonly #order: Order<Row, Place>;
  readonly #cells = new Map<string | number, Cell<Row>>();
  /** The cells of the map, and some that are not in it any more. */
  #list: Cell<Row>[] = [];
  #isSorted = true;

  constructor(order: Order<Row, Place>) {
    this.#order = order;
  }

  get size(): number {
    return this.#cells.size;
  }

  get(name: string | number): Row | undefined {
    return this.#cells.get(name)?.row;
  }

  set(row: Row): void {
    const name = this.#order.nameOf(row);
    const before = this.#cells.get(name);
    if (before !== undefined && this.#compare(before.row, row) === 0) {
      before.row = row;
      return;
    }
    this.delete(name);
    const last = this.#list.at(-1);
    if (last !== undefined && this.#compare(last.row, row) > 0) this.#isSorted = false;
    const cell = { row, isGone: false };
    this.#list.push(cell);
    this.#cells.set(name, cell);
  }

  delete(name: string | number): void {
    const cell = this.#cells.get(name);
    if (cell === undefined) return;
    cell.isGone = true;
    this.#cells.delete(name);
  }

  /** All of them, in no order. */
  *[Symbol.iterator](): Generator<Row> {
    for (const { row } of this.#cells.values()) yield row;
  }

  page(after: Place | null, limit: number): Page<Row, Place> {
    const list = this.#sorted();
    const rows: Row[] = [];
    for (let at = this.#firstAfter(list, after); at < list.length && rows.length < limit; at++) {
      const { row, isGone } = list[at]!;
      if (!isGone) rows.push(row);
    }
    const last = rows.at(-1);
    return { rows, damaged: [], next: last === undefined || rows.length < limit ? null : this.#order.placeOf(last) };
  }

  #sorted(): readonly Cell<Row>[] {
    if (this.#list.length > 2 * this.#cells.size) this.#list = this.#list.filter(({ isGone }) => !isGone);
    if (!this.#isSorted) this.#list.sort((a, b) => this.#compare(a.row, b.row));
    this.#isSorted = true;
    return this.#list;
  }

  #firstAfter(list: readonly Cell<Row>[], after: Place | null): number {
    if (after === null) return 0;
    let [low, high] = [0, list.length];
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (this.#order.compare(this.#order.placeOf(list[middle]!.row), after) > 0) high = middle;
      else low = middle + 1;
    }
    return low;
  }

  #compare(a: Row, b: Row): number {
    return this.#order.compare(this.#order.placeOf(a), this.#order.placeOf(b));
  }
}
