/**
 * A port of 127.0.0.1 for a program that has to be told one. It lies below those from which the system takes the
 * ports of outgoing connections (32768 and up), so that none of these gets there first.
 */
import { randomInt } from "node:crypto";
import { once } from "node:events";
import { createServer } from "node:net";

const portMin = 20_000;
const portMax = 32_000;
const triesMax = 100;

export async function freePort(): Promise<number> {
  for (let tries = 0; tries < triesMax; tries++) {
    const port = randomInt(portMin, portMax);
    const server = createServer();
    server.listen({ host: "127.0.0.1", port, exclusive: true });
    const isFree = await once(server, "listening").then(
      () => true,
      () => false,
    );
    if (!isFree) continue;
    server.close();
    await once(server, "close");
    return port;
  }
  throw new Error(`no free port found between ${portMin} and ${portMax}`);
}
