/**
 * A network with faults, in one process: it knows which node is at which end of a connection, cuts the bytes into
 * frames, and lets a test say what becomes of a frame. It keeps the port's contract: what arrives arrives whole and in
 * order, and a connection that loses something is lost.
 */
import { memoryNetwork } from "../../src/adapters/memory/network.ts";
import { SynodError } from "../../src/errors.ts";
import type { Connection, ConnectionEvents, Network } from "../../src/ports/network.ts";
import { readFrame } from "../../src/wire/codec.ts";
import type { Frame } from "../../src/wire/frames.ts";
import type { Hold } from "./fault-store.ts";

/** Frames that a test has something to say about. */
export interface FrameMatch {
  readonly from: string;
  readonly to: string;
  readonly kind: Frame["kind"];
  /** Of a call: the operation that it asks for. */
  readonly operation?: string;
}

/**
 * `lost`: the connection is lost before the frame arrives. `last`: the frame arrives, then the connection is lost.
 * `held`: it waits, and so does everything behind it, until the direction is released.
 */
export type Fate = "lost" | "last" | "held";

interface Rule {
  readonly match: FrameMatch;
  readonly fate: Fate;
}

/** A frame that arrived. */
export interface Arrival {
  readonly from: string;
  readonly to: string;
  readonly frame: Frame;
}

const connectionCut = "the network cut the connection";
const lengthBytes = 4;

export class FaultNetwork {
  /** Calls and replies that arrived, in order. */
  readonly arrivals: Arrival[] = [];
  readonly #inner: Network;
  readonly #addresses = new Map<string, string>();
  readonly #connections = new Set<FaultyConnection>();
  readonly #down = new Set<string>();
  readonly #parted = new Set<string>();
  readonly #frozen = new Set<string>();
  #rules: Rule[] = [];
  #soons = 0;

  constructor() {
    this.#inner = memoryNetwork({ soon: (callback) => this.soon(callback) });
  }

  /** Whether something is on its way that nobody holds. */
  get busy(): boolean {
    return this.#soons > 0;
  }

  soon(callback: () => void): void {
    this.#soons += 1;
    setImmediate(() => {
      this.#soons -= 1;
      callback();
    });
  }

  /** The network as that node has it. A node that crashed is up again under its name. */
  of(node: string): Network {
    this.#down.delete(node);
    this.#frozen.delete(node);
    return {
      listen: async (address, onConnection) => {
        const listener = await this.#inner.listen(address, onConnection);
        this.#addresses.set(listener.address, node);
        return listener;
      },
      connect: async (address, timeoutMs) => {
        const to = this.#addresses.get(address) ?? "nobody";
        if (this.#down.has(to) || this.#down.has(node) || this.#parted.has(pair(node, to))) {
          throw new SynodError("unavailable", `cannot connect to ${address}: nobody answers`);
        }
        const connection = new FaultyConnection(await this.#inner.connect(address, timeoutMs), this, node, to);
        if (this.#frozen.has(node) || this.#frozen.has(to)) connection.hold(node, true);
        if (this.#frozen.has(node) || this.#frozen.has(to)) connection.hold(to, true);
        this.#connections.add(connection);
        return connection;
      },
    };
  }

  /** The next such frame meets this fate. */
  once(match: FrameMatch, fate: Fate): void {
    this.#rules.push({ match, fate });
  }

  /** Whether a frame that was waited for with {@link once} has not come yet. */
  get awaits(): boolean {
    return this.#rules.length > 0;
  }

  /** Nothing that the one sends reaches the other, until it is released. */
  hold(from: string, to: string): Hold {
    const held = [...this.#between(from, to)];
    for (const connection of held) connection.hold(from, true);
    return {
      get waiting() {
        return held.reduce((sum, connection) => sum + connection.waiting(from), 0);
      },
      release: () => {
        for (const connection of held) connection.hold(from, false);
      },
    };
  }

  /** Lets go what a rule holds. */
  release(from: string, to: string): void {
    for (const connection of this.#between(from, to)) connection.hold(from, false);
  }

  /** Every connection between the two is lost, for both. */
  cut(one: string, other: string): void {
    for (const connection of [...this.#between(one, other)]) connection.destroy(connectionCut);
  }

  /**
   * The one that dialled loses its connections to the other, which hears nothing of it: what it held on the way may
   * still arrive there.
   */
  loseAtDialler(from: string, to: string): void {
    for (const connection of [...this.#between(from, to)]) if (connection.from === from) connection.loseHere();
  }

  /** Neither can make a connection to the other. Returns the way back. */
  part(one: string, other: string): () => void {
    this.#parted.add(pair(one, other)).add(pair(other, one));
    return () => {
      this.#parted.delete(pair(one, other));
      this.#parted.delete(pair(other, one));
    };
  }

  /** The node's process stands still: nothing reaches it, and nothing comes from it. */
  freeze(node: string): void {
    this.#frozen.add(node);
    this.#ofNode(node, (connection, direction) => connection.hold(direction, true));
  }

  thaw(node: string): void {
    this.#frozen.delete(node);
    this.#ofNode(node, (connection, direction) => connection.hold(direction, false));
  }

  /** The node's process is gone, and with it all its connections. */
  crash(node: string): void {
    this.#down.add(node);
    for (const connection of [...this.#connections]) {
      if (connection.from === node || connection.to === node) connection.destroy("the process ended");
    }
  }

  #ofNode(node: string, act: (connection: FaultyConnection, direction: string) => void): void {
    for (const connection of this.#connections) {
      if (connection.from !== node && connection.to !== node) continue;
      act(connection, connection.from);
      act(connection, connection.to);
    }
  }

  *#between(one: string, other: string): Iterable<FaultyConnection> {
    for (const connection of this.#connections) {
      const ends = [connection.from, connection.to];
      if (ends.includes(one) && ends.includes(other)) yield connection;
    }
  }

  /** For connections: what becomes of this frame; undefined when nothing happens to it. */
  fateOf(from: string, to: string, frame: Frame): Fate | undefined {
    const rule = this.#rules.find(({ match }) => {
      if (match.from !== from || match.to !== to || match.kind !== frame.kind) return false;
      return match.operation === undefined || (frame.kind === "call" && frame.body.operation === match.operation);
    });
    this.#rules = this.#rules.filter((other) => other !== rule);
    return rule?.fate;
  }

  noteArrival(from: string, to: string, frame: Frame): void {
    const mine = frame.kind === "reply" || (frame.kind === "call" && !frame.body.service.startsWith("$"));
    if (mine) this.arrivals.push({ from, to, frame });
  }

  forget(connection: FaultyConnection): void {
    this.#connections.delete(connection);
  }
}

function pair(from: string, to: string): string {
  return `${from} ${to}`;
}

/** One direction of a connection: frames on their way. */
class Wire {
  held = false;
  readonly #waiting: (() => void)[] = [];
  #rest: Buffer = Buffer.alloc(0);
  readonly #onFrame: (frame: Frame, bytes: Buffer) => Fate | undefined;
  readonly #deliver: (frame: Frame, bytes: Buffer) => void;
  readonly #lose: () => void;

  constructor(
    onFrame: (frame: Frame, bytes: Buffer) => Fate | undefined,
    deliver: (frame: Frame, bytes: Buffer) => void,
    lose: () => void,
  ) {
    this.#onFrame = onFrame;
    this.#deliver = deliver;
    this.#lose = lose;
  }

  get waiting(): number {
    return this.#waiting.length;
  }

  push(bytes: Uint8Array): void {
    this.#rest = Buffer.concat([this.#rest, bytes]);
    while (this.#rest.length >= lengthBytes) {
      const end = lengthBytes + this.#rest.readUInt32BE(0);
      if (end > this.#rest.length) return;
      const whole = this.#rest.subarray(0, end);
      this.#rest = this.#rest.subarray(end);
      this.#meet(readFrame(whole.subarray(lengthBytes)), whole);
    }
  }

  /** After everything that waits. */
  then(act: () => void): void {
    if (this.held) this.#waiting.push(act);
    else act();
  }

  release(): void {
    this.held = false;
    for (const act of this.#waiting.splice(0)) act();
  }

  #meet(frame: Frame, bytes: Buffer): void {
    const fate = this.#onFrame(frame, bytes);
    if (fate === "held") this.held = true;
    if (fate === "lost") return this.#lose();
    this.then(() => this.#deliver(frame, bytes));
    if (fate === "last") this.then(this.#lose);
  }
}

/** The dialled end of a connection: all that goes either way passes here. */
class FaultyConnection implements Connection {
  readonly from: string;
  readonly to: string;
  readonly #inner: Connection;
  readonly #network: FaultNetwork;
  readonly #out: Wire;
  readonly #in: Wire;
  #events: ConnectionEvents | undefined;
  /** This end was told that the connection is no more. */
  #closed = false;

  constructor(inner: Connection, network: FaultNetwork, from: string, to: string) {
    this.#inner = inner;
    this.#network = network;
    this.from = from;
    this.to = to;
    // Lost in the turn after this one, as the port makes no callbacks from inside its methods.
    const lose = (): void => network.soon(() => this.destroy(connectionCut));
    this.#out = new Wire(
      (frame) => network.fateOf(from, to, frame),
      (frame, bytes) => {
        network.noteArrival(from, to, frame);
        inner.send(bytes);
      },
      lose,
    );
    this.#in = new Wire(
      (frame) => network.fateOf(to, from, frame),
      (frame, bytes) => {
        if (this.#closed) return;
        network.noteArrival(to, from, frame);
        this.#events!.onData(new Uint8Array(bytes));
      },
      lose,
    );
  }

  get remote(): string {
    return this.#inner.remote;
  }

  get bufferedBytes(): number {
    return this.#inner.bufferedBytes;
  }

  start(events: ConnectionEvents): void {
    this.#events = events;
    this.#inner.start({
      onData: (bytes) => this.#in.push(bytes),
      onDrain: () => !this.#closed && events.onDrain(),
      onEnd: () => this.#in.then(() => !this.#closed && events.onEnd()),
      onClose: (reason) => {
        this.#network.forget(this);
        if (!this.#closed) events.onClose(reason);
        this.#closed = true;
      },
    });
  }

  send(bytes: Uint8Array): boolean {
    if (!this.#closed) this.#out.push(bytes);
    return true;
  }

  pause(): void {
    this.#inner.pause();
  }

  resume(): void {
    this.#inner.resume();
  }

  end(): void {
    this.#out.then(() => this.#inner.end());
  }

  destroy(message: string): void {
    this.#inner.destroy(message);
  }

  /** Only this end hears that the connection is lost. */
  loseHere(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#network.soon(() => this.#events?.onClose({ kind: "lost", message: connectionCut }));
  }

  hold(sender: string, held: boolean): void {
    const wire = sender === this.from ? this.#out : this.#in;
    if (held) wire.held = true;
    else wire.release();
  }

  waiting(sender: string): number {
    return (sender === this.from ? this.#out : this.#in).waiting;
  }
}
