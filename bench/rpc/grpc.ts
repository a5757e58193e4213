/** gRPC: the implementation of its own project for Node, without TLS, on one connection. */
import { fileURLToPath } from "node:url";
import type { Run } from "../bench.ts";
import type { Serve } from "../partner.ts";
import { peer } from "../peers.ts";
import { measureRpc } from "./load.ts";
import type { Parcel } from "./parcel.ts";

type Callback<Value> = (error: Error | null, value?: Value) => void;
interface Server {
  addService(definition: object, handlers: object): void;
  bindAsync(address: string, credentials: object, callback: Callback<number>): void;
  forceShutdown(): void;
}
interface Client {
  echo(parcel: Parcel, callback: Callback<Parcel>): void;
  close(): void;
}
interface Grpc {
  readonly Server: new () => Server;
  readonly ServerCredentials: { createInsecure(): object };
  readonly credentials: { createInsecure(): object };
  loadPackageDefinition(definition: object): {
    readonly bench: { readonly Echo: { new (address: string, credentials: object): Client; readonly service: object } };
  };
}

async function load(): Promise<{ grpc: Grpc; Echo: ReturnType<Grpc["loadPackageDefinition"]>["bench"]["Echo"] }> {
  const grpc = await peer<Grpc>("@grpc/grpc-js");
  const { loadSync } = await peer<{ loadSync(path: string): object }>("@grpc/proto-loader");
  const definition = loadSync(fileURLToPath(new URL("./echo.proto", import.meta.url)));
  return { grpc, Echo: grpc.loadPackageDefinition(definition).bench.Echo };
}

export const serve: Serve = async () => {
  const { grpc, Echo } = await load();
  const server = new grpc.Server();
  server.addService(Echo.service, {
    echo: ({ request }: { request: Parcel }, answer: Callback<Parcel>) => answer(null, request),
  });
  const port = await new Promise<number>((resolve, reject) => {
    server.bindAsync("127.0.0.1:0", grpc.ServerCredentials.createInsecure(), (error, port) =>
      error === null ? resolve(port!) : reject(error),
    );
  });
  return { address: `127.0.0.1:${port}`, close: async () => server.forceShutdown() };
};

export const run: Run = (options) =>
  measureRpc(
    import.meta.url,
    async (address) => {
      const { grpc, Echo } = await load();
      const client = new Echo(address, grpc.credentials.createInsecure());
      const echo = (parcel: Parcel): Promise<Parcel> =>
        new Promise((resolve, reject) => {
          client.echo(parcel, (error, value) => (error === null ? resolve(value!) : reject(error)));
        });
      return { echo, close: async () => client.close() };
    },
    options,
  );
