/**
 * The connections of a load process: prepared bytes go out on whichever has been idle for the longest, so that all nodes
 * behind an address get their part, and more are opened while calls wait, up to a bound. A call that waits for a
 * connection waits on the caller's time, like one that waits for anything else.
 */
import { connect as connectTcp, type Socket } from "node:net";
import { connect as connectTls } from "node:tls";
import { Fifo } from "../../values/fifo.ts";
import { answerLengthMax, type ReadAnswer, readAnswer } from "./answer.ts";
import type { Ending, OpenCall } from "./open-loop.ts";

export interface Target {
  readonly host: string;
  readonly port: number;
  readonly tls: boolean;
}

interface Sending {
  readonly call: OpenCall;
  /** Latin-1, one character for each byte; made when it is sent. */
  readonly request: () => string;
  readonly onEnd: (ending: Ending, body: string) => void;
}

export class Connections {
  readonly #target: Target;
  readonly #connectionsMax: number;
  readonly #idle = new Fifo<Socket>();
  readonly #waiting = new Fifo<Sending>();
  readonly #busy = new Map<Socket, Sending>();
  #count = 0;

  constructor(target: Target, connectionsMax: number) {
    this.#target = target;
    this.#connectionsMax = connectionsMax;
  }

  /** `onEnd` is called once, unless the call is over when its turn comes. */
  send(call: OpenCall, request: Sending["request"], onEnd: Sending["onEnd"]): void {
    const sending = { call, request, onEnd };
    const socket = this.#idle.take();
    if (socket !== undefined) return this.#write(socket, sending);
    this.#waiting.add(sending);
    if (this.#count < this.#connectionsMax) this.#open();
  }

  /** Cuts the connections on which calls are waited for that are over. */
  cutOver(): void {
    for (const [socket, { call }] of this.#busy) if (call.over) socket.destroy();
  }

  close(): void {
    for (let socket = this.#idle.take(); socket !== undefined; socket = this.#idle.take()) socket.destroy();
    for (const socket of this.#busy.keys()) socket.destroy();
  }

  #open(): void {
    this.#count += 1;
    const { host, port, tls } = this.#target;
    const socket = tls ? connectTls({ host, port, servername: host }) : connectTcp({ host, port, noDelay: true });
    let received = "";
    let wasOpened = false;
    socket.setEncoding("latin1");
    socket.once(tls ? "secureConnect" : "connect", () => {
      wasOpened = true;
      this.#free(socket);
    });
    socket.on("data", (text: string) => {
      received += text;
      if (this.#answered(socket, readAnswer(received, false))) received = "";
      else if (received.length > answerLengthMax) socket.destroy();
    });
    socket.on("end", () => this.#answered(socket, readAnswer(received, true)));
    socket.on("error", () => {});
    socket.on("close", () => this.#closed(socket, wasOpened));
  }

  #answered(socket: Socket, answer: ReadAnswer | undefined): boolean {
    if (answer === undefined) return false;
    const sending = this.#busy.get(socket);
    this.#busy.delete(socket);
    // What nobody has asked for would be taken for the answer to the next call, and so on.
    if (answer.keepAlive && answer.rest === "" && sending !== undefined) this.#free(socket);
    else {
      // Until it is closed no call may take it.
      if (sending === undefined) this.#idle.remove(socket);
      socket.destroy();
    }
    sending?.onEnd(answer.ending, answer.body);
    return true;
  }

  #closed(socket: Socket, wasOpened: boolean): void {
    this.#count -= 1;
    this.#idle.remove(socket);
    const sending = this.#busy.get(socket);
    this.#busy.delete(socket);
    sending?.onEnd("cut", "");
    // One that could not be opened has no call of its own: the first that waits hears of it, so that each call opens one at most where nobody listens.
    if (!wasOpened) this.#nextWaiting()?.onEnd("cut", "");
    this.#dropOver();
    if (this.#waiting.length > this.#count && this.#count < this.#connectionsMax) this.#open();
  }

  #free(socket: Socket): void {
    const next = this.#nextWaiting();
    if (next === undefined) this.#idle.add(socket);
    else this.#write(socket, next);
  }

  #nextWaiting(): Sending | undefined {
    this.#dropOver();
    return this.#waiting.take();
  }

  /** Calls are over in the order in which they came, so that those stand in front. */
  #dropOver(): void {
    while (this.#waiting.first()?.call.over) this.#waiting.take();
  }

  #write(socket: Socket, sending: Sending): void {
    this.#busy.set(socket, sending);
    socket.write(sending.request(), "latin1");
  }
}
