/** The least program: Node's own HTTP server, a Map, and the one check that each input needs. */
import { once } from "node:events";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import type { Run } from "../bench.ts";
import { httpKeys, measureHttp } from "./measure.ts";

export const run: Run = async (options) => {
  const counters = new Map(httpKeys.map((key) => [key, 1]));
  const server = createServer((request, response) => serve(counters, request, response));
  server.listen({ host: "127.0.0.1", port: 0 });
  await once(server, "listening");
  try {
    return await measureHttp((server.address() as AddressInfo).port, options);
  } finally {
    server.closeAllConnections();
    server.close();
  }
};

function serve(counters: ReadonlyMap<string, number>, request: IncomingMessage, response: ServerResponse): void {
  const [, , key = "", operation] = request.url!.split("/");
  const count = counters.get(key) ?? 0;
  if (request.method === "GET" && operation === "value") return answer(response, count);
  if (request.method !== "POST" || operation !== "ahead") return void response.writeHead(404).end();
  let body = "";
  request.setEncoding("utf8");
  request.on("data", (chunk: string) => {
    body += chunk;
  });
  request.on("end", () => {
    const { by } = JSON.parse(body) as { by: unknown };
    if (!Number.isInteger(by) || (by as number) < 1 || (by as number) > 1_000)
      return void response.writeHead(400).end();
    answer(response, count + (by as number));
  });
}

function answer(response: ServerResponse, count: number): void {
  const text = JSON.stringify({ count });
  response.writeHead(200, { "Content-Type": "application/json", "Content-Length": text.length }).end(text);
}
