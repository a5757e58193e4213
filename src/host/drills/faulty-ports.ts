/**
 * The ports of a node that takes part in drills: what it is given instead of its network and its store, so that a drill can
 * reset its links and slow its store down. Without an order they do what the real ones do.
 */
import type { Connection, ConnectionEvents, Listener, Network } from "../../ports/network.ts";
import type { Store } from "../../ports/store.ts";
import { pause } from "../within.ts";

/** Remembers the connections that are open, so that all can be reset at once. */
export class CuttableNetwork implements Network {
  readonly #network: Network;
  readonly #open = new Set<Connection>();

  constructor(network: Network) {
    this.#network = network;
  }

  async listen(address: string, onConnection: (connection: Connection) => void): Promise<Listener> {
    return await this.#network.listen(address, (connection) => onConnection(this.#watched(connection)));
  }

  async connect(address: string, timeoutMs: number): Promise<Connection> {
    return this.#watched(await this.#network.connect(address, timeoutMs));
  }

  /** Resets every connection; returns how many there were. */
  cut(): number {
    const open = [...this.#open];
    for (const connection of open) connection.destroy("a drill reset it");
    return open.length;
  }

  #watched(connection: Connection): Connection {
    this.#open.add(connection);
    return new WatchedConnection(connection, () => this.#open.delete(connection));
  }
}

class WatchedConnection implements Connection {
  readonly #connection: Connection;
  readonly #onClosed: () => void;

  constructor(connection: Connection, onClosed: () => void) {
    this.#connection = connection;
    this.#onClosed = onClosed;
  }

  get remote(): string {
    return this.#connection.remote;
  }

  get provenNodes(): readonly string[] | undefined {
    return this.#connection.provenNodes;
  }

  get bufferedBytes(): number {
    return this.#connection.bufferedBytes;
  }

  start(events: ConnectionEvents): void {
    this.#connection.start({
      onData: (bytes) => events.onData(bytes),
      onDrain: () => events.onDrain(),
      onEnd: () => events.onEnd(),
      onClose: (reason) => {
        this.#onClosed();
        events.onClose(reason);
      },
    });
  }

  send(bytes: Uint8Array): boolean {
    return this.#connection.send(bytes);
  }

  pause(): void {
    this.#connection.pause();
  }

  resume(): void {
    this.#connection.resume();
  }

  end(): void {
    this.#connection.end();
  }

  destroy(message: string): void {
    this.#connection.destroy(message);
  }
}

/** A store whose requests can be made to take longer; they keep their order. */
export class SlowableStore {
  readonly store: Store;
  #slowUntil = 0;
  #delayMs = 0;

  constructor(store: Store) {
    this.store = new Proxy(store, { get: (target, name) => this.#member(target, name as keyof Store) });
  }

  slow(delayMs: number, lastsMs: number): void {
    this.#delayMs = delayMs;
    this.#slowUntil = performance.now() + lastsMs;
  }

  #member(target: Store, name: keyof Store): unknown {
    const member = target[name];
    if (typeof member !== "function") return member;
    const request = member.bind(target) as (...words: readonly unknown[]) => Promise<unknown>;
    if (name === "close") return request;
    return async (...words: readonly unknown[]): Promise<unknown> => {
      if (performance.now() < this.#slowUntil) await pause(this.#delayMs);
      return await request(...words);
    };
  }
}
