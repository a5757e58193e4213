/** Read-only views of values: what a query sees of the state, and what handlers and callers may pass on. */

/**
 * A value that may be read and passed on, and not changed, however deep.
 *
 * @example
 * ```ts
 * import type { Frozen } from "synod";
 *
 * const total = (lines: Frozen<{ price: number }[]>) => lines.reduce((sum, line) => sum + line.price, 0);
 * console.assert(total([{ price: 2 }, { price: 3 }]) === 5);
 * ```
 */
export type Frozen<T> = unknown extends T
  ? T
  : // Branded strings and numbers too, whose members are nobody's business.
    T extends string | number | boolean
    ? T
    : { readonly [Name in keyof T]: Frozen<T[Name]> };
