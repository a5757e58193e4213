/**
 * Reading and writing the fields of a frame: bytes, variable-length integers and texts.
 *
 * A `ByteReader` trusts nothing: every length is checked against what is there and against the field's own
 * bound before anything is taken. A `ByteWriter` fills one slab after another and hands out finished
 * stretches of it, so that frames gathered for one write lie behind each other without being copied again.
 */
import { Buffer, isUtf8 } from "node:buffer";
import { SynodError } from "../errors.ts";
import type { NameTable } from "./names.ts";

/** The first slab of a writer: enough for a hello, cheap enough for a stranger. */
const slabBytesLeast = 512;
/** Every next slab is twice the last one, up to this; a stretch that needs more gets a slab of its own. */
const slabBytesMost = 16 * 1024;
/** LEB128 carries 7 bits a byte; 8 bytes hold every safe integer. */
const varintBytesMax = 8;
const utf8BytesPerUnitMax = 3;
/** Texts up to this length are written character by character: a call of the encoder takes longer. */
const spelledLengthMax = 32;

/** A breach of the protocol by the peer: its connection is closed with these words. */
export function protocolError(message: string): SynodError {
  return new SynodError("invalid_argument", message);
}

/** The length of a text as UTF-8. */
export function utf8Bytes(text: string): number {
  return Buffer.byteLength(text);
}

/** Throws a `SynodError` for a text that a frame does not carry. */
export function checkText(text: string, bytesMax: number, field: string): void {
  if (text.length * utf8BytesPerUnitMax <= bytesMax) return;
  const bytes = utf8Bytes(text);
  if (bytes <= bytesMax) return;
  throw new SynodError("invalid_argument", `the ${field} has ${bytes} bytes, and a link carries at most ${bytesMax}`);
}

export class ByteWriter {
  #slab: Buffer = Buffer.alloc(0);
  #start = 0;
  #position = 0;

  /** Bytes written since the last `take`. */
  get length(): number {
    return this.#position - this.#start;
  }

  /** What was written since the last `take`. The bytes are the taker's; they are not written to again. */
  take(): Uint8Array {
    const taken = this.#slab.subarray(this.#start, this.#position);
    this.#start = this.#position;
    return taken;
  }

  /** Forgets what was written after `length`, which was the writer's length earlier. */
  rewind(length: number): void {
    this.#position = this.#start + length;
  }

  byte(value: number): void {
    this.#reserve(1);
    this.#slab[this.#position++] = value;
  }

  /** Four bytes for a length that is known only later; see `fillLength`. */
  reserveLength(): number {
    this.#reserve(4);
    this.#position += 4;
    return this.length;
  }

  /** Puts the number of bytes written since `mark` into the four bytes before it. */
  fillLength(mark: number): void {
    this.#slab.writeUInt32BE(this.length - mark, this.#start + mark - 4);
  }

  varint(value: number): void {
    if (!Number.isSafeInteger(value) || value < 0)
      throw new RangeError(`${value} is not a number that a frame can carry`);
    this.#reserve(varintBytesMax);
    let rest = value;
    while (rest >= 0x80) {
      this.#slab[this.#position++] = (rest % 0x80) | 0x80;
      rest = Math.floor(rest / 0x80);
    }
    this.#slab[this.#position++] = rest;
  }

  /** A text with its length before it. */
  text(text: string, bytesMax: number, field: string): void {
    checkText(text, bytesMax, field);
    // Nearly every text is short: its length takes one byte, whatever its characters turn out to need.
    if (text.length * utf8BytesPerUnitMax < 0x80) {
      this.#reserve(0x80);
      const written = this.#spell(text) ?? this.#slab.write(text, this.#position + 1);
      this.#slab[this.#position] = written;
      this.#position += written + 1;
    } else {
      this.varint(utf8Bytes(text));
      this.rest(text);
    }
  }

  /** Writes a short text of ASCII behind the place of its length; undefined when it is another one. */
  #spell(text: string): number | undefined {
    const { length } = text;
    if (length > spelledLengthMax) return undefined;
    const start = this.#position + 1;
    for (let index = 0; index < length; index++) {
      const code = text.charCodeAt(index);
      if (code >= 0x80) return undefined;
      this.#slab[start + index] = code;
    }
    return length;
  }

  /** A text without its length: only as the last field of a frame. */
  rest(text: string): void {
    this.#reserve(text.length < slabBytesMost ? text.length * utf8BytesPerUnitMax : utf8Bytes(text));
    this.#position += this.#slab.write(text, this.#position);
  }

  /** A run of bytes whose length both sides know. */
  fixed(bytes: Uint8Array): void {
    this.#reserve(bytes.length);
    this.#slab.set(bytes, this.#position);
    this.#position += bytes.length;
  }

  #reserve(bytes: number): void {
    if (this.#position + bytes <= this.#slab.length) return;
    const length = this.length;
    const slabBytes = Math.max(slabBytesLeast, Math.min(2 * this.#slab.length, slabBytesMost));
    const next = Buffer.allocUnsafeSlow(Math.max(slabBytes, 2 * length + bytes));
    next.set(this.#slab.subarray(this.#start, this.#position));
    this.#slab = next;
    this.#start = 0;
    this.#position = length;
  }
}

export class ByteReader {
  readonly #bytes: Buffer;
  readonly #names: NameTable | undefined;
  #position = 0;

  /** `names`: those that came before from the same peer. */
  constructor(bytes: Uint8Array, names?: NameTable) {
    this.#bytes = Buffer.isBuffer(bytes) ? bytes : Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    this.#names = names;
  }

  /** Bytes not read yet. */
  get left(): number {
    return this.#bytes.length - this.#position;
  }

  byte(field: string): number {
    if (this.#position >= this.#bytes.length) throw cutShort(field);
    return this.#bytes[this.#position++]!;
  }

  varint(field: string): number {
    let value = 0;
    let scale = 1;
    for (let count = 0; count < varintBytesMax; count++) {
      const byte = this.byte(field);
      value += (byte & 0x7f) * scale;
      if (byte < 0x80) {
        if (value > Number.MAX_SAFE_INTEGER) break;
        // One way to write a number, so that equal frames are equal bytes.
        if (byte === 0 && count > 0) throw protocolError(`the ${field} of a frame is written longer than it must be`);
        return value;
      }
      scale *= 0x80;
    }
    throw protocolError(`the ${field} of a frame is larger than ${Number.MAX_SAFE_INTEGER}`);
  }

  text(bytesMax: number, field: string): string {
    return this.#utf8(this.#lengthOf(bytesMax, field), field);
  }

  /** A text that nearly every frame of a peer has in common with others. */
  name(bytesMax: number, field: string): string {
    const length = this.#lengthOf(bytesMax, field);
    const known = length > this.left ? undefined : this.#names?.find(this.#bytes, this.#position, length);
    if (known !== undefined) {
      this.#position += length;
      return known;
    }
    const start = this.#position;
    const text = this.#utf8(length, field);
    this.#names?.add(this.#bytes, start, length, text);
    return text;
  }

  #lengthOf(bytesMax: number, field: string): number {
    const bytes = this.varint(field);
    if (bytes <= bytesMax) return bytes;
    throw protocolError(`the ${field} of a frame has ${bytes} bytes, and ${bytesMax} are allowed`);
  }

  /** All that is left, as a text. */
  rest(field: string): string {
    return this.#utf8(this.left, field);
  }

  fixed(length: number, field: string): Uint8Array {
    if (length > this.left) throw cutShort(field);
    const start = this.#position;
    this.#position += length;
    return new Uint8Array(this.#bytes.subarray(start, start + length));
  }

  /** Says that nothing may follow. */
  end(): void {
    if (this.left > 0) throw protocolError(`a frame has ${this.left} bytes too many`);
  }

  #utf8(length: number, field: string): string {
    if (length > this.left) throw cutShort(field);
    const start = this.#position;
    this.#position += length;
    const text = this.#bytes.toString("utf8", start, this.#position);
    // Only malformed bytes, and U+FFFD itself, decode to U+FFFD: nearly every text is settled by one search.
    if (text.includes("\ufffd") && !isUtf8(this.#bytes.subarray(start, this.#position))) {
      throw protocolError(`the ${field} of a frame is not UTF-8`);
    }
    return text;
  }
}

function cutShort(field: string): SynodError {
  return protocolError(`a frame ends in the middle of its ${field}`);
}
