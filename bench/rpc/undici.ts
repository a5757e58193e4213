/** Fastify with a schema for what comes and goes, called through undici with a connection for each call in flight. */
import type { AddressInfo } from "node:net";
import { fastify } from "fastify";
import { z } from "zod";
import type { Run } from "../bench.ts";
import type { Serve } from "../partner.ts";
import { peer } from "../peers.ts";
import { rpcVariant } from "./bench.ts";
import { measureRpc } from "./load.ts";
import { Parcel } from "./parcel.ts";

interface Answer {
  readonly statusCode: number;
  readonly body: { json(): Promise<Parcel>; text(): Promise<string> };
}
interface Pool {
  request(request: object): Promise<Answer>;
  destroy(): Promise<void>;
}

/** Fastify's validator knows this draft. */
const schema = z.toJSONSchema(Parcel, { target: "draft-7" });
const headers = { "content-type": "application/json" };

export const serve: Serve = async () => {
  const app = fastify();
  app.post<{ Body: Parcel }>(
    "/echo",
    { schema: { body: schema, response: { 200: schema } } },
    async ({ body }) => body,
  );
  await app.listen({ host: "127.0.0.1", port: 0 });
  const close = (): Promise<void> => {
    app.server.closeAllConnections();
    return app.close();
  };
  return { address: `http://127.0.0.1:${(app.server.address() as AddressInfo).port}`, close };
};

export const run: Run = (options) =>
  measureRpc(
    import.meta.url,
    async (url) => {
      const { Pool } = await peer<{ Pool: new (url: string, options: object) => Pool }>("undici");
      const pool = new Pool(url, { connections: rpcVariant(options.variant).inFlight });
      const echo = async (parcel: Parcel): Promise<Parcel> => {
        const request = { path: "/echo", method: "POST", headers, body: JSON.stringify(parcel) };
        const { statusCode, body } = await pool.request(request);
        if (statusCode !== 200) throw new Error(`Fastify answered ${statusCode}: ${await body.text()}`);
        return await body.json();
      };
      return { echo, close: () => pool.destroy() };
    },
    options,
  );
