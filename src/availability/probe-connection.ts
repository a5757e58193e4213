/**
 * The way that probes take into the system: HTTP through the adapter's own door, as clients come. Like a client's, the
 * connection is kept between probes, because a new one each time costs the nodes more than the probe itself; and it is
 * given up after some of them, and after every one that failed, so that the door is tried, too, and each node behind it has its turn.
 */
import { Agent as PlainAgent, request as requestPlain } from "node:http";
import { request as requestSecure, Agent as SecureAgent } from "node:https";

/** An answer: its status and its body; rejects when there is none. */
export type Ask = (
  path: string,
  key: string | undefined,
  timeoutMs: number,
) => Promise<{ status: number; body: string }>;

/** Probes that one connection is for. */
const probesMax = 10;

export class ProbeConnection {
  readonly ask: Ask;
  readonly #newAgent: () => PlainAgent;
  #agent: PlainAgent;
  #probes = 0;

  constructor(url: URL, headers: Readonly<Record<string, string>>) {
    const secure = url.protocol === "https:";
    this.#newAgent = () => new (secure ? SecureAgent : PlainAgent)({ keepAlive: true, maxSockets: 1 });
    this.#agent = this.#newAgent();
    const request = secure ? requestSecure : requestPlain;
    this.ask = (path, key, timeoutMs) =>
      new Promise((resolve, reject) => {
        const sent = request(
          new URL(path, url),
          { method: "POST", agent: this.#agent, headers: headersOf(headers, key, timeoutMs) },
          (response) => {
            let body = "";
            response.setEncoding("utf8");
            response.on("data", (text) => (body += text));
            response.on("error", () => reject(new Error("cut")));
            response.on("end", () => resolve({ status: response.statusCode ?? 0, body }));
          },
        );
        const timer = setTimeout(() => sent.destroy(new Error("late")), timeoutMs);
        sent.on("error", (error) => reject(new Error(error.message === "late" ? "late" : "cut")));
        sent.on("close", () => clearTimeout(timer));
        sent.end();
      });
  }

  /** A probe is over. */
  probed(well: boolean): void {
    if (well && ++this.#probes < probesMax) return;
    this.close();
    this.#probes = 0;
    this.#agent = this.#newAgent();
  }

  close(): void {
    this.#agent.destroy();
  }
}

function headersOf(
  headers: Readonly<Record<string, string>>,
  key: string | undefined,
  timeoutMs: number,
): Readonly<Record<string, string | number>> {
  return {
    ...headers,
    "content-length": 0,
    "request-timeout": (Math.max(1, timeoutMs) / 1_000).toFixed(3),
    ...(key !== undefined && { "idempotency-key": key }),
  };
}
