/**
 * Queries over HTTP, asked of the node that owns the key: what Synod adds to the server library that it is built
 * on. The load comes from a process of its own, on connections that are kept open.
 */
import type { Bench, Variant } from "../bench.ts";

interface HttpVariant extends Variant {
  /** One request as it goes over the wire, for the counter of that key. */
  readonly request: (key: string) => string;
  /** The body of the answer, when every counter stands at one. */
  readonly answer: string;
}

const step = JSON.stringify({ by: 41 });

const httpVariants: readonly HttpVariant[] = [
  {
    name: "get",
    title: "query by GET, 64 connections",
    request: (key) => `GET /counter/${key}/value HTTP/1.1\r\nHost: localhost\r\n\r\n`,
    answer: '{"count":1}',
  },
  {
    name: "post",
    title: "query with an input by POST, 64 connections",
    request: (key) =>
      `POST /counter/${key}/ahead HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n` +
      `Content-Length: ${step.length}\r\n\r\n${step}`,
    answer: '{"count":42}',
  },
];

export function httpVariant(name: string): HttpVariant {
  const found = httpVariants.find((variant) => variant.name === name);
  if (found === undefined) throw new Error(`the bench http has no variant ${name}`);
  return found;
}

export const http: Bench = {
  name: "http",
  summary: "queries over HTTP on connections that are kept open, on the node that owns the key",
  unit: "requests/s",
  variants: httpVariants,
  mainVariant: "get",
  sides: {
    synod: new URL("./synod.ts", import.meta.url),
    fastify: new URL("./fastify.ts", import.meta.url),
    limit: new URL("./limit.ts", import.meta.url),
  },
};
