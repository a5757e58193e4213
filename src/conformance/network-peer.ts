/** One end of a connection under test: writes down what happens, and makes transfers that show their faults. */
import { SynodError } from "../errors.ts";
import type { CloseReason, Connection } from "../ports/network.ts";

/** Much longer than anything here takes. */
const deadlineMs = 10_000;
/** Not a divisor of any buffer's length, so that a lost or doubled block shows. */
const patternPeriod = 251;

/** Waits until a condition holds; looks after every turn of the event loop. */
export async function until(holds: () => boolean, what: string): Promise<void> {
  const deadline = performance.now() + deadlineMs;
  while (!holds()) {
    if (performance.now() > deadline) throw new SynodError("deadline_exceeded", `not within ${deadlineMs} ms: ${what}`);
    await new Promise((resolve) => setImmediate(resolve));
  }
}

export class Peer {
  readonly connection: Connection;
  receivedBytes = 0;
  ended = false;
  closed: CloseReason | undefined;
  closes = 0;
  drains = 0;
  /** Called after every piece that arrived. */
  onData: () => void = () => {};
  readonly #chunks: Uint8Array[] = [];
  #quietTurns = 0;
  #drainsSeen = 0;

  constructor(connection: Connection) {
    this.connection = connection;
    connection.start({
      onData: (bytes) => {
        this.#chunks.push(bytes);
        this.receivedBytes += bytes.length;
        this.onData();
      },
      onDrain: () => {
        this.drains++;
      },
      onEnd: () => {
        this.ended = true;
      },
      onClose: (reason) => {
        this.closed = reason;
        this.closes++;
      },
    });
  }

  received(): Uint8Array {
    const all = new Uint8Array(this.receivedBytes);
    let position = 0;
    for (const chunk of this.#chunks) {
      all.set(chunk, position);
      position += chunk.length;
    }
    return all;
  }

  chunkLengths(): number[] {
    return this.#chunks.map(({ length }) => length);
  }

  /** How many calls in a row saw no drain. */
  turnsWithoutDrain(): number {
    this.#quietTurns = this.drains === this.#drainsSeen ? this.#quietTurns + 1 : 0;
    this.#drainsSeen = this.drains;
    return this.#quietTurns;
  }

  /** Sends `total` bytes that count up, and stops whenever the connection says so. */
  async sendPattern(total: number, chunkBytes: number): Promise<void> {
    for (let sent = 0; sent < total; sent += chunkBytes) {
      const chunk = Uint8Array.from(
        { length: Math.min(chunkBytes, total - sent) },
        (_, index) => (sent + index) % patternPeriod,
      );
      const drains = this.drains;
      if (!this.connection.send(chunk)) await until(() => this.drains > drains, "the sender may go on");
    }
  }

  /** How many of the received bytes do not continue the pattern. */
  patternFaults(): number {
    return this.received().reduce((faults, byte, index) => faults + (byte === index % patternPeriod ? 0 : 1), 0);
  }

  /** Lets the other side send to this one, some turns in a row. */
  async roundTrips(other: Peer, count: number): Promise<void> {
    for (let round = 0; round < count; round++) {
      const before = this.receivedBytes;
      other.connection.send(Uint8Array.of(round));
      await until(() => this.receivedBytes > before, "the other direction goes on");
    }
  }
}
