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

const expectedStart = "HTTP/1.1 200 ";
const headEnd = "\r\n\r\n";

process.on("disconnect", () => process.exit());
process.once("message", (load: HttpLoad) => void makeLoad(load).catch(failed));

async function makeLoad(load: HttpLoad): Promise<void> {
  const requests = load.requests.map((request) => Buffer.from(request, "latin1"));
  let sent = 0;
  const window = new Window(load, (edge) => {
    if (edge === "begun") tell({ kind: "begun" });
    return performance.eventLoopUtilization();
  });
  const send = (socket: Socket): void => void socket.write(requests[sent++ % requests.length]!);
  const caller = (): Promise<void> =>
    new Promise((resolve, reject) => {
      let received = "";
      const socket = connect({ host: "127.0.0.1", port: load.port, noDelay: true }, () => send(socket));
      socket.on("error", reject);
      socket.on("close", () => reject(new Error("the server closed a connection")));
      socket.setEncoding("latin1");
      socket.on("data", (text: string) => {
        received += text;
        if (!received.startsWith(expectedStart) && received.length >= expectedStart.length) return refuse();
        const bodyAt = received.indexOf(headEnd) + headEnd.length;
        if (bodyAt < headEnd.length || received.length < bodyAt + load.answer.length) return;
        if (received.slice(bodyAt) !== load.answer) return refuse();
        received = "";
        if (window.completed()) return send(socket);
        resolve();
        socket.destroy();
      });
      const refuse = (): void => {
        reject(new Error(`the server answered ${JSON.stringify(received)}`));
        socket.destroy();
      };
    });
  await Promise.all(Array.from({ length: load.connections }, caller));
  const { completed, perSecond, begun, ended } = window.result;
  const busy = performance.eventLoopUtilization(ended, begun).utilization;
  tell({ kind: "ended", completed, perSecond, busy });
}

function failed(error: unknown): void {
  tell({ kind: "failed", message: error instanceof Error ? error.message : String(error) });
}

function tell(message: FromLoad): void {
  if (process.connected) process.send!(message);
}
