/**
 * One connection of the simulated network: two streams of segments. A segment takes its own time and is sent again
 * while its way is blocked, as TCP does it; the receiving end puts them back into order. So bytes are cut anywhere,
 * wait out a partition, and never change places within a connection.
 */

import type { CloseReason, Connection, ConnectionEvents } from "../../ports/network.ts";
import { chance } from "../../values/prng.ts";
import type { SimulatedNetwork, Way } from "./network.ts";
import type { Ear } from "./overheard.ts";
import type { Process } from "./process.ts";
import type { Passage } from "./trace.ts";
import { between } from "./world.ts";

/** Bytes that a kernel takes over; what is beyond them counts as buffered. */
const kernelBytesMax = 64 * 1024;
/** Buffered bytes that make `send` say to stop. */
const bufferedBytesMax = 16 * 1024;
/** Waits before a segment is sent again while its way is blocked, ms: they double, as TCP's do. */
const resendFirstMs = 200;
const resendMaxMs = 5_000;
const lingerMs = 10_000;
/** Segments that a machine which loses power may not have sent yet. */
const unsentMax = 2;
/** After bytes that came late: until the end that got them learns that its connection is no more, ms. */
const lateResetMs = 1_000;

type Segment = {
  readonly number: number;
  readonly bytes: Uint8Array | null;
  readonly passage: Passage | undefined;
};

export class SimulatedConnection implements Connection {
  readonly remote: string;
  readonly process: Process;
  readonly host: string;
  /** The way of what this end sends. */
  readonly way: Way;
  /** For the trace: `#7`. */
  readonly name: string;
  other!: SimulatedConnection;
  /** Hears what this end is told, when somebody looks at the run. */
  ear: Ear | undefined;
  readonly #network: SimulatedNetwork;
  #events: ConnectionEvents | undefined;
  #closed: CloseReason | undefined;
  #closedAt = 0;
  #paused = false;
  // What this end sends.
  #sent = 0;
  #undeliveredBytes = 0;
  #ended = false;
  #waitsForDrain = false;
  #lastNumber = Number.POSITIVE_INFINITY;
  /** What something on the way keeps back, once it does. */
  #held: Segment[] | null = null;
  #stranded = false;
  // What this end gets.
  readonly #early = new Map<number, Segment>();
  #expected = 0;
  #arrived: Segment[] = [];
  #endDelivered = false;
  #delivering = false;

  /** `to` is the machine of the other end, `remote` what the port says of it. */
  constructor(network: SimulatedNetwork, process: Process, to: string, name: string, remote: string) {
    this.#network = network;
    this.process = process;
    this.host = process.name;
    this.way = network.way(process.name, to);
    this.name = name;
    this.remote = remote;
  }

  get open(): boolean {
    return this.#closed === undefined;
  }

  /** Whether this end was handed over to somebody, who has not closed it. */
  get isInUse(): boolean {
    return this.open && this.#events !== undefined;
  }

  get bufferedBytes(): number {
    return Math.max(0, this.#undeliveredBytes - kernelBytesMax);
  }

  start(events: ConnectionEvents): void {
    this.#events = events;
    if (this.#closed !== undefined) return this.#announceClose(this.#closed);
    this.#deliverSoon();
  }

  send(bytes: Uint8Array): boolean {
    if (this.#ended || !this.open || bytes.length === 0) return true;
    for (const piece of this.#cut(bytes)) this.#transmit(piece);
    this.#undeliveredBytes += bytes.length;
    if (this.bufferedBytes <= bufferedBytesMax) return true;
    this.#waitsForDrain = true;
    return false;
  }

  pause(): void {
    this.#paused = true;
  }

  resume(): void {
    this.#paused = false;
    this.#deliverSoon();
  }

  end(): void {
    if (this.#ended || !this.open) return;
    this.#ended = true;
    this.#transmit(null);
  }

  destroy(message: string): void {
    if (!this.open) return;
    this.#close({ kind: "destroyed", message });
    this.#network.sendReset(this, "the other side cut the connection");
  }

  /** The network, or the end of the other side, cuts it at this end. */
  lose(message: string): void {
    if (this.open) this.#close({ kind: "lost", message });
  }

  /**
   * The process at this end is no more; nobody is told. What it has sent its kernel goes on with, unless the machine
   * itself is gone (`powerLost`): then the last segments never leave it, and none is sent again.
   */
  vanish(powerLost: boolean): void {
    const { now } = this.#network.world;
    if (powerLost) this.#closedAt = Number.NEGATIVE_INFINITY;
    else if (this.open) this.#closedAt = now;
    this.#closed ??= { kind: "destroyed", message: "its process is no more" };
    this.#arrived = [];
    this.#lastNumber = this.#sent - 1 - (powerLost ? this.way.prng.below(unsentMax + 1) : 0);
  }

  /** From now on something on the way (a proxy, a full receive buffer) keeps what this end sends. */
  hold(): void {
    this.#held ??= [];
  }

  /** Nothing keeps it any more: what was kept goes on its way. */
  release(): void {
    const held = this.#held ?? [];
    this.#held = null;
    for (const segment of held) this.#launch(segment, resendFirstMs);
  }

  /**
   * This end loses the connection, and the other end is not told. Returns what lets the kept bytes arrive there: by
   * then their sender has long tried again on another connection.
   */
  strand(): () => void {
    this.#stranded = true;
    this.lose("the network cut the connection");
    return () => {
      const { other } = this;
      for (const segment of this.#held?.splice(0) ?? []) if (other.process.alive && other.open) other.#receive(segment);
      this.#network.world.after(lateResetMs, () => other.lose("the other side knows nothing of this connection"));
    };
  }

  #cut(bytes: Uint8Array): Uint8Array[] {
    const { cutProbability } = this.#network;
    const { prng } = this.way;
    const pieces: Uint8Array[] = [];
    let rest = bytes;
    while (rest.length > 1 && pieces.length < 4 && chance(prng, cutProbability)) {
      const length = 1 + prng.below(rest.length - 1);
      pieces.push(rest.subarray(0, length));
      rest = rest.subarray(length);
    }
    return [...pieces, rest];
  }

  /** Null: the end of this half. */
  #transmit(bytes: Uint8Array | null): void {
    const passage = this.#network.world.trace.sent(this.host, this.other.host);
    this.#launch({ number: this.#sent++, bytes, passage }, resendFirstMs);
  }

  #launch(segment: Segment, resendMs: number): void {
    const network = this.#network;
    const { world } = network;
    const { way } = this;
    world.after(network.delayMs(way), () => {
      if (this.#held !== null) return void this.#held.push(segment);
      if (this.#cutOff(segment) || this.other.#stranded) return;
      if (way.blocks > 0 || !network.isUp(this.other.host)) {
        // A kernel goes on for a while with what a process that closed the connection has left to it.
        if (!this.open && world.now - this.#closedAt > lingerMs) return;
        const wait = between(way.prng, resendMs / 2, resendMs);
        world.after(wait, () => this.#launch(segment, Math.min(2 * resendMs, resendMaxMs)));
      } else if (!this.other.process.alive || !this.other.open) {
        network.sendReset(this.other, "the other side knows nothing of this connection");
      } else this.other.#receive(segment);
    });
  }

  /** Never leaves: its machine lost power first, or the connection was cut with it under way. */
  #cutOff({ number }: Segment): boolean {
    return number > this.#lastNumber || this.#closed?.kind === "lost";
  }

  #receive(segment: Segment): void {
    if (segment.number < this.#expected) return;
    this.#early.set(segment.number, segment);
    for (let next = this.#early.get(this.#expected); next !== undefined; next = this.#early.get(this.#expected)) {
      this.#early.delete(this.#expected++);
      this.#arrived.push(next);
    }
    if (this.#delivering || this.#arrived.length === 0) return;
    this.#delivering = true;
    this.process.deliver(() => this.#deliver());
  }

  #deliverSoon(): void {
    if (this.#delivering || this.#arrived.length === 0) return;
    this.#delivering = true;
    this.#network.world.after(0, () => this.process.deliver(() => this.#deliver()));
  }

  #deliver(): void {
    this.#delivering = false;
    const events = this.#events;
    if (events === undefined || this.#paused || !this.open) return;
    const segment = this.#arrived.shift();
    if (segment === undefined) return;
    this.#network.traceSegment(this, segment.bytes, segment.passage);
    if (segment.bytes === null) {
      this.#endDelivered = true;
      events.onEnd();
      this.#closeIfEnded();
      this.other.#closeIfEnded();
    } else {
      events.onData(segment.bytes.slice());
      this.other.#taken(segment.bytes.length);
    }
    this.#deliverSoon();
  }

  #taken(bytes: number): void {
    this.#undeliveredBytes -= bytes;
    if (!this.#waitsForDrain || this.bufferedBytes > 0) return;
    this.#waitsForDrain = false;
    this.#network.world.after(0, () => this.process.deliver(() => this.open && this.#events?.onDrain()));
  }

  /** Both have heard of the other's end: nothing is on the way any more. */
  #closeIfEnded(): void {
    if (!this.open || !this.#endDelivered || !this.other.#endDelivered) return;
    this.#close({ kind: "ended", message: "both sides ended" });
  }

  #close(reason: CloseReason): void {
    this.#closed = reason;
    this.#closedAt = this.#network.world.now;
    this.#arrived = [];
    this.#early.clear();
    this.#network.forget(this);
    if (this.#events !== undefined) this.#announceClose(reason);
  }

  #announceClose(reason: CloseReason): void {
    this.#network.world.after(0, () => this.process.deliver(() => this.#events?.onClose(reason)));
  }
}
