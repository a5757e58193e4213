/**
 * Drives one link: feeds the session (`core/link`) with what the connection, the runtime and the clock say,
 * and performs its effects. Nothing is decided here but when bytes are written.
 *
 * Frames are gathered and written when a kibibyte has come together, or else after the events that are
 * already due. Writing every frame by itself costs a system call each. Writing only at the end of a turn
 * makes the two ends take turns: one works through a batch while the other waits for it.
 */

import type { LinkCause, LinkEffect, LinkInput, SentFrame } from "../../core/link/messages.ts";
import { step, wakeAt } from "../../core/link/session.ts";
import { createLinkSession, type LinkConfig, type LinkSession } from "../../core/link/state.ts";
import { SynodError, toSynodError } from "../../errors.ts";
import type { Clock, Timer } from "../../ports/clock.ts";
import type { Connection } from "../../ports/network.ts";
import { ByteWriter } from "../../wire/bytes.ts";
import { writeFrame } from "../../wire/codec.ts";
import { FrameDecoder } from "../../wire/decoder.ts";
import type { CallFrame, ReplyBody } from "../../wire/frames.ts";
import { callerVersion } from "../../wire/handshake.ts";
import { helloFrameBytesMax } from "../../wire/limits.ts";
import { InboundCall, type LinkPeerIdentity, type PendingCall } from "./calls.ts";

/** Gathered bytes that are written at once. */
const gatheredBytesMax = 1024;

export interface LinkTypes {
  readonly call: PendingCall;
  readonly inbound: CallFrame;
  readonly reply: ReplyBody;
}

/** What the owner of a link does when something happens to it. */
export interface LinkOwner {
  /** The peer has proved who it is. */
  onOpened(link: Link, peer: LinkPeerIdentity & { readonly dial: number }): void;
  onCall(call: InboundCall): ReplyBody | Promise<ReplyBody>;
  /** Calls that this node has under way or waiting. */
  load(): number;
  /** The link takes no new calls. */
  onClosing(
    link: Link,
    ending: { readonly cause: LinkCause; readonly planned: boolean; readonly message: string },
  ): void;
  /** Nothing is left of it. */
  onClosed(link: Link): void;
}

export class Link {
  readonly session: LinkSession<LinkTypes>;
  readonly #clock: Clock;
  readonly #owner: LinkOwner;
  #connection: Connection | undefined;
  readonly #writer: ByteWriter = new ByteWriter();
  readonly #decoder: FrameDecoder = new FrameDecoder(helloFrameBytesMax);
  readonly #inbound: Map<number, InboundCall> = new Map();
  #flushDue = false;
  #timer: Timer | undefined;
  #timerAt: number = Number.POSITIVE_INFINITY;
  bytesSent = 0;
  bytesReceived = 0;
  framesSent = 0;
  framesReceived = 0;

  constructor(config: LinkConfig, clock: Clock, owner: LinkOwner) {
    this.#clock = clock;
    this.#owner = owner;
    this.session = createLinkSession(config, clock.monotonic());
    this.#arm();
  }

  get peer(): LinkPeerIdentity | undefined {
    return this.session.peer;
  }

  /** Bytes written and not yet taken by the network. */
  get bufferedBytes(): number {
    return this.#writer.length + (this.#connection?.bufferedBytes ?? 0);
  }

  /** The connection stands. */
  attach(connection: Connection): void {
    if (this.session.phase === "closed") {
      connection.start({ onData: ignore, onDrain: ignore, onEnd: ignore, onClose: ignore });
      connection.destroy("the link closed before it was connected");
      return;
    }
    this.#connection = connection;
    connection.start({
      onData: (bytes) => this.#receive(bytes),
      onDrain: () => this.step({ kind: "drained" }),
      onEnd: () => this.step({ kind: "ended" }),
      onClose: ({ message }) => this.step({ kind: "gone", message }),
    });
    this.step({ kind: "connected", provenNodes: connection.provenNodes });
  }

  /** Applies an input and performs what follows from it. */
  step(input: LinkInput<LinkTypes>): void {
    for (const effect of step(this.session, input, this.#clock.monotonic())) this.#perform(effect);
    this.#arm();
  }

  #receive(bytes: Uint8Array): void {
    this.bytesReceived += bytes.length;
    if (!this.#reads()) return;
    this.step({ kind: "heard" });
    try {
      this.#decoder.push(bytes, (frame) => {
        this.framesReceived++;
        this.step({ kind: "frame", frame });
        return this.#reads();
      });
    } catch (error) {
      if (!(error instanceof SynodError)) throw error;
      this.step({ kind: "breach", message: error.message });
    }
  }

  #reads(): boolean {
    return this.session.phase !== "closing" && this.session.phase !== "closed";
  }

  #perform(effect: LinkEffect<LinkTypes>): void {
    switch (effect.kind) {
      case "send":
        this.#send(effect.frame);
        break;
      case "settle":
        effect.call.settle(effect.body);
        break;
      case "fail":
        effect.call.fail(effect.failure);
        break;
      case "deliver":
        this.#deliver(effect.frame, effect.deadline);
        break;
      case "withdraw":
        this.#inbound.get(effect.number)?.withdraw();
        break;
      case "opened":
        this.#decoder.allow(this.session.config.limits.frameBytesMax);
        this.#owner.onOpened(this, effect.peer);
        break;
      case "closing":
        this.#owner.onClosing(this, effect);
        break;
      case "end":
        this.#flush();
        this.#connection?.end();
        break;
      case "destroy":
        this.#connection?.destroy(effect.message);
        break;
      case "closed":
        this.#owner.onClosed(this);
        break;
    }
  }

  #deliver(frame: CallFrame, deadline: number): void {
    const { node, incarnation } = this.session.peer!;
    const call = new InboundCall({ node, incarnation }, frame, deadline);
    this.#inbound.set(frame.number, call);
    const fail = (thrown: unknown): void => this.#answer(frame.number, replyOfFault(toSynodError(thrown)));
    let answer: ReplyBody | Promise<ReplyBody>;
    try {
      answer = this.#owner.onCall(call);
    } catch (thrown) {
      return fail(thrown);
    }
    if (answer instanceof Promise) answer.then((body) => this.#answer(frame.number, body), fail);
    else this.#answer(frame.number, answer);
  }

  #answer(number: number, body: ReplyBody): void {
    this.#inbound.delete(number);
    this.step({ kind: "reply", number, body });
  }

  #send(frame: SentFrame<LinkTypes>): void {
    if (this.#connection === undefined) return;
    this.framesSent++;
    if (frame.kind === "reply") this.#writeReply(frame.number, frame.body);
    else if (frame.kind === "call") writeFrame(this.#writer, this.#callFrame(frame));
    else writeFrame(this.#writer, frame.kind === "pong" ? { ...frame, load: this.#owner.load() } : frame);
    if (this.#writer.length >= gatheredBytesMax) this.#flush();
    else this.#flushSoon();
  }

  #callFrame({ number, remainingMs, call }: SentFrame<LinkTypes> & { kind: "call" }): CallFrame {
    const { bytes, priority } = call;
    const { incarnation } = this.session.config.hello;
    const isUnderstood = call.body.caller === undefined || this.session.version >= callerVersion;
    const body = isUnderstood ? call.body : { ...call.body, caller: undefined };
    return { kind: "call", number, remainingMs, priority, incarnation, body, bytes };
  }

  /** A reply that the peer would not take is replaced by a short one that says so. */
  #writeReply(number: number, body: ReplyBody): void {
    const before = this.#writer.length;
    let fault: string | undefined;
    try {
      writeFrame(this.#writer, { kind: "reply", number, body });
      const bytes = this.#writer.length - before;
      if (bytes > this.session.peer!.frameBytesMax)
        fault = `the reply has ${bytes} bytes, more than the caller's link takes`;
    } catch (error) {
      fault = `the reply cannot be sent: ${toSynodError(error).message}`;
    }
    if (fault === undefined) return;
    this.#writer.rewind(before);
    const error = new SynodError("resource_exhausted", fault, { outcome: "unknown", retryable: false });
    writeFrame(this.#writer, { kind: "reply", number, body: replyOfFault(error) });
  }

  #flushSoon(): void {
    if (this.#flushDue) return;
    this.#flushDue = true;
    this.#clock.soon(() => {
      this.#flushDue = false;
      this.#flush();
    });
  }

  #flush(): void {
    if (this.#connection === undefined || this.#writer.length === 0) return;
    const bytes = this.#writer.take();
    this.bytesSent += bytes.length;
    if (this.#connection.send(bytes)) return;
    const { bufferedBytes } = this.#connection;
    this.step({ kind: "blocked", bufferedBytes, takenBytes: this.bytesSent - bufferedBytes });
  }

  /** One timer, at the instant that the session names or earlier: a later wish costs nothing. */
  #arm(): void {
    const at = wakeAt(this.session);
    if (at === Number.POSITIVE_INFINITY && this.session.phase === "closed") {
      this.#timer?.cancel();
      this.#timer = undefined;
      return;
    }
    if (this.#timer !== undefined && this.#timerAt <= at) return;
    this.#timer?.cancel();
    this.#timerAt = at;
    this.#timer = this.#clock.setTimer(Math.max(0, at - this.#clock.monotonic()), () => {
      this.#timer = undefined;
      this.step({ kind: "tick", takenBytes: this.bytesSent - (this.#connection?.bufferedBytes ?? 0) });
    });
  }
}

/** The reply of a handler that failed outside of everything it declares. */
function replyOfFault(error: SynodError): ReplyBody {
  const { message, outcome, retryable, retryAfterMs } = error;
  const code = error.declared ? "internal" : error.code;
  return { kind: "status", code, message, outcome, retryable, retryAfterMs, data: undefined };
}

function ignore(): void {}
