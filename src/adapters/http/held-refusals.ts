/**
 * Refusals that are held: to whom one is owed, and nothing more of his request.
 *
 * Past its capacity a node holds thousands of refusals for most of a second (`refusal-pace.ts`). All that Node keeps of a
 * request until it is answered would outlive the next collections of garbage, be copied by each of them, and become
 * rubbish among what is old: at five times the capacity that took more of the processor than refusing did. Like a cloakroom that keeps the
 * number and not the guest: Node is told that this response is finished and lets go of it and its request, the connection
 * stays, and when its time has come the answer is written there.
 *
 * Answers leave a connection in the order of its requests (RFC 9112, section 9.3.2). So only a request to which no other
 * answer is due before is held like this, and before anything else is answered on its connection what is owed there is.
 */
import type { IncomingMessage, ServerResponse } from "node:http";
import type { Socket } from "node:net";
import type { GatewayError } from "../../ports/gateway.ts";
import { type Problem, problemHeaders, problemOf, rawProblem } from "./problem.ts";

export interface HeldRefusalsOptions {
  readonly keepAliveTimeoutMs: number;
  /** Whether answers are to say `Connection: close`. */
  readonly closing: () => boolean;
  /** Told of each answer that a connection is still owed when Node takes its request for done; and when it was written. */
  readonly owed: (socket: Socket) => void;
  readonly paid: (socket: Socket) => void;
}

/** One that is owed. */
interface Owed {
  readonly socket: Socket;
  readonly problem: Problem;
  /** What the same connection is owed before it. */
  before: Owed | undefined;
  isPaid: boolean;
}

export class HeldRefusals {
  readonly #options: HeldRefusalsOptions;
  readonly #keepAlive: string;
  /** The last one that each connection is owed. */
  readonly #last = new Map<Socket, Owed>();

  constructor(options: HeldRefusalsOptions) {
    this.#options = options;
    this.#keepAlive = `timeout=${Math.floor(options.keepAliveTimeoutMs / 1_000)}`;
  }

  /** Lets Node have done with a request, and gives what answers it; undefined where Node itself has to answer. */
  hold(request: IncomingMessage, response: ServerResponse, error: GatewayError): (() => void) | undefined {
    const { socket } = request;
    // Node gives a response its connection when all before it are answered.
    const isNext = response.socket === socket;
    if (!isNext || !response.shouldKeepAlive || request.method === "HEAD" || this.#options.closing()) return undefined;
    const problem = problemOf(error);
    const owed: Owed = { socket, problem, before: this.#last.get(socket), isPaid: false };
    this.#last.set(socket, owed);
    this.#options.owed(socket);
    // For whoever watches responses: it will be answered by this.
    response.statusCode = problem.status;
    response.emit("finish");
    return () => this.#pay(owed, true);
  }

  /** Something else is about to be answered on this connection. */
  answerAll(socket: Socket): void {
    const owed = this.#last.get(socket);
    if (owed !== undefined) this.#pay(owed, false);
  }

  /** `mayClose`: nothing is known of that would be answered on its connection after the last one. */
  #pay(last: Owed, mayClose: boolean): void {
    const due: Owed[] = [];
    for (let owed: Owed | undefined = last; owed !== undefined && !owed.isPaid; owed = owed.before) due.push(owed);
    for (const owed of due.reverse()) this.#answer(owed, mayClose);
  }

  #answer(owed: Owed, mayClose: boolean): void {
    const { socket, problem } = owed;
    owed.isPaid = true;
    owed.before = undefined;
    const isLast = this.#last.get(socket) === owed;
    if (isLast) this.#last.delete(socket);
    // Its caller may have gone while it was held.
    if (socket.writable) this.#write(socket, problem, mayClose && isLast && this.#options.closing());
    this.#options.paid(socket);
  }

  #write(socket: Socket, problem: Problem, closing: boolean): void {
    const headers = { ...problemHeaders(problem), date: httpDate(Date.now()) };
    const connection = closing ? { connection: "close" } : { connection: "keep-alive", "keep-alive": this.#keepAlive };
    socket.write(rawProblem(problem, { ...headers, ...connection }));
    if (closing) socket.destroySoon();
  }
}

let dateSecond = 0;
let dateText = "";

/** The `Date` header (RFC 9110, section 6.6.1), made once a second. */
function httpDate(now: number): string {
  const second = Math.floor(now / 1_000);
  if (second !== dateSecond) [dateSecond, dateText] = [second, new Date(now).toUTCString()];
  return dateText;
}
