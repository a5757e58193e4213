/** A drain that passes idle connections on: their clients notice nothing, whatever they send and whenever. */
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import type { PassOn } from "../../ports/gateway.ts";
import { connectRaw, gate, output, parseReply, type RawConnection, startHttp, until } from "./fixture.test.ts";
import type { HttpOptions } from "./index.ts";

const get = "GET /account/a/balance HTTP/1.1\r\nHost: a\r\n\r\n";

/** A server that leaves and one that stays, which differ by what they answer; and the way from one to the other. */
async function startTwo(limits: HttpOptions["limits"] = {}) {
  const leaving = await startHttp({ limits }, () => output('"leaving"'));
  const staying = await startHttp({ limits }, () => output('"staying"'));
  let passed = 0;
  const passOn: PassOn = async (connection) => {
    passed++;
    staying.adapter.adopt!(connection);
  };
  return {
    leaving,
    staying,
    drain: () => leaving.adapter.drain(passOn),
    passed: () => passed,
    [Symbol.asyncDispose]: async () => {
      await leaving.adapter.close();
      await staying.adapter.close();
    },
  };
}

/** Sends a request and waits for that answer. */
async function ask({ socket, received }: RawConnection, answer: string, bytes = get): Promise<void> {
  const before = received().length;
  socket.write(bytes);
  await until(() => received().slice(before).includes(answer), `the answer ${answer}, not ${received()}`);
}

describe("a drain that passes connections on", () => {
  test("closes no idle connection, used or not, and the one that stays answers on them", async () => {
    await using servers = await startTwo({ drainGraceMs: 20 });
    using used = await connectRaw(servers.leaving);
    using fresh = await connectRaw(servers.leaving);
    await ask(used, "leaving");
    await servers.drain();
    assert.equal(servers.passed(), 2);
    for (const client of [used, fresh]) {
      await ask(client, "staying");
      await ask(client, "staying");
      assert.doesNotMatch(client.received(), /connection: close/i);
      assert.equal(client.socket.readableEnded, false);
    }
  });

  test("loses no request that sets out at the same instant", async () => {
    await using servers = await startTwo({ drainGraceMs: 20 });
    const clients = await Promise.all(Array.from({ length: 20 }, () => connectRaw(servers.leaving)));
    for (const client of clients) await ask(client, "leaving");
    // Nothing of these is read before the drain, which finds the connections idle.
    for (const { socket } of clients) socket.write(get);
    await servers.drain();
    await Promise.all(clients.map((client) => until(() => client.received().includes("staying"), "every answer")));
    assert.ok(clients.every(({ socket }) => !socket.readableEnded));
    for (const client of clients) client[Symbol.dispose]();
  });

  test("keeps what has begun: a request in progress and one that has come in part", async () => {
    const running = gate();
    await using servers = await startTwo({ drainGraceMs: 5_000 });
    servers.leaving.gateway.answer = async () => {
      await running.opened;
      return output('"late"');
    };
    // What came first has been read when what came after it is being answered.
    using begun = await connectRaw(servers.leaving, get.slice(0, 20));
    using asking = await connectRaw(servers.leaving, get);
    await until(() => servers.leaving.gateway.calls.length === 1, "the call");
    const drained = servers.drain();
    begun.socket.write(get.slice(20));
    await until(() => servers.leaving.gateway.calls.length === 2, "the second call");
    running.open();
    await drained;
    assert.equal(servers.passed(), 0);
    for (const client of [asking, begun]) {
      const { headers, text } = parseReply(await client.closed);
      assert.deepEqual([headers.connection, text], ["close", '"late"']);
    }
  });

  test("passes a connection on after an answer that had promised that it stays", async () => {
    const text = JSON.stringify("x".repeat(16 * 1_024 * 1_024));
    await using servers = await startTwo({ drainGraceMs: 20 });
    servers.leaving.gateway.answer = () => output(text);
    using client = await connectRaw(servers.leaving);
    client.socket.pause();
    client.socket.write(get);
    await until(() => servers.leaving.gateway.calls.length === 1, "the call");
    await new Promise(setImmediate);
    const drained = servers.drain();
    client.socket.resume();
    await drained;
    assert.equal(servers.passed(), 1);
    await ask(client, "staying");
  });

  test("passes none on whose requests came in one go, because where the next begins cannot be told", async () => {
    await using servers = await startTwo({ drainGraceMs: 20 });
    using client = await connectRaw(servers.leaving, `${get}${get}${get.slice(0, 10)}`);
    await until(() => client.received().split("leaving").length === 3, "both answers");
    await servers.drain();
    assert.equal(servers.passed(), 0);
    await client.closed;
  });

  test("passes on whom it has turned away by the head of a request, if the whole request came with it", async () => {
    await using servers = await startTwo({ drainGraceMs: 20 });
    const head =
      "POST /account/a/deposit HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\nContent-Length: 2\r\n\r\n";
    servers.leaving.gateway.busy = true;
    const none = { code: "resource_exhausted", declared: false, message: "too much to do", retryable: true } as const;
    servers.leaving.gateway.refused = { ...none, outcome: "not-happened" };
    using whole = await connectRaw(servers.leaving);
    await ask(whole, "too much to do", `${head}{}`);
    using begun = await connectRaw(servers.leaving);
    await ask(begun, "too much to do", head);
    await servers.drain();
    assert.equal(servers.passed(), 1);
    await ask(whole, "staying");
    // Where this body ends and the next request begins, nobody could tell who takes over.
    await begun.closed;
  });

  test("can be followed by another one: a connection that waits is passed on again", async () => {
    await using servers = await startTwo({ drainGraceMs: 20 });
    await using third = await startHttp({}, () => output('"third"'));
    using client = await connectRaw(servers.leaving);
    await ask(client, "leaving");
    await servers.drain();
    await servers.staying.adapter.drain(async (connection) => third.adapter.adopt!(connection));
    await ask(client, "third");
  });
});

describe("a connection that was passed on", () => {
  test("may stay idle for the keep-alive timeout, however long headers may take, and no longer", async () => {
    await using servers = await startTwo({ headersTimeoutMs: 50, keepAliveTimeoutMs: 700 });
    using client = await connectRaw(servers.leaving);
    await ask(client, "leaving");
    const started = performance.now();
    await servers.drain();
    const received = client.received();
    assert.equal(await client.closed, received, "it is closed without a word");
    assert.ok(performance.now() - started > 600);
  });

  test("has the time for headers from their first byte on", async () => {
    await using servers = await startTwo({ headersTimeoutMs: 50 });
    using client = await connectRaw(servers.leaving);
    await servers.drain();
    client.socket.write(get.slice(0, 20));
    assert.match(await client.closed, /^HTTP\/1.1 408 /);
  });

  test("ends with its client, with the server's close, and at the bound of connections", async () => {
    await using servers = await startTwo({ connectionsMax: 2 });
    using first = await connectRaw(servers.leaving);
    using second = await connectRaw(servers.leaving);
    using direct = await connectRaw(servers.staying);
    await ask(direct, "staying");
    await servers.drain();
    // One of the two is one too many.
    await Promise.race([first.closed, second.closed]);
    const kept = first.socket.closed ? second : first;
    await ask(kept, "staying");
    kept.socket.end();
    await kept.closed;
    await servers.staying.adapter.close();
    await direct.closed;
  });

  test("is closed by a drain that passes nothing on, after its grace", async () => {
    await using servers = await startTwo({ drainGraceMs: 20 });
    using client = await connectRaw(servers.leaving);
    await servers.drain();
    await servers.staying.adapter.drain();
    assert.equal(await client.closed, "");
  });
});
