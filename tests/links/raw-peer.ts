/** A peer that speaks the bytes of a link by hand, so that it can break every rule. */
import { tcpNetwork } from "../../src/adapters/tcp/network.ts";
import type { CloseReason, Connection } from "../../src/ports/network.ts";
import { ByteWriter } from "../../src/wire/bytes.ts";
import { writeFrame } from "../../src/wire/codec.ts";
import { FrameDecoder } from "../../src/wire/decoder.ts";
import type { CallFrame, Frame, GoodbyeFrame, HelloFrame } from "../../src/wire/frames.ts";
import { secretProver } from "../../src/wire/handshake.ts";
import { bodyOf, secret, until } from "./nodes.ts";

export class RawPeer implements Disposable {
  readonly connection: Connection;
  readonly frames: Frame[] = [];
  receivedBytes = 0;
  /** Called after the frames in some bytes. */
  onBytes: () => void = () => {};
  ended = false;
  closed: CloseReason | undefined;

  constructor(connection: Connection) {
    this.connection = connection;
    const decoder = new FrameDecoder(64 * 1024 * 1024);
    connection.start({
      onData: (bytes) => {
        this.receivedBytes += bytes.length;
        decoder.push(bytes, (frame) => this.frames.push(frame) > 0);
        this.onBytes();
      },
      onDrain: () => {},
      onEnd: () => {
        this.ended = true;
        connection.end();
      },
      onClose: (reason) => {
        this.closed = reason;
      },
    });
  }

  static async dial(address: string): Promise<RawPeer> {
    return new RawPeer(await tcpNetwork().connect(address, 5_000));
  }

  send(...frames: Frame[]): void {
    this.connection.send(bytesOf(...frames));
  }

  /** The first frame of this kind, once it has come. */
  async frame<Kind extends Frame["kind"]>(kind: Kind): Promise<Extract<Frame, { kind: Kind }>> {
    await until(() => this.frames.some((frame) => frame.kind === kind), `a ${kind} has arrived`);
    return this.frames.find((frame) => frame.kind === kind) as Extract<Frame, { kind: Kind }>;
  }

  /** The other side's last word. */
  goodbye(): Promise<GoodbyeFrame> {
    return this.frame("goodbye");
  }

  /** Shakes hands as a dialler that holds the secret. */
  async open(own: HelloFrame = helloOf()): Promise<void> {
    this.send(own);
    const acceptor = await this.frame("hello");
    await this.frame("proof");
    this.send({ kind: "proof", proof: secretProver(secret).prove("dialler", 1, own, acceptor) });
  }

  /** Shakes hands as an acceptor that holds the secret. */
  async accept(own: HelloFrame): Promise<void> {
    const dialler = await this.frame("hello");
    this.send(own, { kind: "proof", proof: secretProver(secret).prove("acceptor", 1, dialler, own) });
    await this.frame("proof");
  }

  [Symbol.dispose](): void {
    this.connection.destroy("the test is over");
  }
}

export function helloOf(change: Partial<HelloFrame> = {}): HelloFrame {
  return {
    kind: "hello",
    versionMin: 1,
    versionMax: 1,
    system: "bank",
    node: "peer",
    incarnation: 100,
    dial: 1,
    nonce: new Uint8Array(32).fill(5),
    frameBytesMax: 4 * 1024 * 1024,
    callsMax: 1_000,
    callBytesMax: 16 * 1024 * 1024,
    ...change,
  };
}

export function callOf(number: number, change: Parameters<typeof bodyOf>[0] = {}): CallFrame {
  return { kind: "call", number, remainingMs: 5_000, priority: 1, incarnation: 100, body: bodyOf(change), bytes: 0 };
}

export function bytesOf(...frames: Frame[]): Uint8Array {
  const writer = new ByteWriter();
  for (const frame of frames) writeFrame(writer, frame);
  return writer.take();
}
