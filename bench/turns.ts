/**
 * Lets the sides of a bench take turns: A B A B …, variant by variant, so that whatever else the machine does
 * in these minutes meets all of them alike. Where variants are compared with each other, they take turns, too. Each side has its own process, in which nothing but its own code was
 * ever compiled, and is warmed up before its first counted run of a variant.
 */
import type { Bench, Measured, Variant } from "./bench.ts";
import { Side } from "./side.ts";

export interface RunChoice {
  readonly runs: number;
  readonly measureMs: number;
  /** A first run of every side and variant, which is thrown away. */
  readonly warmUpMs: number;
  readonly variants: readonly Variant[];
}

export interface TurnOptions extends RunChoice {
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
/** What it takes to open and close everything, as a rule, ms. */
const openingMs = 500;

/** Does all runs, and reports each as soon as it is done. */
export async function takeTurns(
  bench: Bench,
  options: TurnOptions,
  report: (run: TakenRun) => void,
): Promise<readonly TakenRun[]> {
  await using stack = new AsyncDisposableStack();
  const { workFolder, profileFolder } = options;
  const sides = Object.entries(bench.sides).map(([name, module]) =>
    stack.use(new Side({ name, module, workFolder, profileFolder, nodeFlags: bench.nodeFlags })),
  );
  const taken: TakenRun[] = [];
  const take = async (variant: Variant, run: number): Promise<void> => {
    const taking = sides.filter(({ name }) => takesPart(name, variant));
    if (run === 1) for (const side of taking) await warmUp(side, variant, warmUpOf(bench, options));
    for (const side of taking) {
      const { measureMs } = options;
      const measured = await side.run({ variant: variant.name, settleMs: measureMs * settlePart, measureMs });
      taken.push({ side: side.name, variant, run, measured });
      report(taken.at(-1)!);
    }
  };
  for (const [variant, run] of orderOf(bench, options)) await take(variant, run);
  return taken;
}

export function takesPart(side: string, { without = [] }: Variant): boolean {
  return !without.includes(side);
}

/** Which variants are run in which order, each with the number of the run. */
export function orderOf(bench: Bench, { variants, runs }: RunChoice): readonly (readonly [Variant, number])[] {
  const numbers = Array.from({ length: runs }, (_, index) => index + 1);
  return bench.inRounds
    ? numbers.flatMap((run) => variants.map((variant) => [variant, run] as const))
    : variants.flatMap((variant) => numbers.map((run) => [variant, run] as const));
}

/** How long all of it will take, ms, as far as it is known before. */
export function expectedMs(bench: Bench, { variants, runs, measureMs, warmUpMs }: RunChoice): number {
  const runMs = (variant: Variant, ms: number): number =>
    bench.runMs?.(variant, ms) ?? openingMs + (1 + settlePart) * ms;
  const each = variants.map((variant) => {
    const sides = Object.keys(bench.sides).filter((side) => takesPart(side, variant)).length;
    const warmMs = warmUpOf(bench, { warmUpMs }) > 0 ? runMs(variant, warmUpMs) : 0;
    return sides * (warmMs + runs * runMs(variant, measureMs));
  });
  return each.reduce((sum, ms) => sum + ms, 0);
}

function warmUpOf(bench: Bench, { warmUpMs }: Pick<TurnOptions, "warmUpMs">): number {
  return bench.warmsUpItself ? 0 : warmUpMs;
}

async function warmUp(side: Side, variant: Variant, warmUpMs: number): Promise<void> {
  if (warmUpMs > 0) await side.run({ variant: variant.name, settleMs: 0, measureMs: warmUpMs });
}
