/**
 * A TCP proxy that stands between two sides and misbehaves on demand: it cuts connections, delays what they carry, and
 * keeps what is said in one direction to itself while the other goes on (a one-way partition, in which nobody hears
 * that a connection is gone). What it keeps back it passes on when that is over, in order, unless the connection was cut.
 *
 * It stands between the nodes, each of which dials it and says in a first line who it is and whom it wants
 * (`instrument.ts`), and between the clients and the system.
 */
import { once } from "node:events";
import { type AddressInfo, connect, createServer, type Server, type Socket } from "node:net";

/** Between whom a connection is: names that the rules go by. */
export interface Ends {
  readonly from: string;
  readonly to: string;
  readonly host: string;
  readonly port: number;
}

/** What happens to bytes from one side to another. */
export interface Rule {
  readonly delayMs: number;
  readonly silent: boolean;
}

type RuleOf = (from: string, to: string) => Rule;
/** Learns from a new connection between whom it is; bytes that it has read too many go on to the other side. */
type Route = (socket: Socket) => Promise<{ readonly ends: Ends; readonly rest: Buffer }>;

/** What one direction keeps back at the most, before its sender is no longer read from. */
const keptBytesMax = 1024 * 1024;
const firstLineBytesMax = 4_096;
const untouched: Rule = { delayMs: 0, silent: false };

export class FaultProxy implements AsyncDisposable {
  readonly #server: Server;
  readonly #links = new Set<Link>();
  #rules: readonly { readonly from: string; readonly to: string; readonly rule: Rule }[] = [];

  private constructor(route: Route) {
    this.#server = createServer({ pauseOnConnect: true }, (socket) => {
      socket.on("error", () => {});
      route(socket).then(
        ({ ends, rest }) => this.#join(socket, ends, rest),
        () => socket.destroy(),
      );
    });
  }

  /** Between nodes: whoever dials says in a first line of JSON, `{ from, to, host, port }`, what it wants. */
  static betweenNodes(): Promise<FaultProxy> {
    return FaultProxy.#start(new FaultProxy(readEnds));
  }

  /** In front of one address. */
  static inFrontOf(ends: Ends): Promise<FaultProxy> {
    return FaultProxy.#start(new FaultProxy(async () => ({ ends, rest: Buffer.alloc(0) })));
  }

  static async #start(proxy: FaultProxy): Promise<FaultProxy> {
    proxy.#server.listen(0, "127.0.0.1");
    await once(proxy.#server, "listening");
    return proxy;
  }

  get port(): number {
    return (this.#server.address() as AddressInfo).port;
  }

  /** Puts a rule on everything that `from` says to `to`, on whoever's connection, until the answer is called. */
  impose(from: string, to: string, rule: Partial<Rule>): () => void {
    const imposed = { from, to, rule: { ...untouched, ...rule } };
    this.#rules = [...this.#rules, imposed];
    return () => {
      this.#rules = this.#rules.filter((other) => other !== imposed);
      for (const link of this.#links) link.resume();
    };
  }

  /** Resets connections between these two, whoever dialled, or those for which `isMeant` says so; answers how many. */
  cut(isMeant: (ends: Ends) => boolean): number {
    const meant = [...this.#links].filter(({ ends }) => isMeant(ends));
    for (const link of meant) link.cut();
    return meant.length;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#server.close();
    for (const link of this.#links) link.cut();
    await once(this.#server, "close");
  }

  #join(dialler: Socket, ends: Ends, rest: Buffer): void {
    const target = connect({ host: ends.host, port: ends.port, noDelay: true });
    dialler.setNoDelay(true);
    const ruleOf: RuleOf = (from, to) =>
      this.#rules.findLast((imposed) => imposed.from === from && imposed.to === to)?.rule ?? untouched;
    const link = new Link(ends, dialler, target, ruleOf);
    this.#links.add(link);
    link.ended.then(() => this.#links.delete(link));
    if (rest.length > 0) target.write(rest);
  }
}

/** One connection, as two that are joined. */
class Link {
  readonly ends: Ends;
  readonly ended: Promise<void>;
  readonly #sockets: readonly Socket[];
  readonly #directions: readonly Direction[];

  constructor(ends: Ends, dialler: Socket, target: Socket, ruleOf: RuleOf) {
    this.ends = ends;
    this.#sockets = [dialler, target];
    this.#directions = [
      new Direction(dialler, target, () => ruleOf(ends.from, ends.to)),
      new Direction(target, dialler, () => ruleOf(ends.to, ends.from)),
    ];
    for (const socket of this.#sockets) socket.on("error", () => this.cut());
    this.ended = Promise.all(this.#sockets.map((socket) => gone(socket))).then(() => {});
  }

  cut(): void {
    for (const socket of this.#sockets) socket.resetAndDestroy();
    for (const direction of this.#directions) direction.drop();
  }

  resume(): void {
    for (const direction of this.#directions) direction.pass();
  }
}

function gone(socket: Socket): Promise<void> {
  return new Promise((resolve) => socket.once("close", () => resolve()));
}

/** What goes from one socket to another: passed on in order, each piece when it is due and nothing silences it. */
class Direction {
  readonly #to: Socket;
  readonly #from: Socket;
  readonly #rule: () => Rule;
  /** `null` is the end of it. */
  #kept: { readonly piece: Buffer | null; readonly dueAt: number }[] = [];
  #keptBytes = 0;
  #timer: NodeJS.Timeout | undefined;

  constructor(from: Socket, to: Socket, rule: () => Rule) {
    this.#from = from;
    this.#to = to;
    this.#rule = rule;
    from.on("data", (piece: Buffer) => this.#keep(piece));
    from.on("end", () => this.#keep(null));
    from.on("close", () => this.#keep(null));
    from.resume();
  }

  pass(): void {
    clearTimeout(this.#timer);
    while (this.#kept.length > 0 && !this.#rule().silent) {
      const { piece, dueAt } = this.#kept[0]!;
      const waitMs = dueAt - performance.now();
      if (waitMs > 0) {
        this.#timer = setTimeout(() => this.pass(), waitMs);
        return;
      }
      this.#kept.shift();
      if (piece === null) this.#to.end();
      else this.#to.write(piece);
      this.#keptBytes -= piece?.length ?? 0;
    }
    if (this.#keptBytes < keptBytesMax) this.#from.resume();
  }

  drop(): void {
    clearTimeout(this.#timer);
    this.#kept = [];
  }

  #keep(piece: Buffer | null): void {
    this.#kept.push({ piece, dueAt: performance.now() + this.#rule().delayMs });
    this.#keptBytes += piece?.length ?? 0;
    if (this.#keptBytes >= keptBytesMax) this.#from.pause();
    this.pass();
  }
}

/** Reads the first line of a connection. */
function readEnds(socket: Socket): Promise<{ ends: Ends; rest: Buffer }> {
  return new Promise((resolve, reject) => {
    let read = Buffer.alloc(0);
    const onData = (piece: Buffer): void => {
      read = Buffer.concat([read, piece]);
      const end = read.indexOf("\n");
      if (end < 0 && read.length < firstLineBytesMax) return;
      socket.pause();
      socket.off("data", onData);
      if (end < 0) return reject(new Error("a first line that does not end"));
      resolve({ ends: JSON.parse(read.toString("utf8", 0, end)) as Ends, rest: read.subarray(end + 1) });
    };
    socket.on("data", onData);
    socket.once("close", () => reject(new Error("closed before its first line")));
    socket.resume();
  });
}
