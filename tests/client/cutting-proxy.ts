/** A proxy in front of a node that cuts connections on demand, before or after the node has done its work. */
import { once } from "node:events";
import { createServer, request as requestTo } from "node:http";
import type { AddressInfo } from "node:net";
import { buffer } from "node:stream/consumers";

/** `before`: the node hears nothing. `after`: the node has answered, and its answer is lost. */
export type Fate = "pass" | "before" | "after";

export interface CuttingProxy extends AsyncDisposable {
  readonly url: string;
  /** Of every request that came, in order. */
  readonly fates: readonly Fate[];
}

/** Each request gets the next fate that `nextFate` has for it. */
export async function cuttingProxy(target: string, nextFate: (url: string) => Fate): Promise<CuttingProxy> {
  const fates: Fate[] = [];
  const server = createServer(async (request, response) => {
    const { method, url = "", headers } = request;
    const body = await buffer(request);
    const fate = nextFate(url);
    fates.push(fate);
    if (fate === "before") return void response.socket?.resetAndDestroy();
    const onward = requestTo(new URL(url, target), { method, headers, agent: false }).end(body);
    const [answer] = await once(onward, "response");
    const text = await buffer(answer);
    if (fate === "after") return void response.socket?.resetAndDestroy();
    response.writeHead(answer.statusCode, answer.headers).end(text);
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    fates,
    [Symbol.asyncDispose]: async () => {
      server.closeAllConnections();
      server.close();
      await once(server, "close");
    },
  };
}
