/**
 * The network port within one process: streams that lose nothing, keep their order, push back, and end or
 * break as TCP connections do. Tests run on it, and the simulator puts its faults around it.
 */
import { SynodError } from "../../errors.ts";
import type { CloseReason, Connection, ConnectionEvents, Listener, Network } from "../../ports/network.ts";

export interface MemoryNetworkOptions {
  /** Calls back after the events that are already due; the clock port's `soon`. */
  readonly soon?: (callback: () => void) => void;
}

/** Bytes on the way that make `send` say to stop. */
const pipeBytesMax = 64 * 1024;
const firstFreePort = 40_000;
const lastPort = 65_535;

/** A network of its own: nobody outside can reach its addresses. */
export function memoryNetwork(options: MemoryNetworkOptions = {}): Network {
  const soon = options.soon ?? ((callback) => void setImmediate(callback));
  const listeners = new Map<string, (connection: Connection) => void>();

  return {
    listen: async (address, onConnection) => {
      const bound = bind(address, listeners);
      listeners.set(bound, onConnection);
      return listenerOf(bound, onConnection, listeners);
    },
    connect: async (address) => {
      const onConnection = listeners.get(address);
      if (onConnection === undefined)
        throw new SynodError("unavailable", `cannot connect to ${address}: nobody listens`);
      const [dialled, accepted] = pair(address, soon);
      soon(() => onConnection(accepted));
      return dialled;
    },
  };
}

function bind(address: string, listeners: ReadonlyMap<string, unknown>): string {
  const match = /^(.+):(\d{1,5})$/.exec(address);
  if (match === null) throw new SynodError("invalid_argument", `${JSON.stringify(address)} is not an address`);
  const bound = Number(match[2]) === 0 ? freeAddress(match[1]!, listeners) : address;
  if (listeners.has(bound)) throw new SynodError("already_exists", `${bound} is in use`);
  return bound;
}

function freeAddress(host: string, listeners: ReadonlyMap<string, unknown>): string {
  for (let port = firstFreePort; port <= lastPort; port++) {
    if (!listeners.has(`${host}:${port}`)) return `${host}:${port}`;
  }
  throw new SynodError("resource_exhausted", `no port of ${host} is free`);
}

function listenerOf(address: string, onConnection: unknown, listeners: Map<string, unknown>): Listener {
  return {
    address,
    close: async () => {
      if (listeners.get(address) === onConnection) listeners.delete(address);
    },
  };
}

function pair(address: string, soon: (callback: () => void) => void): readonly [MemoryConnection, MemoryConnection] {
  const there: Pipe = { chunks: [], bytes: 0, ended: false };
  const back: Pipe = { chunks: [], bytes: 0, ended: false };
  const dialled = new MemoryConnection(address, there, back, soon);
  const accepted = new MemoryConnection("dialler", back, there, soon);
  dialled.other = accepted;
  accepted.other = dialled;
  return [dialled, accepted];
}

/** One direction: what was sent and not delivered. */
interface Pipe {
  chunks: Uint8Array[];
  bytes: number;
  ended: boolean;
}

class MemoryConnection implements Connection {
  readonly remote: string;
  other!: MemoryConnection;
  readonly #out: Pipe;
  readonly #in: Pipe;
  readonly #soon: (callback: () => void) => void;
  #events: ConnectionEvents | undefined;
  #paused = false;
  #scheduled = false;
  /** A `send` returned false. */
  #waitsForDrain = false;
  #endDelivered = false;
  #closing: CloseReason | undefined;
  #closed = false;

  constructor(remote: string, out: Pipe, incoming: Pipe, soon: (callback: () => void) => void) {
    this.remote = remote;
    this.#out = out;
    this.#in = incoming;
    this.#soon = soon;
  }

  get bufferedBytes(): number {
    return this.#out.bytes;
  }

  start(events: ConnectionEvents): void {
    this.#events = events;
    this.#wake();
  }

  send(bytes: Uint8Array): boolean {
    if (this.#out.ended || this.#closing !== undefined || bytes.length === 0) return true;
    this.#out.chunks.push(bytes);
    this.#out.bytes += bytes.length;
    this.other.#wake();
    if (this.#out.bytes <= pipeBytesMax) return true;
    this.#waitsForDrain = true;
    return false;
  }

  pause(): void {
    this.#paused = true;
  }

  resume(): void {
    this.#paused = false;
    this.#wake();
  }

  end(): void {
    if (this.#out.ended || this.#closing !== undefined) return;
    this.#out.ended = true;
    this.other.#wake();
    this.#wake();
  }

  destroy(message: string): void {
    if (this.#closing !== undefined) return;
    this.#close({ kind: "destroyed", message });
    this.other.#close({ kind: "lost", message: "the other side cut the connection" });
  }

  #close(reason: CloseReason): void {
    if (this.#closing !== undefined) return;
    this.#closing = reason;
    this.#in.chunks = [];
    this.#in.bytes = 0;
    this.#wake();
  }

  /** Everything that the holder hears of, it hears from here. */
  #wake(): void {
    if (this.#scheduled || this.#events === undefined || this.#closed) return;
    this.#scheduled = true;
    this.#soon(() => {
      this.#scheduled = false;
      this.#deliver(this.#events!);
    });
  }

  #deliver(events: ConnectionEvents): void {
    if (this.#closed) return;
    this.#deliverData(events);
    if (this.#waitsForDrain && this.#out.bytes === 0 && this.#closing === undefined) {
      this.#waitsForDrain = false;
      events.onDrain();
    }
    const mayEnd = this.#in.ended && this.#in.bytes === 0 && !this.#paused && this.#closing === undefined;
    if (mayEnd && !this.#endDelivered) {
      this.#endDelivered = true;
      events.onEnd();
      this.other.#wake();
    }
    // The other side has heard of our end, and we of its end: nothing is on the way any more.
    if (this.#endDelivered && this.other.#endDelivered)
      this.#closing ??= { kind: "ended", message: "both sides ended" };
    if (this.#closing === undefined) return;
    this.#closed = true;
    events.onClose(this.#closing);
  }

  #deliverData(events: ConnectionEvents): void {
    while (!this.#paused && this.#closing === undefined) {
      const chunk = this.#in.chunks.shift();
      if (chunk === undefined) break;
      this.#in.bytes -= chunk.length;
      events.onData(chunk);
    }
    if (this.#in.bytes === 0 && this.other.#waitsForDrain) this.other.#wake();
  }
}
