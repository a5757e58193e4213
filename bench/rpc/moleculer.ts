/** Moleculer: two brokers that know each other's addresses, over its own TCP transporter. */
import { Server } from "node:net";
import type { Run } from "../bench.ts";
import { freePort } from "../free-port.ts";
import type { Serve } from "../partner.ts";
import { peer } from "../peers.ts";
import { measureRpc } from "./load.ts";
import type { Parcel } from "./parcel.ts";

interface Broker {
  createService(schema: object): void;
  start(): Promise<void>;
  stop(): Promise<void>;
  waitForServices(name: string, timeoutMs: number): Promise<void>;
  call(action: string, params: Parcel): Promise<Parcel>;
}

/** How long the two may take to find each other. */
const meetingMs = 30_000;

export const serve: Serve = async () => {
  const addresses = { called: await freePort(), caller: await freePort() };
  const broker = await brokerOf("called", addresses);
  broker.createService({ name: "echo", actions: { echo: ({ params }: { params: Parcel }) => params } });
  await broker.start();
  return { address: JSON.stringify(addresses), close: () => broker.stop() };
};

export const run: Run = (options) =>
  measureRpc(
    import.meta.url,
    async (address) => {
      const broker = await brokerOf("caller", JSON.parse(address) as Addresses);
      await broker.start();
      await broker.waitForServices("echo", meetingMs);
      return { echo: (parcel) => broker.call("echo.echo", parcel), close: () => broker.stop() };
    },
    options,
  );

/** The port of each node. */
type Addresses = Readonly<Record<"called" | "caller", number>>;

async function brokerOf(nodeID: keyof Addresses, addresses: Addresses): Promise<Broker> {
  listenOnLoopback();
  const { ServiceBroker } = await peer<{ ServiceBroker: new (options: object) => Broker }>("moleculer");
  const urls = Object.entries(addresses).map(([node, port]) => `127.0.0.1:${port}/${node}`);
  const transporter = { type: "TCP", options: { udpDiscovery: false, urls, useHostname: false } };
  return new ServiceBroker({ nodeID, transporter, logger: false });
}

let loopback = false;

/** The transporter listens on all interfaces, and has no option for that. */
function listenOnLoopback(): void {
  if (loopback) return;
  loopback = true;
  const listen = Server.prototype.listen as (this: Server, options: object, ...rest: unknown[]) => Server;
  Server.prototype.listen = function (this: Server, options: object, ...rest: unknown[]) {
    return listen.call(this, { ...options, host: "127.0.0.1" }, ...rest);
  } as Server["listen"];
}
