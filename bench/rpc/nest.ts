/** NestJS: a microservice on its TCP transport, and its client proxy. Without decorators, which say the same. */
import type { Run } from "../bench.ts";
import { freePort } from "../free-port.ts";
import type { Serve } from "../partner.ts";
import { peer } from "../peers.ts";
import { measureRpc } from "./load.ts";
import type { Parcel } from "./parcel.ts";

type Observable<Value> = { readonly value?: Value };
interface Nest {
  readonly NestFactory: { createMicroservice(module: object, options: object): Promise<Microservice> };
}
interface Microservice {
  listen(): Promise<void>;
  close(): Promise<void>;
}
interface Microservices {
  readonly Transport: { readonly TCP: number };
  readonly MessagePattern: (pattern: string) => MethodDecorator;
  readonly ClientProxyFactory: { create(options: object): ClientProxy };
}
interface ClientProxy {
  connect(): Promise<unknown>;
  send(pattern: string, data: Parcel): Observable<Parcel>;
  close(): void;
}

export const serve: Serve = async () => {
  await peer("reflect-metadata");
  const { NestFactory } = await peer<Nest>("@nestjs/core");
  const { Module, Controller } = await peer<{
    Module: (options: object) => (target: object) => void;
    Controller: () => (target: object) => void;
  }>("@nestjs/common");
  const { MessagePattern, Transport } = await peer<Microservices>("@nestjs/microservices");
  class EchoController {
    echo(parcel: Parcel): Parcel {
      return parcel;
    }
  }
  const descriptor = Object.getOwnPropertyDescriptor(EchoController.prototype, "echo")!;
  MessagePattern("echo")(EchoController.prototype, "echo", descriptor);
  Controller()(EchoController);
  class EchoModule {}
  Module({ controllers: [EchoController] })(EchoModule);
  const port = await freePort();
  const options = { transport: Transport.TCP, options: { host: "127.0.0.1", port }, logger: ["error"] };
  const microservice = await NestFactory.createMicroservice(EchoModule, options);
  await microservice.listen();
  return { address: String(port), close: () => microservice.close() };
};

export const run: Run = (options) =>
  measureRpc(
    import.meta.url,
    async (address) => {
      const { ClientProxyFactory, Transport } = await peer<Microservices>("@nestjs/microservices");
      const { firstValueFrom } = await peer<{ firstValueFrom: <V>(from: Observable<V>) => Promise<V> }>("rxjs");
      const to = { host: "127.0.0.1", port: Number(address) };
      const client = ClientProxyFactory.create({ transport: Transport.TCP, options: to });
      await client.connect();
      return {
        echo: (parcel) => firstValueFrom(client.send("echo", parcel)),
        close: async () => client.close(),
      };
    },
    options,
  );
