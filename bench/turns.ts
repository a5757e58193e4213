/**
 * Lets the sides of a bench take turns: A B A B …, variant by variant, so that whatever else the machine does
 * in these minutes meets all of them alike. Each side has its own process, in which nothing but its own code was
 * ever compiled, and is warmed up before its first counted run of a variant.
 */
import type { Bench, Measured, Variant } from "./bench.ts";
import { Side } from "./side.ts";

export interface TurnOptions {
  readonly runs: number;
  readonly measureMs: number;
  /** A first run of every side and variant, which is thrown away. */
  readonly warmUpMs: number;
  readonly variants: readonly Variant[];
  readonly workFolder: string;
  readonly profileFolder?: string | undefined;
}

/** One counted run. */
export interface TakenRun {
  readonly side: string;
  readonly variant: Variant;
  /** From 1. */
  readonly run: number;
  readonly measured: Measured;
}

/** Of the time that counts, how much goes before it with everything freshly opened. */
const settlePart = 0.25;

/** Does all runs, and reports each as soon as it is done. */
export async function takeTurns(
  bench: Bench,
  options: TurnOptions,
  report: (run: TakenRun) => void,
): Promise<readonly TakenRun[]> {
  await using stack = new AsyncDisposableStack();
  const { workFolder, profileFolder } = options;
  const sides = Object.entries(bench.sides).map(([name, module]) =>
    stack.use(new Side({ name, module, workFolder, profileFolder })),
  );
  const taken: TakenRun[] = [];
  for (const variant of options.variants) {
    for (const side of sides) await warmUp(side, variant, options.warmUpMs);
    for (let run = 1; run <= options.runs; run++) {
      for (const side of sides) {
        const { measureMs } = options;
        const measured = await side.run({ variant: variant.name, settleMs: measureMs * settlePart, measureMs });
        taken.push({ side: side.name, variant, run, measured });
        report(taken.at(-1)!);
      }
    }
  }
  return taken;
}

async function warmUp(side: Side, variant: Variant, warmUpMs: number): Promise<void> {
  if (warmUpMs > 0) await side.run({ variant: variant.name, settleMs: 0, measureMs: warmUpMs });
}
