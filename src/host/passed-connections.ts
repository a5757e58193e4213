/**
 * Idle connections on their way from a node that leaves to one that stays. The supervisor only passes the sockets
 * on and never reads from them: what a client sends meanwhile waits in the kernel for the node that takes over. While
 * no node serves, as in the restart of the only one, they are kept for the next that does.
 */
import type { ConnectionHandle } from "../ports/gateway.ts";

/** Connections that may wait for a node; each is an open file of the supervisor. */
const waitingLengthMax = 1_000;

/** A node that takes connections over. */
export interface Taker {
  takeOver(adapter: number, connection: ConnectionHandle): void;
}

export class PassedConnections {
  /** The nodes that serve now. */
  readonly #takers: () => readonly Taker[];
  #waiting: { readonly adapter: number; readonly connection: ConnectionHandle }[] = [];
  #turn = 0;
  #closed = false;

  constructor(takers: () => readonly Taker[]) {
    this.#takers = takers;
  }

  /** To each node in turn. */
  pass(adapter: number, connection: ConnectionHandle): void {
    const takers = this.#takers();
    if (takers.length > 0) takers[this.#turn++ % takers.length]!.takeOver(adapter, connection);
    else if (!this.#closed && this.#waiting.length < waitingLengthMax) this.#waiting.push({ adapter, connection });
    else connection.close();
  }

  /** A node serves: what has waited for one goes there. */
  passWaiting(): void {
    for (const { adapter, connection } of this.#waiting.splice(0)) this.pass(adapter, connection);
  }

  /** Nobody will serve any more. */
  close(): void {
    this.#closed = true;
    for (const { connection } of this.#waiting.splice(0)) connection.close();
  }
}
