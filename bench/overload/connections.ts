/**
 * HTTP connections of the load, as cheap as they can be, so that one processor can make a multiple of what another one
 * can answer: opened before anything is measured, and later when none is free; one request at a time on each, bytes out, and
 * of the answer the status. One that is given up is closed, as a caller who has gone closes his, and another one takes its place.
 *
 * The kernel calls a connection open before the server has seen it, and drops some while more than 511 wait to be seen;
 * whoever asks on one of those gets no answer for a second or more, whatever the server does. So there are never more
 * than a few of which the server has not answered anything yet.
 */
import { connect, type Socket } from "node:net";

/** Told once: the status of the answer and all of its text, or null if there will be none. */
export type OnAnswer = (status: number | null, text: string) => void;

/** Connections on which the server has not answered anything yet. */
const unseenMax = 128;
const reconnectMs = 10;
/** All connections read into this; whatever is in it is dealt with before the next one reads. */
const buffer = Buffer.alloc(64 * 1024);
/** Asked on each before anything is measured. Whatever the answer, the server has seen it. */
const greeting = "GET /nothing HTTP/1.1\r\nHost: localhost\r\n\r\n";

export class Connections {
  readonly #port: number;
  readonly #wanted: number;
  readonly #fresh: boolean;
  readonly #idle: Connection[] = [];
  readonly #all: Set<Connection> = new Set();
  readonly #unseen: Set<Connection> = new Set();
  #greeted = 0;
  #closed = false;
  #onGreeted: (() => void) | null = null;

  /** `wanted`: how many there are, or with `fresh`, where each request has one of its own, how many there may be. */
  constructor(port: number, wanted: number, fresh: boolean) {
    this.#port = port;
    this.#wanted = wanted;
    this.#fresh = fresh;
  }

  /** Resolves when the server has answered on all of them. */
  open(): Promise<void> {
    if (this.#fresh) return Promise.resolve();
    return new Promise((resolve) => {
      this.#onGreeted = () => {
        this.#greeted += 1;
        if (this.#greeted < this.#wanted) return;
        this.#onGreeted = null;
        resolve();
      };
      this.#openMore();
    });
  }

  /** Sends a request on a connection that has nothing else to do, or on a new one; undefined if there may be no more. */
  send(request: string, onAnswer: OnAnswer): Connection | undefined {
    if (this.#fresh) return this.#all.size < this.#wanted ? this.#sendOnce(request, onAnswer) : undefined;
    const idle = this.#idle.pop();
    if (idle === undefined) {
      return this.#mayOpen ? this.#open((connection) => connection.send(request, onAnswer)) : undefined;
    }
    idle.send(request, onAnswer);
    return idle;
  }

  #sendOnce(request: string, onAnswer: OnAnswer): Connection {
    const connection = new Connection(this.#port, {
      opened: () =>
        connection.send(request, (status, text) => {
          connection.abandon();
          onAnswer(status, text);
        }),
      idle: () => {},
      ended: () => this.#all.delete(connection),
    });
    this.#all.add(connection);
    return connection;
  }

  close(): void {
    this.#closed = true;
    for (const connection of this.#all) connection.abandon();
  }

  get #mayOpen(): boolean {
    return !this.#closed && this.#unseen.size < unseenMax && this.#all.size < this.#wanted;
  }

  #openMore(): void {
    while (this.#mayOpen) {
      this.#open((connection) => {
        // Those that the server knows go first.
        if (this.#onGreeted === null) this.#idle.unshift(connection);
        else connection.send(greeting, () => this.#onGreeted?.());
      });
    }
  }

  #open(opened: (connection: Connection) => void): Connection {
    const connection = new Connection(this.#port, {
      opened: () => opened(connection),
      idle: () => {
        this.#idle.push(connection);
        if (this.#unseen.delete(connection) && this.#onGreeted !== null) this.#openMore();
      },
      ended: () => this.#ended(connection),
    });
    this.#all.add(connection);
    this.#unseen.add(connection);
    return connection;
  }

  /**
   * One that was given up or cut is replaced at once, for its caller or the next one. One that the server closed because
   * nothing was asked on it is not: servers do that to all that a burst has left behind, and callers would keep them busy
   * with opening connections that nobody needs.
   */
  #ended(connection: Connection): void {
    this.#all.delete(connection);
    this.#unseen.delete(connection);
    const at = this.#idle.indexOf(connection);
    if (at >= 0) this.#idle.splice(at, 1);
    else if (!this.#closed) setTimeout(() => this.#openMore(), reconnectMs);
  }
}

interface Events {
  readonly opened: () => void;
  readonly idle: () => void;
  readonly ended: () => void;
}

export class Connection {
  readonly #socket: Socket;
  readonly #events: Events;
  /** The part of an answer that has come. */
  #received = "";
  #onAnswer: OnAnswer | null = null;

  constructor(port: number, events: Events) {
    this.#events = events;
    const onread = { buffer, callback: (length: number) => this.#read(length) };
    this.#socket = connect({ host: "127.0.0.1", port, noDelay: true, onread }, events.opened);
    this.#socket.on("error", () => {});
    this.#socket.on("close", () => {
      events.ended();
      this.#answer(null, "");
    });
  }

  send(request: string, onAnswer: OnAnswer): void {
    this.#onAnswer = onAnswer;
    this.#socket.write(request, "latin1");
  }

  abandon(): void {
    this.#onAnswer = null;
    this.#socket.destroy();
  }

  #read(length: number): boolean {
    this.#received += buffer.toString("latin1", 0, length);
    const status = statusOfWhole(this.#received);
    if (status === undefined) return true;
    const text = this.#received;
    this.#received = "";
    // Nothing was asked: the server says that it will close a connection on which nothing came for so long.
    if (this.#onAnswer === null) {
      this.abandon();
      return false;
    }
    this.#events.idle();
    this.#answer(status, text);
    return true;
  }

  #answer(status: number | null, text: string): void {
    const onAnswer = this.#onAnswer;
    this.#onAnswer = null;
    onAnswer?.(status, text);
  }
}

/** Of a whole answer; undefined while a part of it is missing. */
function statusOfWhole(received: string): number | undefined {
  const headEnd = received.indexOf("\r\n\r\n");
  if (headEnd < 0) return undefined;
  const length = /\r\ncontent-length: *(\d+)/i.exec(received);
  const whole =
    length !== null && length.index < headEnd
      ? received.length >= headEnd + 4 + Number(length[1])
      : !/\r\ntransfer-encoding: *chunked/i.test(received.slice(0, headEnd)) || received.endsWith("0\r\n\r\n");
  return whole ? Number(received.slice(9, 12)) : undefined;
}
