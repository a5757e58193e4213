/** The seeded byte mutator: takes bytes that mean something and spoils them in the ways in which parsers fail. */
import type { Prng } from "../../src/values/prng.ts";

/** Values that sit on a boundary of some length, flag or number. */
const interesting = [0, 1, 0x7f, 0x80, 0xff];
const mutationsMax = 4;
const insertedBytesMax = 64;

/** Some mutations of these bytes, the same for the same generator. */
export function mutate(bytes: Uint8Array, prng: Prng): Uint8Array {
  let mutated = Uint8Array.from(bytes);
  for (let left = 1 + prng.below(mutationsMax); left > 0; left--) mutated = mutateOnce(mutated, prng);
  return mutated;
}

function mutateOnce(bytes: Uint8Array<ArrayBuffer>, prng: Prng): Uint8Array<ArrayBuffer> {
  const at = prng.below(bytes.length + 1);
  const end = Math.min(bytes.length, at + prng.below(insertedBytesMax));
  switch (prng.below(7)) {
    case 0: // Flip a bit.
      if (at < bytes.length) bytes[at]! ^= 1 << prng.below(8);
      return bytes;
    case 1: // A boundary value.
      if (at < bytes.length) bytes[at] = interesting[prng.below(interesting.length)]!;
      return bytes;
    case 2: // Lose a stretch.
      return joined(bytes.subarray(0, at), bytes.subarray(end));
    case 3: // Repeat a stretch.
      return joined(bytes.subarray(0, end), bytes.subarray(at));
    case 4: // Put noise in between.
      return joined(bytes.subarray(0, at), noise(prng, prng.below(insertedBytesMax)), bytes.subarray(at));
    case 5: // Stop in the middle.
      return bytes.slice(0, at);
    default: // Swap two stretches.
      return joined(bytes.subarray(at, end), bytes.subarray(0, at), bytes.subarray(end));
  }
}

export function noise(prng: Prng, length: number): Uint8Array {
  return Uint8Array.from({ length }, () => prng.below(256));
}

function joined(...parts: readonly Uint8Array[]): Uint8Array<ArrayBuffer> {
  const all = new Uint8Array(parts.reduce((sum, { length }) => sum + length, 0));
  let position = 0;
  for (const part of parts) {
    all.set(part, position);
    position += part.length;
  }
  return all;
}
