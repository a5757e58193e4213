/** Callers who have to share a connection wait for it on their own time. */
import assert from "node:assert/strict";
import { once } from "node:events";
import { type AddressInfo, createServer } from "node:net";
import { test } from "node:test";
import { Connections } from "./connections.ts";
import type { OpenCall } from "./open-loop.ts";

const answer = "HTTP/1.1 204 No Content\r\nContent-Length: 0\r\n\r\n";

test("a request is made when its connection is free, so that it can say what is left of its caller's time", async () => {
  const steps: string[] = [];
  await using server = createServer((socket) =>
    socket.on("data", () => {
      steps.push("heard");
      socket.write(answer);
    }),
  );
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const connections = new Connections(
    { host: "127.0.0.1", port: (server.address() as AddressInfo).port, tls: false },
    1,
  );
  const ask = (name: string): Promise<void> => {
    const { promise, resolve } = Promise.withResolvers<void>();
    const call: OpenCall = { due: 0, over: false };
    const request = (): string => {
      steps.push(`${name} made`);
      return "GET / HTTP/1.1\r\n\r\n";
    };
    connections.send(call, request, (ending) => {
      steps.push(`${name} ${ending}`);
      resolve();
    });
    return promise;
  };
  await Promise.all([ask("first"), ask("second")]);
  connections.close();
  assert.deepEqual(steps, ["first made", "heard", "second made", "first good", "heard", "second good"]);
});
