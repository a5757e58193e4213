/** Small sets of integers as bits of 32-bit words; a set never changes once made. Arrays, as typed ones take thrice the memory. */
export type Bits = readonly number[];

export function emptyBits(size: number): Bits {
  return new Array<number>(Math.ceil(size / 32)).fill(0);
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
