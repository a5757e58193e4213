/** Bare Fastify with the same paths and the same schemas, and the counters in a Map. */
import type { AddressInfo } from "node:net";
import { fastify } from "fastify";
import { z } from "zod";
import type { Run } from "../bench.ts";
import { Count, Counter, Step } from "../counter.ts";
import { httpKeys, measureHttp } from "./measure.ts";

/** Fastify's validator knows this draft. */
const target = "draft-7";

const params = z.toJSONSchema(z.object({ key: Counter.key }), { target });
const body = z.toJSONSchema(Step, { target });
const response = { 200: z.toJSONSchema(Count, { target }) };

type Params = { readonly key: string };

export const run: Run = async (options) => {
  const counters = new Map(httpKeys.map((key) => [key, { count: 1 }]));
  const countOf = (key: string): number => counters.get(key)?.count ?? 0;
  const app = fastify();
  app.get<{ Params: Params }>("/counter/:key/value", { schema: { params, response } }, async (request) => ({
    count: countOf(request.params.key),
  }));
  app.post<{ Params: Params; Body: z.infer<typeof Step> }>(
    "/counter/:key/ahead",
    { schema: { params, body, response } },
    async (request) => ({ count: countOf(request.params.key) + request.body.by }),
  );
  await app.listen({ host: "127.0.0.1", port: 0 });
  try {
    return await measureHttp((app.server.address() as AddressInfo).port, options);
  } finally {
    await app.close();
  }
};
