/**
 * What the tests of the client library are made of: interfaces, an HTTP server that answers as it is told or
 * misbehaves, and a platform whose time passes only when everything waits.
 */
import { once } from "node:events";
import { createServer, type IncomingHttpHeaders, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { text } from "node:stream/consumers";
import { z } from "zod";
import type { Outcome } from "../errors.ts";
import { command, defineInterface, query } from "../service/interface.ts";
import type { Platform } from "./platform.ts";

const Balance = z.object({ balance: z.number() });

export const Account = defineInterface("account", {
  key: z.string(),
  operations: {
    deposit: command({ input: z.object({ amount: z.number() }), output: Balance }),
    withdraw: command({
      input: z.object({ amount: z.number() }),
      output: Balance,
      errors: { insufficientFunds: Balance },
    }),
    close: command({}),
    balance: query({ output: Balance }),
  },
});

/** Stateless. */
export const Mail = defineInterface("mail", {
  operations: { send: command({ input: z.string() }), count: query({ output: z.number() }) },
});

export interface SeenRequest {
  readonly method: string;
  readonly url: string;
  readonly headers: IncomingHttpHeaders;
  readonly body: string;
}

/** What the server does with a request. */
export type Behaviour = (response: ServerResponse, request: SeenRequest) => void;

export interface ScriptedServer extends AsyncDisposable {
  readonly url: string;
  /** All that came, in order. */
  readonly requests: readonly SeenRequest[];
}

/** A server that treats one request after the other by one behaviour after the other, and the rest by the last. */
export async function serve(...behaviours: readonly Behaviour[]): Promise<ScriptedServer> {
  const requests: SeenRequest[] = [];
  const server = createServer(async (request, response) => {
    const { method = "", url = "", headers } = request;
    const seen = { method, url, headers, body: await text(request) };
    const behaviour = behaviours[Math.min(requests.length, behaviours.length - 1)];
    requests.push(seen);
    behaviour?.(response, seen);
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    requests,
    [Symbol.asyncDispose]: async () => {
      server.closeAllConnections();
      server.close();
      await once(server, "close");
    },
  };
}

/** The connection is reset without an answer. */
export const reset: Behaviour = (response) => void response.socket?.resetAndDestroy();
/** No answer ever comes. */
export const hang: Behaviour = () => {};

/** The answer is cut in its middle. */
export const cutInHalf: Behaviour = (response) => {
  response.writeHead(200, { "content-type": "application/json", "content-length": "100" });
  response.write('{"balance":', () => response.socket?.destroy());
};

export function value(output: unknown): Behaviour {
  return answer(200, "application/json; charset=utf-8", JSON.stringify(output));
}

export const noContent: Behaviour = (response) => void response.writeHead(204).end();

export interface ProblemParts {
  readonly code: string;
  readonly outcome?: Outcome;
  readonly retryable?: boolean;
  readonly retryAfterMs?: number;
  readonly data?: unknown;
  readonly violations?: unknown;
}

/** A problem of Synod. */
export function problem(
  status: number,
  parts: ProblemParts,
  headers: Readonly<Record<string, string>> = {},
): Behaviour {
  const all = { type: "about:blank", title: "", status, detail: "said by the test", outcome: "not-happened", ...parts };
  const document = { retryable: false, ...all };
  return answer(status, "application/problem+json; charset=utf-8", JSON.stringify(document), headers);
}

/** Not now: certainly not happened, and worth a repeat. */
export const unavailable: Behaviour = problem(503, { code: "unavailable", retryable: true });

export function answer(
  status: number,
  contentType: string,
  body: string,
  headers: Readonly<Record<string, string>> = {},
): Behaviour {
  return (response) => void response.writeHead(status, { "content-type": contentType, ...headers }).end(body);
}

/** A fetch that answers in no time, or not at all. */
export type FakeAnswer = Response | Error | "hangs";

/**
 * A platform whose clock jumps to the next timer as soon as nothing else can happen. Its chance is what it is
 * given, so that the bounds of a jitter can be seen.
 */
export class VirtualPlatform implements Platform {
  now = 1_000_000;
  wallOffset = 1_700_000_000_000;
  readonly #chance: () => number;
  readonly #timers = new Map<object, { at: number; callback: () => void }>();
  #scheduled = false;

  constructor(chance: () => number = () => 0.5) {
    this.#chance = chance;
  }

  /** Timers that are set. */
  get timers(): number {
    return this.#timers.size;
  }

  monotonic(): number {
    return this.now;
  }

  wall(): number {
    return this.now + this.wallOffset;
  }

  random(): number {
    return this.#chance();
  }

  bytes(length: number): Uint8Array {
    return crypto.getRandomValues(new Uint8Array(length));
  }

  after(delayMs: number, callback: () => void): () => void {
    const timer = {};
    this.#timers.set(timer, { at: this.now + delayMs, callback });
    this.#schedule();
    return () => void this.#timers.delete(timer);
  }

  #schedule(): void {
    if (this.#scheduled) return;
    this.#scheduled = true;
    setImmediate(() => {
      this.#scheduled = false;
      this.#fireNext();
      if (this.#timers.size > 0) this.#schedule();
    });
  }

  #fireNext(): void {
    let first: object | undefined;
    for (const [timer, { at }] of this.#timers) {
      if (first === undefined || at < this.#timers.get(first)!.at) first = timer;
    }
    if (first === undefined) return;
    const { at, callback } = this.#timers.get(first)!;
    this.#timers.delete(first);
    this.now = Math.max(this.now, at);
    callback();
  }
}
