/**
 * Length-prefixed frames on a socket, for the least programs: four bytes of length, four of a number that pairs
 * an answer with its call, and text. Nothing is checked and nothing is bounded. Frames are gathered and written
 * after the events that are at hand, or as soon as `cutBytes` have come together.
 */
import type { Socket } from "node:net";

const headBytes = 8;
const chunkBytes = 256 * 1024;
/** What one character takes in UTF-8 at the most; of a surrogate pair each half takes 2. */
const utf8BytesMax = 3;

export class FramedSocket {
  readonly #socket: Socket;
  readonly #cutBytes: number;
  readonly #onFrame: (number: number, text: string) => void;
  #chunk = Buffer.allocUnsafe(chunkBytes);
  /** The part of the chunk that is written and not sent. */
  #from = 0;
  #to = 0;
  #flushing = false;
  #rest: Buffer | undefined;

  /** `cutBytes`: infinite for as much as comes together in one turn of the event loop. */
  constructor(socket: Socket, cutBytes: number, onFrame: (number: number, text: string) => void) {
    this.#socket = socket;
    this.#cutBytes = cutBytes;
    this.#onFrame = onFrame;
    socket.on("data", (data) => this.#received(data as Buffer));
  }

  send(number: number, text: string): void {
    this.#makeRoom(headBytes + text.length * utf8BytesMax);
    const bytes = this.#chunk.write(text, this.#to + headBytes);
    this.#chunk.writeUInt32LE(bytes, this.#to);
    this.#chunk.writeUInt32LE(number, this.#to + 4);
    this.#to += headBytes + bytes;
    if (this.#to - this.#from >= this.#cutBytes) return this.#write();
    if (this.#flushing) return;
    this.#flushing = true;
    setImmediate(() => {
      this.#flushing = false;
      this.#write();
    });
  }

  #makeRoom(bytes: number): void {
    if (this.#to + bytes <= this.#chunk.length) return;
    this.#write();
    this.#chunk = Buffer.allocUnsafe(Math.max(bytes, chunkBytes));
    this.#from = this.#to = 0;
  }

  #write(): void {
    if (this.#from === this.#to) return;
    this.#socket.write(this.#chunk.subarray(this.#from, this.#to));
    this.#from = this.#to;
  }

  #received(data: Buffer): void {
    const all = this.#rest === undefined ? data : Buffer.concat([this.#rest, data]);
    let at = 0;
    while (at + headBytes <= all.length) {
      const end = at + headBytes + all.readUInt32LE(at);
      if (end > all.length) break;
      this.#onFrame(all.readUInt32LE(at + 4), all.toString("utf8", at + headBytes, end));
      at = end;
    }
    this.#rest = at === all.length ? undefined : all.subarray(at);
  }
}
