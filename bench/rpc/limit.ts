/**
 * The least program: one connection, length-prefixed frames of JSON, no validation, no deadline, no bound. How
 * writes are gathered decides how fast it is, and which way is the fastest depends on the calls in flight, so each
 * run tries all three and the fastest counts.
 */
import { once } from "node:events";
import { type AddressInfo, connect, createServer, type Socket } from "node:net";
import type { Measured, Run, RunOptions } from "../bench.ts";
import { FramedSocket } from "../frames.ts";
import { type OpenPartner, openPartner, type Serve } from "../partner.ts";
import { pinApart } from "../pinning.ts";
import { rpcVariant } from "./bench.ts";
import { callFor, type Rates } from "./load.ts";
import type { Parcel } from "./parcel.ts";

/** Ways to gather writes: by their names, in bytes. */
const cuts: readonly (readonly [string, number])[] = [
  ["per turn", Number.POSITIVE_INFINITY],
  ["cut at 1 KiB", 1024],
  ["cut at 4 KiB", 4096],
];

/** Has a server for each cut; the address is their ports. */
export const serve: Serve = async () => {
  const sockets = new Set<Socket>();
  const servers = cuts.map(([, cutBytes]) =>
    createServer({ noDelay: true }, (socket) => {
      sockets.add(socket);
      socket.on("error", () => {});
      const frames = new FramedSocket(socket, cutBytes, (number, text) => {
        frames.send(number, JSON.stringify(JSON.parse(text)));
      });
    }).listen({ host: "127.0.0.1", port: 0 }),
  );
  await Promise.all(servers.map((server) => once(server, "listening")));
  return {
    address: JSON.stringify(servers.map((server) => (server.address() as AddressInfo).port)),
    close: async () => {
      for (const socket of sockets) socket.destroy();
      for (const server of servers) server.close();
    },
  };
};

export const run: Run = async (options) => {
  await using partner = await openPartner(import.meta.url, options);
  pinApart(rpcVariant(options.variant).inFlight === 1, process.pid, partner.processId);
  const tried: (readonly [string, Rates])[] = [];
  const ports = JSON.parse(partner.address) as readonly number[];
  for (const [index, [name, cutBytes]] of cuts.entries()) {
    tried.push([name, await callOver(ports[index]!, cutBytes, partner, options)]);
  }
  const best = tried.map(([, rates]) => rates).reduce((best, rates) => (rates.rate > best.rate ? rates : best));
  return measuredOf(tried, best);
};

function measuredOf(tried: readonly (readonly [string, { readonly rate: number }])[], best: Rates): Measured {
  return {
    value: best.rate,
    details: [
      ...best.details,
      ...tried.map(([name, { rate }]) => ({ name: `writes ${name}`, unit: "calls/s", value: rate })),
    ],
  };
}

/** A third of the run, on a connection of its own. */
async function callOver(port: number, cutBytes: number, partner: OpenPartner, options: RunOptions): Promise<Rates> {
  const socket = connect({ host: "127.0.0.1", port, noDelay: true });
  await once(socket, "connect");
  const waiting = new Map<number, (parcel: Parcel) => void>();
  const frames = new FramedSocket(socket, cutBytes, (number, text) => {
    const answer = waiting.get(number)!;
    waiting.delete(number);
    answer(JSON.parse(text) as Parcel);
  });
  let calls = 0;
  const echo = (parcel: Parcel): Promise<Parcel> =>
    new Promise((resolve) => {
      const number = calls++;
      waiting.set(number, resolve);
      frames.send(number, JSON.stringify(parcel));
    });
  const { inFlight } = rpcVariant(options.variant);
  const window = { settleMs: options.settleMs / cuts.length, measureMs: options.measureMs / cuts.length };
  try {
    return await callFor({ echo }, inFlight, window, partner);
  } finally {
    socket.destroy();
  }
}
