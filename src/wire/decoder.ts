/**
 * Cuts a byte stream into frames, however the network cut the stream.
 *
 * Like a clerk who opens letters: one that lies on the desk whole is read where it lies, and only one that
 * arrives in parts is put together in a tray. The tray grows with what has really arrived, at most to twice
 * that, so that a peer who announces four megabytes and sends ten bytes costs ten bytes.
 */
import { Buffer } from "node:buffer";
import { protocolError } from "./bytes.ts";
import { readFrame } from "./codec.ts";
import type { Frame } from "./frames.ts";
import { NameTable } from "./names.ts";

const lengthBytes = 4;
const trayBytesLeast = 256;

export class FrameDecoder {
  #frameBytesMax: number;
  /** What has arrived of a frame that is not whole yet, its length included. */
  #tray: Buffer = Buffer.alloc(0);
  #filled = 0;
  readonly #names = new NameTable();

  constructor(frameBytesMax: number) {
    this.#frameBytesMax = frameBytesMax;
  }

  /** Frames may be this long from the next frame on. */
  allow(frameBytesMax: number): void {
    this.#frameBytesMax = frameBytesMax;
  }

  /** Bytes held for a frame that is not whole yet. */
  get heldBytes(): number {
    return this.#tray.length;
  }

  /**
   * Hands every frame that is whole now to `take`, in order, until it says false (the rest is dropped).
   * Throws a `SynodError` at the first bytes that are not a frame; the stream must not be read further.
   */
  push(chunk: Uint8Array, take: (frame: Frame) => boolean): void {
    const bytes = Buffer.from(chunk.buffer, chunk.byteOffset, chunk.byteLength);
    let position = 0;
    if (this.#filled > 0) {
      position = this.#fill(bytes);
      if (!this.#isWhole()) return;
      const frame = readFrame(this.#tray.subarray(lengthBytes, this.#filled), this.#names);
      this.#filled = 0;
      this.#tray = Buffer.alloc(0);
      if (!take(frame)) return;
    }
    while (bytes.length - position >= lengthBytes) {
      const end = position + lengthBytes + this.#lengthAt(bytes, position);
      if (end > bytes.length) break;
      const frame = readFrame(bytes.subarray(position + lengthBytes, end), this.#names);
      position = end;
      if (!take(frame)) return;
    }
    if (position < bytes.length) this.#store(bytes, position, bytes.length);
  }

  /** Moves from `bytes` into the tray what its frame still lacks; returns how much that was. */
  #fill(bytes: Buffer): number {
    let position = 0;
    if (this.#filled < lengthBytes) {
      position = Math.min(lengthBytes - this.#filled, bytes.length);
      this.#store(bytes, 0, position);
      if (this.#filled < lengthBytes) return position;
    }
    const lacking = lengthBytes + this.#lengthAt(this.#tray, 0) - this.#filled;
    const end = Math.min(position + lacking, bytes.length);
    this.#store(bytes, position, end);
    return end;
  }

  #isWhole(): boolean {
    return this.#filled >= lengthBytes && this.#filled === lengthBytes + this.#lengthAt(this.#tray, 0);
  }

  #store(bytes: Buffer, start: number, end: number): void {
    const filled = this.#filled + end - start;
    if (filled > this.#tray.length) {
      const frameEnd = lengthBytes + this.#frameBytesMax;
      const grown = Buffer.allocUnsafeSlow(Math.min(Math.max(2 * filled, trayBytesLeast), frameEnd));
      this.#tray.copy(grown, 0, 0, this.#filled);
      this.#tray = grown;
    }
    bytes.copy(this.#tray, this.#filled, start, end);
    this.#filled = filled;
  }

  #lengthAt(bytes: Buffer, position: number): number {
    const length = bytes.readUInt32BE(position);
    if (length === 0) throw protocolError("a frame is empty");
    if (length > this.#frameBytesMax) {
      throw protocolError(`a frame announces ${length} bytes, and ${this.#frameBytesMax} are allowed here`);
    }
    return length;
  }
}
