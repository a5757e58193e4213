/**
 * What a bench is: one piece of work, done by several sides. `synod` is measured, `limit` is the least program
 * that does the same work, and the others are what people would use instead. A side is a module that exports
 * `run`; the harness gives each side a process of its own and lets them take turns.
 */

import type { Result } from "./result.ts";

/** One way in which a bench's work is done, such as one call in flight or 256. */
export interface Variant {
  readonly name: string;
  /** In words, for the table. */
  readonly title: string;
  /** Sides that do not come to an end with it. */
  readonly without?: readonly string[];
}

export interface Bench {
  readonly name: string;
  readonly summary: string;
  /** Of what every side is measured by, such as `commands/s`; more is better. */
  readonly unit: string;
  readonly variants: readonly Variant[];
  /** The name of the variant by which sides are compared. */
  readonly mainVariant: string;
  /** Variants take turns as well: all of them once, then all of them again, for benches that compare them with each other. */
  readonly inRounds?: boolean;
  /** How long one run of a variant takes, ms, where that is not what is said of it: with what is opened and found out before. */
  readonly runMs?: (variant: Variant, measureMs: number) => number;
  /** Every run warms up by itself, as long as that takes: none of them is thrown away. */
  readonly warmsUpItself?: boolean;
  /** Sides that need what is in `bench/peers`. */
  readonly peers?: readonly string[];
  /** Pictures of a result by file name, as SVG. */
  readonly pictures?: (result: Result) => Readonly<Record<string, string>>;
  /** Where in the docs its result is shown, by a path in the project, and how. */
  readonly page?: { readonly path: string; readonly text: (result: Result) => string };
  /** Why there is no least program for this work, where there is none. */
  readonly limitless?: string;
  /** Whether a result is what Synod is to reach, a line for each gate. */
  readonly gates?: (result: Result) => readonly string[];
  /** Flags of Node for the process of every side. */
  readonly nodeFlags?: readonly string[];
  /** The module of every side, `synod` and `limit` among them, unless it is `limitless`; only `synod` where it is compared with itself. */
  readonly sides: Readonly<Record<string, URL>>;
}

export interface RunOptions {
  /** Name of the variant. */
  readonly variant: string;
  /** Work that is done before anything is counted, with everything freshly opened. */
  readonly settleMs: number;
  readonly measureMs: number;
  /** An empty folder on a real disk, removed after the run. */
  readonly folder: string;
}

/** What one run gave. */
export interface Measured {
  /** In the bench's unit. */
  readonly value: number;
  /** What helps to understand it; the same names in every run of a side and a variant. */
  readonly details: readonly Detail[];
  /** What makes the run doubtful, in a sentence. */
  readonly doubt?: string | undefined;
}

export interface Detail {
  readonly name: string;
  readonly unit: string;
  readonly value: number;
}

/** Opens everything anew, does the work, closes everything. */
export type Run = (options: RunOptions) => Promise<Measured>;

/** What a side's module exports. */
export interface SideModule {
  readonly run: Run;
}
