/**
 * Names that a peer sends again and again (services, operations, principals, sessions): each is decoded once, and found
 * again by its bytes. Like a clerk who knows the regular senders by their stamps and spells out only a new one.
 *
 * What comes of it is always what the bytes say, because they are compared; a peer that sends ever new names only has
 * its own ones decoded each time. Found names are one and the same string, which Maps and objects look up quicker.
 */
import type { Buffer } from "node:buffer";

/** Places; a name that falls on a taken one takes it over. */
const placesMax = 256;
/** Longer ones are decoded each time. */
const nameBytesMax = 48;

interface Known {
  readonly bytes: Uint8Array;
  readonly text: string;
}

export class NameTable {
  readonly #places: (Known | undefined)[] = [];

  /** The name of these bytes, if it is known. */
  find(bytes: Buffer, start: number, length: number): string | undefined {
    if (length > nameBytesMax) return undefined;
    const known = this.#places[placeOf(bytes, start, length)];
    if (known === undefined || known.bytes.length !== length) return undefined;
    for (let index = 0; index < length; index++) {
      if (known.bytes[index] !== bytes[start + index]) return undefined;
    }
    return known.text;
  }

  /** `text` is what these bytes say. */
  add(bytes: Buffer, start: number, length: number, text: string): void {
    if (length > nameBytesMax) return;
    this.#places[placeOf(bytes, start, length)] = {
      bytes: Uint8Array.from(bytes.subarray(start, start + length)),
      text,
    };
  }
}

function placeOf(bytes: Buffer, start: number, length: number): number {
  let sum = length;
  for (let index = 0; index < length; index++) sum = (Math.imul(sum, 31) + bytes[start + index]!) | 0;
  return (sum ^ (sum >>> 8)) & (placesMax - 1);
}
