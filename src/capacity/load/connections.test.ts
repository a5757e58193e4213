/** Callers who have to share a connection wait for it on their own time. */
import assert from "node:assert/strict";
import { subscribe, unsubscribe } from "node:diagnostics_channel";
import { once } from "node:events";
import { type AddressInfo, createServer, type Server } from "node:net";
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

/** Of a port that nobody listens on. */
async function closedPort(): Promise<number> {
  await using server = createServer();
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  return (server.address() as AddressInfo).port;
}

/** Published by Node for each socket that a client opens. */
const opened = "net.client.socket";

test("where nobody listens each call hears of it, and no connection is opened for those that are over", async () => {
  const connections = new Connections({ host: "127.0.0.1", port: await closedPort(), tls: false }, 10);
  let sockets = 0;
  const tooMany = Promise.withResolvers<never>();
  const count = (): void => {
    sockets += 1;
    if (sockets > 10) tooMany.reject(new Error("connections are opened without end"));
  };
  const ask = (call: OpenCall): Promise<string> =>
    new Promise((resolve) => connections.send(call, () => "GET / HTTP/1.1\r\n\r\n", resolve));
  subscribe(opened, count);
  try {
    const both = Promise.all([ask({ due: 0, over: false }), ask({ due: 0, over: false })]);
    assert.deepEqual(await Promise.race([both, tooMany.promise]), ["cut", "cut"]);
    assert.equal(sockets, 2);
    const over: OpenCall = { due: 0, over: false };
    void ask(over);
    const last = ask({ due: 0, over: false });
    over.over = true;
    assert.equal(await Promise.race([last, tooMany.promise]), "cut");
    assert.ok(sockets <= 4, `${sockets} sockets`);
  } finally {
    unsubscribe(opened, count);
  }
});

/** Answers each request with what `answers` say, in turn, and ends the connection after the last one if asked to. */
function serverOf(answers: readonly string[], ends: boolean): Server {
  let next = 0;
  return createServer((socket) =>
    socket.on("data", () => {
      socket.write(answers[next++]!);
      if (ends) socket.end();
    }),
  );
}

test("each call gets its own answer, whatever else the connection says", async () => {
  const body = (text: string): string => `HTTP/1.1 200 OK\r\nContent-Length: ${text.length}\r\n\r\n${text}`;
  const hints = "HTTP/1.1 103 Early Hints\r\n\r\n";
  for (const { answers, ends } of [
    { answers: [hints + body("1"), hints + body("2"), body("3")], ends: false },
    { answers: [body("1") + body("unasked"), body("2"), body("3")], ends: false },
    { answers: ["1", "2", "3"].map((text) => `HTTP/1.1 200 OK\r\n\r\n${text}`), ends: true },
  ]) {
    await using server = serverOf(answers, ends);
    server.listen(0, "127.0.0.1");
    await once(server, "listening");
    const { port } = server.address() as AddressInfo;
    const connections = new Connections({ host: "127.0.0.1", port, tls: false }, 1);
    const ask = (): Promise<string> =>
      new Promise((resolve) =>
        connections.send(
          { due: 0, over: false },
          () => "GET / HTTP/1.1\r\n\r\n",
          (ending, text) => resolve(`${ending} ${text}`),
        ),
      );
    assert.deepEqual(await Promise.all([ask(), ask(), ask()]), ["good 1", "good 2", "good 3"]);
    connections.close();
  }
});
