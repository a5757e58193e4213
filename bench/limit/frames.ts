/** A server and a caller of the least programs that are asked over a socket. */
import { once } from "node:events";
import { type AddressInfo, connect, createServer, type Socket } from "node:net";
import { FramedSocket } from "../frames.ts";
import type { Served } from "../partner.ts";

/** Of the three ways to gather writes that the bench rpc compares, the one that was the fastest here. */
const cutBytes = 1024;

/** One request of a session: its number there, and its text. */
export type Answerer = (session: string, number: number, text: string, answer: (reply: string) => void) => void;

/** A server on a framed socket; a connection is a session. */
export async function serveFrames(answerer: Answerer): Promise<Served> {
  const sockets = new Set<Socket>();
  const server = createServer({ noDelay: true }, (socket) => {
    const session = `session-${sockets.size}`;
    sockets.add(socket.on("error", () => {}));
    const frames = new FramedSocket(socket, cutBytes, (number, text) => {
      answerer(session, number, text, (reply) => frames.send(number, reply));
    });
  }).listen({ host: "127.0.0.1", port: 0 });
  await once(server, "listening");
  const close = async (): Promise<void> => {
    for (const socket of sockets) socket.destroy();
    server.close();
  };
  return { address: String((server.address() as AddressInfo).port), close };
}

/** Asks it; answers are paired with their requests by number. */
export async function connectFrames(
  address: string,
): Promise<{ ask(text: string): Promise<string>; close(): Promise<void> }> {
  const socket = connect({ host: "127.0.0.1", port: Number(address), noDelay: true });
  await once(socket, "connect");
  const waiting = new Map<number, (reply: string) => void>();
  const frames = new FramedSocket(socket, cutBytes, (number, text) => {
    const answer = waiting.get(number)!;
    waiting.delete(number);
    answer(text);
  });
  let asked = 0;
  const ask = (text: string): Promise<string> =>
    new Promise((resolve) => {
      const number = asked++;
      waiting.set(number, resolve);
      frames.send(number, text);
    });
  return { ask, close: async () => void socket.destroy() };
}
