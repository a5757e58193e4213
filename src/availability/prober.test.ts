/** Probers on the way that clients take, and in turn: what makes a probe cheap must not make it blind. */
import assert from "node:assert/strict";
import { once } from "node:events";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo, Socket } from "node:net";
import { test } from "node:test";
import { ProbeConnection } from "./probe-connection.ts";
import { Prober, probe } from "./prober.ts";
import type { SliceSeen } from "./slices.ts";

interface Door extends AsyncDisposable {
  readonly url: URL;
  /** On which connection each request came, numbered from 0. */
  readonly came: readonly number[];
}

/** A door that answers as `answer` says, or else every beat and read well. */
async function openDoor(answer?: (request: IncomingMessage, response: ServerResponse) => boolean): Promise<Door> {
  const sockets: Socket[] = [];
  const came: number[] = [];
  const server = createServer((request, response) => {
    came.push(sockets.indexOf(request.socket));
    if (!answer?.(request, response)) response.end("1");
  });
  server.on("connection", (socket) => sockets.push(socket));
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  return {
    url: new URL(`http://127.0.0.1:${(server.address() as AddressInfo).port}`),
    came,
    [Symbol.asyncDispose]: async () => {
      server.close();
      server.closeAllConnections();
      await once(server, "close");
    },
  };
}

test("probes share a connection, and after ten of them, or one that failed, another one tries the door", async () => {
  await using door = await openDoor();
  const connection = new ProbeConnection(door.url, {});
  for (let probes = 0; probes < 21; probes++) {
    const failure = await probe(connection.ask, "canary-1");
    assert.equal(failure, undefined);
    connection.probed(true);
  }
  // A write and a read each.
  assert.deepEqual(
    door.came,
    Array.from({ length: 42 }, (_, request) => Math.floor(request / 20)),
  );
  connection.probed(false);
  await probe(connection.ask, "canary-1");
  assert.equal(door.came.at(-1), 3);
  connection.close();
});

test("a probe whose kept connection was cut goes on over a new one, and one that nobody answers fails", async () => {
  let [requests, answers] = [0, true];
  await using door = await openDoor((request) => {
    if (answers && ++requests !== 3) return false;
    if (answers) request.socket.destroy();
    return true;
  });
  const connection = new ProbeConnection(door.url, {});
  assert.equal(await probe(connection.ask, "canary-1"), undefined);
  assert.equal(await probe(connection.ask, "canary-2"), undefined);
  assert.deepEqual(door.came, [0, 0, 0, 1, 1]);
  answers = false;
  assert.equal(await probe(connection.ask, "canary-3"), "late");
  connection.close();
  await using closed = await openDoor();
  await closed[Symbol.asyncDispose]();
  assert.equal(await probe(new ProbeConnection(closed.url, {}).ask, "canary-4"), "cut");
});

test("probers take turns: every slice is looked at, by one of them", async (context) => {
  context.mock.timers.enable({ apis: ["setTimeout", "Date"], now: 1_000_000_900 });
  const seen: (SliceSeen & { readonly by: number })[] = [];
  const connection = { ask: async () => ({ status: 200, body: "1" }), probed: () => {}, close: () => {} };
  const probers = [0, 1].map(
    (by) =>
      new Prober({
        connection,
        number: by,
        tell: (slice) => seen.push({ ...slice, by }),
      }),
  );
  for (let quarters = 0; quarters < 40; quarters++) {
    context.mock.timers.tick(250);
    // A probe is a chain of promises.
    await new Promise(setImmediate);
  }
  for (const prober of probers) prober.stop();
  assert.deepEqual(
    seen.map(({ slice, by, failure }) => [slice, by, failure]),
    Array.from({ length: 10 }, (_, at) => [1_000_001 + at, (1_000_001 + at) % 2, undefined]),
  );
});

test("a prober whose clock is set back by an hour goes on after a turn", async (context) => {
  let now = 1_000_000_900;
  context.mock.method(Date, "now", () => now);
  context.mock.timers.enable({ apis: ["setTimeout"] });
  const seen: number[] = [];
  const connection = { ask: async () => ({ status: 200, body: "1" }), probed: () => {}, close: () => {} };
  const prober = new Prober({ connection, number: 0, tell: ({ slice }) => seen.push(slice) });
  const pass = async (ms: number): Promise<void> => {
    for (let passed = 0; passed < ms; passed += 50) {
      now += 50;
      context.mock.timers.tick(50);
      // A probe is a chain of promises.
      await new Promise(setImmediate);
    }
  };
  await pass(4_000);
  now -= 3_600_000;
  await pass(6_000);
  prober.stop();
  assert.deepEqual(seen, [1_000_002, 1_000_004, 996_408, 996_410]);
});
