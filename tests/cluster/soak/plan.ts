/**
 * What a soak will do, decided by its seed before anything starts: periods, a quarter of which are quiet, each with a
 * random non-empty set of kinds of faults and when, whom and how hard each strikes. The seed decides nothing else:
 * how real processes meet each other is never the same twice.
 */
import { createPrng, type Prng } from "../../../src/values/prng.ts";

export interface PlannedFault {
  readonly kind: string;
  /** After the begin of its period. */
  readonly afterMs: number;
  /** The node that it hits, and another one, by their places among the nodes. */
  readonly victim: number;
  readonly other: number;
  /** How hard it strikes, from 0 to 1. */
  readonly force: number;
}

/** None means that the period is quiet. */
export interface Period {
  readonly faults: readonly PlannedFault[];
}

const quietPart = 0.25;
/** Kinds that strike in one period at the most. */
export const kindsPerPeriodMax = 3;
const afterMaxMs = 3_000;

/** The periods, without end. Kinds are dealt like cards, so that each has its turn before any has its next. */
export function* periodsOf(seed: number, kinds: readonly string[], nodesLength: number): Generator<Period, never> {
  const prng = createPrng(seed);
  let deck: string[] = [];
  const deal = (): string => {
    if (deck.length === 0) deck = shuffled(prng, kinds);
    return deck.pop()!;
  };
  for (let number = 0; ; number++) {
    // One of every four, so that a short run has its quiet period too.
    const isQuiet = number % (1 / quietPart) === 1 / quietPart - 1;
    // The first of one alone is quick to understand when nothing works.
    const length = number === 0 ? 1 : 1 + prng.below(kindsPerPeriodMax);
    const dealt = new Set(isQuiet ? [] : Array.from({ length: Math.min(length, kinds.length) }, deal));
    yield { faults: [...dealt].map((kind) => plannedFault(kind, prng, nodesLength)) };
  }
}

function plannedFault(kind: string, prng: Prng, nodesLength: number): PlannedFault {
  const victim = prng.below(nodesLength);
  const other = (victim + 1 + prng.below(nodesLength - 1)) % nodesLength;
  return { kind, afterMs: prng.below(afterMaxMs), victim, other, force: prng.number() };
}

function shuffled(prng: Prng, kinds: readonly string[]): string[] {
  const cards = [...kinds];
  for (let last = cards.length - 1; last > 0; last--) {
    const place = prng.below(last + 1);
    [cards[last], cards[place]] = [cards[place]!, cards[last]!];
  }
  return cards;
}
