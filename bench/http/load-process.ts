/**
 * The process that makes the load: a number of connections, each of which sends its next request when the last
 * one was answered. It writes prepared bytes and reads no more of an answer than it has to, because a client
 * library costs as much per request as the servers that are measured, and would be measured in their place.
 */
import { connect, type Socket } from "node:net";
import { Window } from "../window.ts";

/** What the process is told. */
export interface HttpLoad {
  readonly port: number;
  readonly connections: number;
  readonly settleMs: number;
  readonly measureMs: number;
  /** Whole requests, sent in turn. */
  readonly requests: readonly string[];
  /** The body of every answer. */
  readonly answer: string;
}

/** What it says. */
export type FromLoad =
  | { readonly kind: "begun" }
  | { readonly kind: "ended"; readonly completed: number; readonly perSecond: number; readonly busy: number }
  | { readonly kind: "failed"; readonly message: string };

const headEnd = "\r\n\r\n";

process.on("disconnect", () => process.exit());
process.once("message", (load: HttpLoad) => void makeLoad(load).catch(failed));

async function makeLoad(load: HttpLoad): Promise<void> {
  const requests = load.requests.map((request) => Buffer.from(request, "latin1"));
  let sent = 0;
  const window = new Window(load, () => {
    if (process.connected) process.send!({ kind: "begun" } satisfies FromLoad);
    return performance.eventLoopUtilization();
  });
  const send = (socket: Socket): void => void socket.write(requests[sent++ % requests.length]!);
  const caller = (): Promise<void> =>
    new Promise((resolve, reject) => {
      let received = "";
      const socket = connect({ host: "127.0.0.1", port: load.port, noDelay: true }, () => send(socket));
      socket.on("error", reject);
      socket.on("close", () => reject(new Error("the server closed a connection")));
      socket.on("data", (chunk) => {
        received += chunk.latin1Slice();
        if (!isComplete(received, load.answer)) return;
        received = "";
        if (window.completed()) return send(socket);
        resolve();
        socket.destroy();
      });
    });
  await Promise.all(Array.from({ length: load.connections }, caller));
  const { completed, perSecond, begun, ended } = window.result;
  const busy = performance.eventLoopUtilization(ended, begun).utilization;
  process.send!({ kind: "ended", completed, perSecond, busy } satisfies FromLoad);
}

/** Throws when it is not the answer that it should be. */
function isComplete(received: string, answer: string): boolean {
  const head = received.indexOf(headEnd);
  if (head < 0 || received.length < head + headEnd.length + answer.length) return false;
  if (received.startsWith("HTTP/1.1 200 ") && received.endsWith(`${headEnd}${answer}`)) return true;
  throw new Error(`the server answered ${JSON.stringify(received)}`);
}

function failed(error: unknown): void {
  process.send!({ kind: "failed", message: error instanceof Error ? error.message : String(error) } satisfies FromLoad);
}
