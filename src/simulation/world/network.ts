/**
 * The simulated network: machines, the ways between them, and what goes wrong on a way. Each machine gets a network
 * port of its own; what it sends takes time, is cut, waits while the way is blocked, and arrives in order or not at
 * all. Ways are one-way: `node-1` may hear `node-2` without being heard.
 */
import { crc32 } from "node:zlib";
import { SynodError } from "../../errors.ts";
import type { Connection, Listener, Network } from "../../ports/network.ts";
import type { Prng } from "../../values/prng.ts";
import { SimulatedConnection } from "./connection.ts";
import { Ear } from "./overheard.ts";
import type { Process } from "./process.ts";
import type { Passage } from "./trace.ts";
import { between, skewed, type World } from "./world.ts";

/** From one machine to another. */
export interface Way {
  /** Chance of its own: what happens on one way moves nothing on another, so that a run with less in it stays like it was. */
  readonly prng: Prng;
  readonly isLocal: boolean;
  /** How many faults block it: it carries nothing while there are any. */
  blocks: number;
  /** What each segment takes besides, ms. */
  slownessMs: number;
}

interface Listening {
  readonly process: Process;
  readonly onConnection: (connection: Connection) => void;
}

/** How long a refused or lost connection's reset takes to be sent again, at the most, ms. */
const connectRetryMs = 300;

export interface NetworkWeather {
  /** Least and greatest delay of a segment, ms; most take little more than the least. */
  delayMinMs: number;
  delayMaxMs: number;
  /** How likely it is that a segment is cut once more. */
  cutProbability: number;
}

export class SimulatedNetwork {
  readonly world: World;
  readonly weather: NetworkWeather;
  readonly #listeners = new Map<string, Listening>();
  readonly #connections = new Set<SimulatedConnection>();
  readonly #ways = new Map<string, Way>();
  /** Machines without power. */
  readonly #down = new Set<string>();
  #numbers = 0;
  #nextPort = 40_000;

  constructor(world: World, weather: NetworkWeather) {
    this.world = world;
    this.weather = weather;
  }

  get cutProbability(): number {
    return this.weather.cutProbability;
  }

  get connectionsLength(): number {
    return this.#connections.size;
  }

  /** The ends of connections that a process uses. */
  connectionsInUse(process: Process): number {
    return [...this.#connections].filter((connection) => connection.process === process && connection.isInUse).length;
  }

  /** The network as one process sees it. */
  portOf(process: Process): Network {
    return {
      listen: async (address, onConnection) => this.#listen(process, address, onConnection),
      connect: (address, timeoutMs) => this.#connect(process, address, timeoutMs),
    };
  }

  delayMs({ prng, isLocal, slownessMs }: Way): number {
    if (isLocal) return skewed(prng, 0.01, 0.1);
    return skewed(prng, this.weather.delayMinMs, this.weather.delayMaxMs) + slownessMs;
  }

  way(from: string, to: string): Way {
    const name = `${from}→${to}`;
    let way = this.#ways.get(name);
    if (way === undefined) {
      way = { prng: this.world.momentaryPrng(`network/${name}`), isLocal: from === to, blocks: 0, slownessMs: 0 };
      this.#ways.set(name, way);
    }
    return way;
  }

  isUp(host: string): boolean {
    return !this.#down.has(host);
  }

  /** Blocks a way, until the returned function has been called. */
  block(from: string, to: string): () => void {
    const way = this.way(from, to);
    way.blocks += 1;
    let undone = false;
    return () => {
      if (!undone) way.blocks -= 1;
      undone = true;
    };
  }

  /** Whatever goes this way takes so much longer, until the returned function has been called. */
  slowDown(from: string, to: string, ms: number): () => void {
    const way = this.way(from, to);
    way.slownessMs += ms;
    let undone = false;
    return () => {
      if (!undone) way.slownessMs -= ms;
      undone = true;
    };
  }

  /** Cuts every connection between two machines; `one end`: the second one is not told. Returns how many there were. */
  cutConnections(a: string, b: string, ends: "both ends" | "one end" = "both ends"): number {
    const connections = this.#connectionsBetween(a, b);
    for (const connection of connections) {
      connection.lose("the network cut the connection");
      if (ends === "both ends") connection.other.lose("the network cut the connection");
    }
    return connections.length;
  }

  /**
   * What `from` sends to `to` on the connections of now stays on the way; then `from` loses them. Returns what lets
   * those bytes arrive at last; before they are lost it leaves the connections whole. Null when there are none.
   */
  delayUntilLost(from: string, to: string, lostAfterMs: number): (() => void) | null {
    const connections = this.#connectionsBetween(from, to);
    if (connections.length === 0) return null;
    for (const connection of connections) connection.hold();
    let letGo = (): void => {
      for (const connection of connections) connection.release();
    };
    const losing = this.world.after(lostAfterMs, () => {
      const arrivals = connections.filter(({ open }) => open).map((connection) => connection.strand());
      letGo = () => {
        for (const arrive of arrivals) arrive();
      };
    });
    return () => {
      this.world.cancel(losing);
      letGo();
    };
  }

  /** Of each its end at `host`. */
  #connectionsBetween(host: string, otherHost: string): readonly SimulatedConnection[] {
    return [...this.#connections].filter((one) => one.host === host && one.other.host === otherHost);
  }

  /** The process is no more; its machine tells the others, unless the machine itself is gone (`powerLost`). */
  processEnded(process: Process, powerLost: boolean): void {
    for (const [address, listening] of [...this.#listeners]) {
      if (listening.process === process) this.#listeners.delete(address);
    }
    for (const connection of [...this.#connections]) {
      if (connection.process !== process) continue;
      connection.vanish(powerLost);
      this.#connections.delete(connection);
      if (!powerLost) this.sendReset(connection, "the process at the other side ended");
    }
    if (powerLost) this.#down.add(process.name);
  }

  powerOn(host: string): void {
    this.#down.delete(host);
  }

  /** Tells the end opposite to `from` that the connection is no more; a reset that is lost is not sent again. */
  sendReset(from: SimulatedConnection, message: string): void {
    const { way, other } = from;
    this.world.after(this.delayMs(way), () => {
      if (way.blocks === 0 && this.isUp(other.host)) other.lose(message);
    });
  }

  forget(connection: SimulatedConnection): void {
    this.#connections.delete(connection);
  }

  traceSegment(to: SimulatedConnection, bytes: Uint8Array | null, passage: Passage | undefined): void {
    const what = bytes === null ? "end" : `${bytes.length} bytes ${crc32(bytes).toString(16)}`;
    this.world.trace.add(to.host, "message", `from ${to.other.host} ${to.name}: ${what}`);
    if (passage === undefined) return;
    this.world.trace.arrived(passage);
    const heard = bytes === null ? [{ says: "end of the connection", minor: true }] : (to.ear?.hear(bytes) ?? []);
    passage.says = heard.map(({ says }) => says);
    passage.minor = heard.every(({ minor }) => minor);
  }

  #listen(process: Process, address: string, onConnection: (connection: Connection) => void): Listener {
    const match = /^(.+):(\d{1,5})$/.exec(address);
    if (match === null) throw new SynodError("invalid_argument", `${JSON.stringify(address)} is not an address`);
    const bound = Number(match[2]) === 0 ? `${match[1]}:${this.#nextPort++}` : address;
    if (this.#listeners.has(bound)) throw new SynodError("already_exists", `${bound} is in use`);
    const listening = { process, onConnection };
    this.#listeners.set(bound, listening);
    return {
      address: bound,
      close: async () => {
        if (this.#listeners.get(bound) === listening) this.#listeners.delete(bound);
      },
    };
  }

  #connect(process: Process, address: string, timeoutMs: number): Promise<Connection> {
    const to = address.slice(0, address.lastIndexOf(":"));
    const there = this.way(process.name, to);
    const back = this.way(to, process.name);
    return new Promise((resolve, reject) => {
      let settled = false;
      const settle = (end: () => void): void => {
        if (settled) return;
        settled = true;
        process.deliver(end);
      };
      const fail = (why: string): void =>
        settle(() => reject(new SynodError("unavailable", `cannot connect to ${address}: ${why}`)));
      this.world.after(timeoutMs, () => fail(`no answer within ${timeoutMs} ms`));
      const dial = (): void => {
        if (settled || !process.alive) return;
        if (there.blocks > 0 || back.blocks > 0 || !this.isUp(to)) {
          this.world.after(between(there.prng, connectRetryMs / 2, connectRetryMs), dial);
          return;
        }
        const listening = this.#listeners.get(address);
        if (listening === undefined) {
          this.world.after(this.delayMs(back), () => fail("nobody listens"));
          return;
        }
        const [dialled, accepted] = this.#pair(process, listening.process, address);
        this.world.after(this.delayMs(back), () => {
          // Whoever gave up meanwhile does not know this connection.
          if (!settled && process.alive) return settle(() => resolve(dialled));
          dialled.lose("its dialler had given up");
          this.sendReset(dialled, "the other side knows nothing of this connection");
        });
        listening.process.deliver(() => listening.onConnection(accepted));
      };
      this.world.after(this.delayMs(there), dial);
    });
  }

  #pair(dialler: Process, acceptor: Process, address: string): readonly [SimulatedConnection, SimulatedConnection] {
    const name = `#${++this.#numbers}`;
    const dialled = new SimulatedConnection(this, dialler, acceptor.name, name, address);
    const accepted = new SimulatedConnection(this, acceptor, dialler.name, name, `${dialler.name}:0`);
    if (this.world.trace.kept) [dialled.ear, accepted.ear] = Ear.pair();
    dialled.other = accepted;
    accepted.other = dialled;
    this.#connections.add(dialled);
    this.#connections.add(accepted);
    return [dialled, accepted];
  }
}
