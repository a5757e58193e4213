/** tRPC: its standalone server, and its client with the batching that its documentation begins with. */
import { once } from "node:events";
import type { Server } from "node:http";
import type { AddressInfo } from "node:net";
import type { Run } from "../bench.ts";
import type { Serve } from "../partner.ts";
import { peer } from "../peers.ts";
import { measureRpc } from "./load.ts";
import { Parcel } from "./parcel.ts";

interface Procedure {
  input(schema: object): Procedure;
  mutation(handler: (call: { readonly input: Parcel }) => Parcel): object;
}
interface TrpcServer {
  readonly initTRPC: { create(): { readonly procedure: Procedure; router(procedures: object): object } };
}
interface TrpcClient {
  createTRPCClient(options: object): { readonly echo: { mutate(parcel: Parcel): Promise<Parcel> } };
  httpBatchLink(options: object): object;
}

export const serve: Serve = async () => {
  const { initTRPC } = await peer<TrpcServer>("@trpc/server");
  const { createHTTPServer } = await peer<{ createHTTPServer(options: object): Server }>(
    "@trpc/server/adapters/standalone",
  );
  const trpc = initTRPC.create();
  const router = trpc.router({ echo: trpc.procedure.input(Parcel).mutation(({ input }) => input) });
  const server = createHTTPServer({ router });
  server.listen({ host: "127.0.0.1", port: 0 });
  await once(server, "listening");
  const close = async (): Promise<void> => {
    server.closeAllConnections();
    server.close();
  };
  return { address: `http://127.0.0.1:${(server.address() as AddressInfo).port}`, close };
};

export const run: Run = (options) =>
  measureRpc(
    import.meta.url,
    async (url) => {
      const { createTRPCClient, httpBatchLink } = await peer<TrpcClient>("@trpc/client");
      const client = createTRPCClient({ links: [httpBatchLink({ url })] });
      return { echo: (parcel) => client.echo.mutate(parcel), close: () => undefined };
    },
    options,
  );
