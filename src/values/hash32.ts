/**
 * A fast, stable 32-bit hash for placing things; no protection against people. Pure, so that cores may use it.
 *
 * FNV-1a (32 bit) over the UTF-16 units, low byte first, then the finaliser of MurmurHash3 (32 bit), because
 * the low bits of FNV alone are poorly mixed.
 */
export function hash32(text: string): number {
  let state = 0x811c9dc5;
  for (let index = 0; index < text.length; index++) {
    const unit = text.charCodeAt(index);
    state = Math.imul(state ^ (unit & 0xff), 0x01000193);
    state = Math.imul(state ^ (unit >>> 8), 0x01000193);
  }
  state = Math.imul(state ^ (state >>> 16), 0x85ebca6b);
  state = Math.imul(state ^ (state >>> 13), 0xc2b2ae35);
  return (state ^ (state >>> 16)) >>> 0;
}
