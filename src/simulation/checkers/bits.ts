/** Small sets of integers as bits of 32-bit words; a set never changes once made. */
export type Bits = Uint32Array;

export function emptyBits(size: number): Bits {
  return new Uint32Array(Math.ceil(size / 32));
}

export function hasBit(bits: Bits, bit: number): boolean {
  return ((bits[bit >>> 5]! >>> (bit & 31)) & 1) === 1;
}

export function withBit(bits: Bits, bit: number): Bits {
  const copy = bits.slice();
  copy[bit >>> 5]! |= 1 << (bit & 31);
  return copy;
}

export function withoutBit(bits: Bits, bit: number): Bits {
  const copy = bits.slice();
  copy[bit >>> 5]! &= ~(1 << (bit & 31));
  return copy;
}

/** Whether every member of `part` is one of `whole`; both made for the same size. */
export function isSubset(part: Bits, whole: Bits): boolean {
  for (let word = 0; word < part.length; word++) if ((part[word]! & ~whole[word]!) !== 0) return false;
  return true;
}
