/**
 * What is said on a connection, in words, for whoever looks at one run. Both ways are read with the decoder of the
 * links; what they carry is not touched, and what cannot be read is not listened to any further.
 */
import { FrameDecoder } from "../../wire/decoder.ts";
import type { CallFrame, Frame, ReplyBody } from "../../wire/frames.ts";

export interface Heard {
  readonly says: string;
  readonly minor: boolean;
}

const frameBytesMax = 16 * 1024 * 1024;
/** Calls whose names are kept until they are answered; the oldest go. */
const callsMax = 4_096;

const minorKinds: ReadonlySet<Frame["kind"]> = new Set(["ping", "pong", "credit"]);

/** One direction of a connection. */
export class Ear {
  readonly #decoder = new FrameDecoder(frameBytesMax);
  readonly #calls = new Map<number, string>();
  #other: Ear | undefined;
  #deaf = false;

  /** The two directions of a connection: an answer in one is to a call in the other. */
  static pair(): readonly [Ear, Ear] {
    const [one, other] = [new Ear(), new Ear()];
    one.#other = other;
    other.#other = one;
    return [one, other];
  }

  /** The messages that are whole with these bytes. */
  hear(bytes: Uint8Array): readonly Heard[] {
    const heard: Heard[] = [];
    if (this.#deaf) return heard;
    try {
      this.#decoder.push(bytes, (frame) => {
        heard.push({ says: this.#wordsOf(frame), minor: minorKinds.has(frame.kind) });
        return true;
      });
    } catch {
      this.#deaf = true;
    }
    return heard;
  }

  #wordsOf(frame: Frame): string {
    switch (frame.kind) {
      case "hello":
        return `hello of ${frame.node}, incarnation ${frame.incarnation}`;
      case "call":
        return this.#called(frame);
      case "reply":
        return `answer ${wordsOfReply(frame.body)} to ${this.#other?.answered(frame.number) ?? `call ${frame.number}`}`;
      case "cancel":
        return `cancel ${this.#calls.get(frame.number) ?? `call ${frame.number}`}`;
      case "goodbye":
        return `goodbye: ${frame.message}`;
      default:
        return frame.kind;
    }
  }

  #called({ number, body }: CallFrame): string {
    const name = `${body.service}${body.key === undefined ? "" : `/${body.key}`}.${body.operation}`;
    this.#calls.set(number, name);
    if (this.#calls.size > callsMax) this.#calls.delete(this.#calls.keys().next().value!);
    return `call ${name}${body.epoch === undefined ? "" : ` at epoch ${body.epoch}`}`;
  }

  answered(number: number): string | undefined {
    const name = this.#calls.get(number);
    this.#calls.delete(number);
    return name;
  }
}

function wordsOfReply(body: ReplyBody): string {
  switch (body.kind) {
    case "ok":
      return body.replayed ? "ok (recorded)" : "ok";
    case "declared":
      return body.code;
    case "status":
      return `${body.code} (${body.outcome})`;
    default:
      return `moved to ${body.node ?? "nobody"}, epoch ${body.epoch}`;
  }
}
