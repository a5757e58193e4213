/**
 * The log port: sentences for operators with fields for machines.
 *
 * @example
 * ```ts
 * import type { Log } from "synod";
 *
 * const lines: string[] = [];
 * const write = (message: string) => { lines.push(message); };
 * const log: Log = { debug: write, info: write, warn: write, error: write };
 * log.warn("the queue is long", { length: 900 });
 * console.assert(lines[0] === "the queue is long");
 * ```
 */
export interface Log {
  debug(message: string, fields?: Record<string, unknown>): void;
  info(message: string, fields?: Record<string, unknown>): void;
  warn(message: string, fields?: Record<string, unknown>): void;
  error(message: string, fields?: Record<string, unknown>): void;
}
