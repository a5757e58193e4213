/**
 * A seeded generator for tests and simulation: the same seed gives the same numbers on every machine. Never
 * for secrets or ids.
 *
 * xoshiro128** 1.1 by David Blackman and Sebastiano Vigna (https://prng.di.unimi.it/xoshiro128starstar.c),
 * its state filled by SplitMix32 so that close seeds give unrelated sequences.
 */

export interface Prng {
  /** The next integer from 0 to 2^32 - 1. */
  uint32(): number;
  /** The next number in [0, 1), with 53 random bits. */
  number(): number;
  /** The next integer from 0 to `bound` - 1, each equally likely; `bound` is from 1 to 2^32. */
  below(bound: number): number;
}

export function createPrng(seed: number): Prng {
  return prngOf(xoshiro(seed));
}

function xoshiro(seed: number): () => number {
  const next = splitMix32(seed);
  let [a, b, c, d] = [next(), next(), next(), next()];

  return () => {
    const result = Math.imul(rotated(Math.imul(b, 5), 7), 9) >>> 0;
    const shifted = b << 9;
    c ^= a;
    d ^= b;
    b ^= c;
    a ^= d;
    c ^= shifted;
    d = rotated(d, 11);
    return result;
  };
}

/** A generator on top of whatever gives integers from 0 to 2^32 - 1, each equally likely. */
export function prngOf(uint32: () => number): Prng {
  const below = (bound: number): number => {
    if (!(Number.isInteger(bound) && bound >= 1 && bound <= 2 ** 32)) {
      throw new RangeError(`the bound must be an integer from 1 to 2^32, not ${bound}`);
    }
    // Draws past the last whole multiple of the bound would favour small results.
    const fair = 2 ** 32 - (2 ** 32 % bound);
    for (;;) {
      const drawn = uint32();
      if (drawn < fair) return drawn % bound;
    }
  };

  return { uint32, below, number: () => ((uint32() >>> 5) * 2 ** 26 + (uint32() >>> 6)) / 2 ** 53 };
}

/** Whether something of that probability, 0 to 1, happens; of the probability 0 without a draw. */
export function chance(prng: Prng, probability: number): boolean {
  return probability > 0 && prng.number() < probability;
}

/** One of them, each equally likely. */
export function pick<T>(prng: Prng, from: readonly T[]): T {
  return from[prng.below(from.length)]!;
}

function splitMix32(seed: number): () => number {
  let state = seed | 0;
  return () => {
    state = (state + 0x9e3779b9) | 0;
    let bits = Math.imul(state ^ (state >>> 16), 0x21f0aaad);
    bits = Math.imul(bits ^ (bits >>> 15), 0x735a2d97);
    return bits ^ (bits >>> 15);
  };
}

function rotated(value: number, count: number): number {
  return (value << count) | (value >>> (32 - count));
}
