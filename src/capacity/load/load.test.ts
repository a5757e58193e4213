/** What a load says of itself is what is taken off the machine's account, so it has to be of the same time. */
import assert from "node:assert/strict";
import { once } from "node:events";
import { type AddressInfo, createServer, type Socket } from "node:net";
import { test } from "node:test";
import { Load } from "./load.ts";

test("a load says what it takes of the processors while it counts, however long it waits for answers afterwards", async () => {
  const sockets = new Set<Socket>();
  const server = createServer((socket) => sockets.add(socket.on("error", () => {}))).listen(0, "127.0.0.1");
  await once(server, "listening");
  const url = new URL(`http://127.0.0.1:${(server.address() as AddressInfo).port}`);
  const requests = [{ head: "GET / HTTP/1.1\r\n", tail: "\r\n", keyed: false }];
  try {
    using load = new Load({ url, requests, processes: 1 });
    const coresWith = async (timeoutMs: number): Promise<number> =>
      (await load.offer({ perSecond: 20_000, settleMs: 200, ms: 500, timeoutMs, graceMs: 0 })).loadCores;
    await coresWith(200);
    const impatient = await coresWith(200);
    const patient = await coresWith(3_000);
    assert.ok(patient > impatient / 2, `${patient} processors, and ${impatient} when it does not wait for long`);
  } finally {
    for (const socket of sockets) socket.destroy();
    server.close();
  }
});
