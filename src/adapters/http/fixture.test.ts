/**
 * What the tests of the HTTP adapter stand on: a gateway that keeps the gateway's contract, the adapter on a
 * free port, and clients that send exactly the bytes they are told to (fetch would tidy URLs up first).
 */
import assert from "node:assert/strict";
import { once } from "node:events";
import { type IncomingHttpHeaders, type RequestOptions, request as sendRequest } from "node:http";
import { connect, type Socket } from "node:net";
import { test } from "node:test";
import { toSynodError } from "../../errors.ts";
import type {
  AdapterEnvironment,
  CallOutline,
  Gateway,
  GatewayCall,
  GatewayError,
  GatewayReply,
  ListenTarget,
  OperationDescription,
  RunningAdapter,
  ServiceDescription,
} from "../../ports/gateway.ts";
import { type HttpOptions, http } from "./index.ts";

const amount = { type: "object", properties: { amount: { type: "number" } }, required: ["amount"] };
const nothing = {
  priority: "normal" as const,
  durable: false,
  description: undefined,
  input: undefined,
  hasInput: false,
  output: undefined,
  hasOutput: false,
  errors: {},
};

function operation(
  name: string,
  kind: OperationDescription["kind"],
  more: Partial<OperationDescription> = {},
): OperationDescription {
  return { ...nothing, name, kind, ...more };
}

/** A keyed service with operations of every kind, and a stateless one. */
export const bankServices: readonly ServiceDescription[] = [
  {
    name: "account",
    keyed: true,
    key: { type: "string", minLength: 1 },
    operations: [
      operation("deposit", "command", { input: amount, hasInput: true, output: amount, hasOutput: true }),
      operation("withdraw", "command", {
        input: amount,
        hasInput: true,
        hasOutput: true,
        errors: { insufficientFunds: amount },
      }),
      operation("close", "command"),
      operation("balance", "query", { output: amount, hasOutput: true }),
      operation("history", "query", { description: "What happened.", hasInput: true, hasOutput: true }),
    ],
  },
  {
    name: "rates",
    keyed: false,
    key: undefined,
    operations: [
      operation("latest", "query", {
        input: { type: "string" },
        hasInput: true,
        output: { type: "number" },
        hasOutput: true,
      }),
      operation("publish", "command", { hasInput: true }),
    ],
  },
];

export type Answer = (call: GatewayCall) => GatewayReply | Promise<GatewayReply>;

/** A reply with an output. */
export function output(text: string | undefined, replayed = false): GatewayReply {
  return { ok: true, output: text, replayed };
}

/** A gateway that answers as it is told, and records what it was asked. As every gateway it never rejects. */
export class TestGateway implements Gateway {
  readonly system = "bank";
  readonly services: readonly ServiceDescription[] = bankServices;
  readonly timeoutMaxMs = 5_000;
  /** Services that other nodes host, and this one does not know. */
  readonly elsewhere = new Set<string>();
  state: Gateway["state"] = "ready";
  readonly calls: GatewayCall[] = [];
  answer: Answer;

  constructor(answer: Answer = () => output("null")) {
    this.answer = answer;
  }

  busy = false;
  hasLease = true;
  refused: GatewayError | undefined;
  readonly outlines: CallOutline[] = [];

  refusal(call: CallOutline): GatewayError | undefined {
    this.outlines.push(call);
    return this.refused;
  }

  connected(): void {}

  isHostedElsewhere(service: string): boolean {
    return this.elsewhere.has(service);
  }

  async call(call: GatewayCall): Promise<GatewayReply> {
    this.calls.push(call);
    try {
      return await this.answer(call);
    } catch (thrown) {
      const { code, message, outcome, retryable } = toSynodError(thrown);
      return { ok: false, error: { code, declared: false, message, outcome, retryable }, replayed: false };
    }
  }

  get lastCall(): GatewayCall {
    return this.calls.at(-1) ?? assert.fail("the gateway was not asked");
  }
}

export interface Logged {
  readonly level: string;
  readonly message: string;
}

/** An adapter that serves the test gateway. */
export interface RunningHttp extends AsyncDisposable {
  readonly gateway: TestGateway;
  readonly adapter: RunningAdapter;
  readonly port: number;
  readonly logged: readonly Logged[];
}

export async function startHttp(
  options: HttpOptions = {},
  answer?: Answer,
  listen?: ListenTarget,
): Promise<RunningHttp> {
  const gateway = new TestGateway(answer);
  const logged: Logged[] = [];
  const adapter = await http({ port: 0, ...options }).start({ gateway, log: logTo(logged), listen });
  const port = Number(new URL(adapter.url).port);
  return { gateway, adapter, port, logged, [Symbol.asyncDispose]: () => adapter.close() };
}

function logTo(logged: Logged[]): AdapterEnvironment["log"] {
  const at = (level: string) => (message: string) => void logged.push({ level, message });
  return { debug: at("debug"), info: at("info"), warn: at("warn"), error: at("error") };
}

export interface Reply {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  readonly text: string;
}

/** Sends one request, path and headers as they are given. */
export async function send(
  { port }: { readonly port: number },
  method: string,
  path: string,
  body?: string | Buffer,
  options: RequestOptions = {},
): Promise<Reply> {
  const json = body === undefined ? {} : { "content-type": "application/json" };
  const headers = { ...json, ...(options.headers as Record<string, string>) };
  const request = sendRequest({ host: "127.0.0.1", port, method, path, agent: false, ...options, headers });
  request.end(body);
  const [response] = await once(request, "response");
  let text = "";
  for await (const chunk of response.setEncoding("utf8")) text += chunk;
  return { status: response.statusCode, headers: response.headers, text };
}

/** The problem in a reply, after checking what every problem must have. */
export function problemIn(reply: Reply, status: number, code: string): Record<string, unknown> & { detail: string } {
  assert.equal(reply.status, status, reply.text);
  assert.match(String(reply.headers["content-type"]), /^application\/problem\+json/);
  const problem = JSON.parse(reply.text);
  assert.equal(problem.status, status);
  assert.equal(problem.code, code);
  assert.equal(typeof problem.title, "string");
  assert.match(problem.outcome, /^(not-happened|unknown)$/);
  assert.ok(problem.detail.length > 0);
  return problem;
}

/** A connection that speaks bytes. */
export interface RawConnection extends Disposable {
  readonly socket: Socket;
  /** All that was received. */
  readonly received: () => string;
  /** Resolves with all that was received when the other side has closed or cut the connection. */
  readonly closed: Promise<string>;
}

export async function connectRaw({ port }: { readonly port: number }, first = ""): Promise<RawConnection> {
  const socket = connect(port, "127.0.0.1");
  const { promise: closed, resolve } = Promise.withResolvers<string>();
  let received = "";
  socket.setEncoding("latin1").on("data", (chunk) => {
    received += chunk;
  });
  socket.on("error", () => socket.destroy());
  socket.on("close", () => resolve(received));
  await once(socket, "connect");
  if (first !== "") socket.write(first, "latin1");
  return { socket, received: () => received, closed, [Symbol.dispose]: () => socket.destroy() };
}

/** The answer that a connection received, taken apart. */
export function parseReply(received: string): Reply {
  const end = received.indexOf("\r\n\r\n");
  const [statusLine = "", ...lines] = received.slice(0, end).split("\r\n");
  const headers = Object.fromEntries(lines.map((line) => line.toLowerCase().split(": ")));
  return { status: Number(statusLine.split(" ")[1]), headers, text: received.slice(end + 4) };
}

/** Waits for a condition, with a deadline. */
export async function until(condition: () => boolean, what: string, deadlineMs = 5_000): Promise<void> {
  const deadline = performance.now() + deadlineMs;
  while (!condition()) {
    if (performance.now() > deadline) assert.fail(`waited ${deadlineMs} ms for this: ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 2));
  }
}

/** A promise that is settled from outside, for gateways that answer when the test says so. */
export function gate(): { readonly open: () => void; readonly opened: Promise<void> } {
  const { promise, resolve } = Promise.withResolvers<void>();
  return { open: resolve, opened: promise };
}

if (import.meta.main) {
  test("the test gateway never rejects, whatever its answer throws", async () => {
    const gateway = new TestGateway(() => {
      throw new TypeError("broken");
    });
    const reply = await gateway.call({ service: "account", key: "a", operation: "balance", principal: "p" });
    assert.equal(reply.ok, false);
    assert.equal(reply.ok === false && reply.error.code, "internal");
  });
}
