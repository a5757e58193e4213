import assert from "node:assert/strict";
import { once } from "node:events";
import { type AddressInfo, connect, createServer, type Socket } from "node:net";
import { test } from "node:test";
import { until } from "../../host/running-system.ts";
import { FaultProxy } from "./fault-proxy.ts";

/** A connection through a proxy to a server that collects what it hears and answers each piece with it. */
async function conversation() {
  const heard: string[] = [];
  const server = createServer((socket) => {
    socket.on("error", () => {});
    socket.on("data", (piece) => {
      heard.push(String(piece));
      socket.write(`${piece}!`);
    });
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  const proxy = await FaultProxy.betweenNodes();
  const socket: Socket = connect(proxy.port, "127.0.0.1");
  socket.on("error", () => {});
  socket.write(`${JSON.stringify({ from: "node-1", to: "node-2", host: "127.0.0.1", port })}\nfirst`);
  let answers = "";
  socket.on("data", (piece) => (answers += piece));
  await until("the first answer", () => answers === "first!");
  return {
    proxy,
    socket,
    heard,
    answers: () => answers,
    [Symbol.asyncDispose]: async () => {
      socket.destroy();
      await proxy[Symbol.asyncDispose]();
      server.close();
    },
  };
}

test("what one side says is kept back while it is silenced, the other goes on, and all of it comes in order", async () => {
  await using talk = await conversation();
  const over = talk.proxy.impose("node-2", "node-1", { silent: true });
  talk.socket.write("second");
  await until("the other side hears it", () => talk.heard.includes("second"));
  talk.socket.write("third");
  await until("the other side hears it", () => talk.heard.includes("third"));
  assert.equal(talk.answers(), "first!");
  over();
  await until("what was kept back comes", () => talk.answers() === "first!second!third!");
});

test("a delayed direction is late by that much", async () => {
  await using talk = await conversation();
  talk.proxy.impose("node-1", "node-2", { delayMs: 60 });
  const asked = performance.now();
  talk.socket.write("late");
  await until("the answer", () => talk.answers() === "first!late!");
  // Timers may be a moment early.
  assert.ok(performance.now() - asked >= 58);
});

test("a cut connection is reset for its dialler, and others are left alone", async () => {
  await using talk = await conversation();
  assert.equal(
    talk.proxy.cut(({ from }) => from === "node-3"),
    0,
  );
  const closed = new Promise((resolve) => talk.socket.once("close", resolve));
  assert.equal(
    talk.proxy.cut(({ from }) => from === "node-1"),
    1,
  );
  await closed;
});
