/** The least program's server: Node's own. */
import { once } from "node:events";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import type { OverloadServer } from "./measure.ts";
import { compute, durableTransfers, holdWriteLock } from "./work.ts";

export async function startLimit(folder: string): Promise<OverloadServer> {
  const { transfer, database } = durableTransfers(folder);
  const server = createServer((request, response) => {
    const [, kind, id = ""] = request.url!.split("/");
    if (kind !== "compute" && kind !== "transfer") {
      response.writeHead(404, { "content-length": 0 }).end();
      return;
    }
    try {
      const text = JSON.stringify(kind === "compute" ? compute() : transfer(id));
      response.writeHead(200, { "content-length": text.length }).end(text);
    } catch {
      // As the others answer for whom it goes wrong: a store that stands still refuses the transaction.
      response.writeHead(500, { "content-length": 0 }).end();
    }
  });
  server.listen({ host: "127.0.0.1", port: 0 });
  await once(server, "listening");
  return {
    port: (server.address() as AddressInfo).port,
    paths: { compute: "/compute", critical: "/compute", transfer: "/transfer/{id}" },
    stallStore: (ms) => holdWriteLock(join(folder, "bank.db"), ms),
    close: async () => {
      server.closeAllConnections();
      server.close();
      database.close();
    },
  };
}
