/** The workload of a capacity search: requests drawn beforehand and prepared as bytes, so that a load process only sends them. */
import { createPrng } from "../values/prng.ts";
import { type AsksOptions, type DescribedOperation, findAsks, nameOf, type WorkRequest, written } from "./asks.ts";
import type { PreparedRequest } from "./load/messages.ts";

export interface Workload {
  readonly requests: readonly PreparedRequest[];
  /** What is asked for, in words: `account.deposit`. */
  readonly operations: readonly string[];
  /** What is not, each with the reason. */
  readonly unasked: readonly string[];
}

/** Prepared requests; the load draws from them. */
const requestsLength = 4_000;
const scenarioClients = 100;

/** Throws `failed_precondition` when there is nothing that could be asked for. */
export async function prepareWorkload(options: AsksOptions): Promise<Workload> {
  const { draw, unasked, names } = await findAsks(options);
  const prng = createPrng(1);
  const asked = Array.from({ length: requestsLength }, (_, at) => draw(prng, at % scenarioClients));
  const drawn = new Set(asked.map(({ operation }) => nameOf(operation)));
  return {
    requests: asked.map(({ operation, request }) => prepare(operation, request, options)),
    operations: names ?? [...drawn].sort(),
    unasked,
  };
}

function prepare(operation: DescribedOperation, request: WorkRequest, { url, headers }: AsksOptions): PreparedRequest {
  const { path, body } = written(request);
  const lines = [
    `POST ${path} HTTP/1.1`,
    `Host: ${url.host}`,
    ...Object.entries(headers).map(([name, value]) => `${name}: ${value}`),
    ...(body === undefined ? [] : ["Content-Type: application/json"]),
    `Content-Length: ${Buffer.byteLength(body ?? "")}`,
  ];
  const latin1 = (text: string): string => Buffer.from(text, "utf8").toString("latin1");
  return {
    head: latin1(`${lines.join("\r\n")}\r\n`),
    tail: `\r\n${latin1(body ?? "")}`,
    keyed: operation.command && operation.key !== undefined,
  };
}
