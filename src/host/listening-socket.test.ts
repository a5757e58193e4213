import assert from "node:assert/strict";
import { once } from "node:events";
import type { AddressInfo } from "node:net";
import { connect, createServer } from "node:net";
import { test } from "node:test";
import { bindSocket, explainListenError } from "./listening-socket.ts";

test("port 0 is bound to a port that can be told, and a name is looked up", async () => {
  const socket = await bindSocket("127.0.0.1", 0);
  assert.ok(socket.port > 0);
  socket.close();
  (await bindSocket("localhost", 0)).close();
});

test("an address in use is refused before any node is started", async () => {
  const server = createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  try {
    await assert.rejects(bindSocket("127.0.0.1", port), /The address 127\.0\.0\.1:\d+ is in use by another program/);
  } finally {
    server.close();
  }
});

test("an address of another machine, or none at all, is refused in one sentence", async () => {
  await assert.rejects(bindSocket("192.0.2.1", 0), /does not belong to this machine/);
  await assert.rejects(bindSocket("nobody.invalid", 0), /does not belong to this machine/);
  assert.match(explainListenError("::1", 80, "EACCES").message, /^The address \[::1\]:80 may not be used by this user/);
  assert.match(explainListenError("::1", 80, "EOTHER").message, /cannot be listened at \(EOTHER\)/);
});

test("a bound socket that no node holds yet refuses connections", async () => {
  const socket = await bindSocket("127.0.0.1", 0);
  const client = connect(socket.port, "127.0.0.1");
  const [error] = (await once(client, "error")) as [NodeJS.ErrnoException];
  assert.equal(error.code, "ECONNREFUSED");
  socket.close();
});
