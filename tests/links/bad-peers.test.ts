/**
 * Peers that are not what they should be. Each gets a reason, none gets a call through or more memory than
 * its share, and the node goes on serving the others (guarantee G9, rule S12).
 */
import assert from "node:assert/strict";
import { test } from "node:test";
import { systemClock } from "../../src/adapters/system/clock.ts";
import { tcpNetwork } from "../../src/adapters/tcp/network.ts";
import { SynodError } from "../../src/errors.ts";
import type { Listener } from "../../src/ports/network.ts";
import type { ReplyBody } from "../../src/wire/frames.ts";
import { echo, startNode, type TestNode, until } from "./nodes.ts";
import { bytesOf, callOf, helloOf, RawPeer } from "./raw-peer.ts";

/** The node still answers a peer that does everything right. */
async function serves(node: TestNode): Promise<void> {
  await using friend = await startNode("friend", 999);
  friend.links.connectTo([node.member]);
  await until(() => friend.dialled(node).phase === "open", "a friend gets in");
  assert.deepEqual(await friend.call(node, { input: "7" }), { kind: "ok", output: "7", replayed: false });
}

/** An address that a test answers by hand. */
async function listenRaw(): Promise<{ listener: Listener; next: () => Promise<RawPeer>; peers: RawPeer[] }> {
  const peers: RawPeer[] = [];
  let taken = 0;
  const listener = await tcpNetwork().listen("127.0.0.1:0", (connection) => peers.push(new RawPeer(connection)));
  const next = async (): Promise<RawPeer> => {
    await until(() => peers.length > taken, "somebody has dialled");
    taken++;
    return peers[taken - 1]!;
  };
  return { listener, next, peers };
}

test("a dialler with a wrong secret is told so and gets no call through", async () => {
  await using node = await startNode("b", 2);
  await using stranger = await startNode("a", 1, { secret: new Uint8Array(32).fill(1) });
  stranger.links.connectTo([node.member]);
  await until(() => (stranger.dialled(node).causes["wrong-secret"] ?? 0) > 0, "the stranger hears it");
  using raw = await RawPeer.dial(node.address);
  raw.send(helloOf(), { kind: "proof", proof: new Uint8Array(32).fill(9) }, callOf(1));
  assert.equal((await raw.goodbye()).cause, "wrong-secret");
  await until(() => raw.ended, "the node hangs up");
  assert.equal(node.calls.length, 0);
  await serves(node);
});

test("an acceptor with a wrong secret gets no call, and not even a proof", async () => {
  await using node = await startNode("a", 1);
  const { listener, next } = await listenRaw();
  node.links.connectTo([{ node: "b", incarnation: 2, address: listener.address }]);
  using raw = await next();
  raw.send(helloOf({ node: "b", incarnation: 2 }), { kind: "proof", proof: new Uint8Array(32) });
  assert.equal((await raw.goodbye()).cause, "wrong-secret");
  assert.deepEqual(new Set(raw.frames.map(({ kind }) => kind)), new Set(["hello", "goodbye"]));
  await listener.close();
});

test("another system, a newer protocol and a namesake are each refused by name", async () => {
  await using node = await startNode("b", 2);
  const cases = [
    [helloOf({ system: "shop" }), "wrong-system", /node b belongs to the system bank, and node peer to shop/],
    [
      helloOf({ versionMin: 3, versionMax: 4 }),
      "wrong-version",
      /node b speaks protocol versions 1 to 2, and node peer versions 3 to 4/,
    ],
    [helloOf({ node: "b", incarnation: 3 }), "same-node", /two nodes have the id b \(incarnations 2 and 3\)/],
  ] as const;
  for (const [hello, cause, pattern] of cases) {
    using raw = await RawPeer.dial(node.address);
    raw.send(hello);
    const goodbye = await raw.goodbye();
    assert.equal(goodbye.cause, cause);
    assert.match(goodbye.message, pattern);
    assert.ok(node.logged(cause), "the operator hears of it too");
    assert.ok(!raw.frames.some(({ kind }) => kind === "proof"), "nothing is proved to it");
  }
  await serves(node);
});

test("a handshake that was recorded, and a proof that is sent back, open nothing", async () => {
  await using node = await startNode("b", 2);
  using honest = await RawPeer.dial(node.address);
  const own = helloOf();
  await honest.open(own);
  honest.send(callOf(1));
  await honest.frame("reply");
  const proofs = [await honest.frame("proof")];
  using replayer = await RawPeer.dial(node.address);
  replayer.send(own);
  await replayer.frame("hello");
  replayer.send(proofs[0]!);
  assert.equal((await replayer.goodbye()).cause, "wrong-secret");
  using mirror = await RawPeer.dial(node.address);
  mirror.send(helloOf({ dial: 2 }));
  mirror.send(await mirror.frame("proof"));
  assert.equal((await mirror.goodbye()).cause, "wrong-secret");
  assert.equal(node.calls.length, 1);
});

test("a peer that says hello and then nothing, or speaks byte by byte, has its time and no more", async () => {
  await using node = await startNode("b", 2, { limits: { helloMs: 150 } });
  const start = performance.now();
  using quiet = await RawPeer.dial(node.address);
  using silent = await RawPeer.dial(node.address);
  using slow = await RawPeer.dial(node.address);
  quiet.send(helloOf());
  const bytes = bytesOf(helloOf());
  let sent = 0;
  const drip = setInterval(() => slow.connection.send(bytes.subarray(sent, ++sent)), 10);
  try {
    for (const peer of [quiet, silent, slow]) {
      assert.equal((await peer.goodbye()).cause, "hello-timeout");
      await until(() => peer.closed !== undefined, "the node hangs up");
    }
  } finally {
    clearInterval(drip);
  }
  assert.ok(performance.now() - start >= 150);
  await until(() => node.accepted().length === 0, "nothing is left of them");
  await serves(node);
});

test("strangers take so many places and no more; a friend gets in when they are gone", async () => {
  await using node = await startNode("b", 2, { limits: { helloMs: 1_000, lingerMs: 50, halfOpenMax: 4 } });
  const strangers = await Promise.all(Array.from({ length: 4 }, () => RawPeer.dial(node.address)));
  await until(() => node.accepted().length === 4, "all places are taken");
  // It may hear of it while it still connects.
  const crowded = await RawPeer.dial(node.address).catch(() => undefined);
  await until(() => crowded === undefined || crowded.closed !== undefined, "the fifth is cut at once");
  await until(() => node.logged("crowded"), "the operator hears of it");
  assert.equal(node.accepted().length, 4);
  await serves(node);
  for (const stranger of strangers) stranger[Symbol.dispose]();
});

test("before the handshake nothing but a hello passes, and nothing longer than 4 KiB", async () => {
  await using node = await startNode("b", 2);
  const length = (bytes: number) => {
    const head = new Uint8Array(5);
    new DataView(head.buffer).setUint32(0, bytes);
    head[4] = 1;
    return head;
  };
  const cases: readonly (readonly [Uint8Array, RegExp])[] = [
    [bytesOf(callOf(1)), /a call before the handshake/],
    [bytesOf({ kind: "ping", number: 1 }), /a ping before the handshake/],
    [bytesOf({ kind: "proof", proof: new Uint8Array(32) }), /a proof before the handshake/],
    [bytesOf(helloOf(), helloOf()), /a hello before the handshake was complete/],
    [length(4_097), /announces 4097 bytes, and 4096 are allowed here/],
    [length(0xffff_ffff), /announces 4294967295 bytes/],
    [new TextEncoder().encode("GET / HTTP/1.1\r\nHost: localhost\r\n\r\n"), /announces 1195725856 bytes/],
    [Uint8Array.of(0, 0, 0, 1, 99), /unknown kind 99/],
    [Uint8Array.of(0, 0, 0, 0), /a frame is empty/],
  ];
  for (const [bytes, pattern] of cases) {
    using raw = await RawPeer.dial(node.address);
    raw.connection.send(bytes);
    const goodbye = await raw.goodbye();
    assert.equal(goodbye.cause, "breach");
    assert.match(goodbye.message, pattern);
  }
  assert.equal(node.calls.length, 0);
  await serves(node);
});

test("after the handshake a length of 4 GiB, an unknown frame and a wrong number end the link with a reason", async () => {
  await using node = await startNode("b", 2);
  const cases: readonly (readonly [Uint8Array, RegExp])[] = [
    [Uint8Array.of(0xff, 0xff, 0xff, 0xff), /announces 4294967295 bytes, and 4194304 are allowed/],
    [Uint8Array.of(0, 0, 0, 1, 99), /unknown kind 99/],
    [bytesOf(callOf(2)), /call 2 after call 0/],
    [bytesOf({ kind: "chunk", number: 1, last: false, text: "" }), /a chunk came where none may come/],
    [bytesOf({ kind: "credit", number: 0, callsMax: 1, callBytesMax: 1 }), /a credit came where none may come/],
  ];
  for (const [index, [bytes, pattern]] of cases.entries()) {
    using raw = await RawPeer.dial(node.address);
    await raw.open(helloOf({ dial: index + 1 }));
    raw.connection.send(bytes);
    assert.match((await raw.goodbye()).message, pattern);
  }
  await serves(node);
});

test("what is announced and not sent costs nothing", async () => {
  await using node = await startNode("b", 2);
  const peers = await Promise.all(Array.from({ length: 20 }, () => RawPeer.dial(node.address)));
  const before = process.memoryUsage().arrayBuffers;
  for (const [index, peer] of peers.entries()) {
    await peer.open(helloOf({ node: `peer-${index}`, incarnation: 10 + index }));
    peer.connection.send(Uint8Array.of(0, 0x3f, 0xff, 0xff, 3));
  }
  await until(() => node.accepted().filter(({ phase }) => phase === "open").length === 20, "all are open");
  await serves(node);
  assert.ok(process.memoryUsage().arrayBuffers - before < 20 * 256 * 1024, "not 20 times 4 MiB");
  for (const peer of peers) peer[Symbol.dispose]();
});

test("a dialler that asks for much and reads nothing is given up, at a bound", async () => {
  const limits = { bufferedBytesMax: 2 * 1024 * 1024, callsMax: 100 };
  const output = "x".repeat(500_000);
  await using node = await startNode("b", 2, {
    limits,
    onCall: (call) =>
      call.body.key === "large" ? Promise.resolve({ kind: "ok", output, replayed: false }) : echo(call),
  });
  using raw = await RawPeer.dial(node.address);
  await raw.open();
  raw.connection.pause();
  for (let number = 1; number <= 100; number++) raw.send(callOf(number, { key: "large" }));
  await until(() => node.logged("not-reading"), "the node gives it up");
  assert.ok(node.accepted().every(({ bufferedBytes }) => bufferedBytes === 0));
  await serves(node);
});

for (const kind of ["that asks for more all the while", "that asked for much at once"] as const) {
  test(`a dialler ${kind} and reads it slowly is not given up, however long bytes wait for it`, async () => {
    const limits = { pingIntervalMs: 50, blockedIntervalsMax: 4 };
    const output = "x".repeat(500_000);
    const onCall = async (): Promise<ReplyBody> => ({ kind: "ok", output, replayed: false });
    await using node = await startNode("b", 2, { limits, onCall });
    using raw = await RawPeer.dial(node.address);
    await raw.open();
    const again = kind === "that asks for more all the while";
    const calls = again ? 60 : 160;
    for (let number = 1; number <= calls; number++) raw.send(callOf(number));
    const buffered = () => node.accepted()[0]?.bufferedBytes ?? 0;
    await until(() => buffered() > 0, "bytes wait");
    // As much as comes in one go, once in a millisecond.
    const sips = setInterval(() => raw.connection.resume(), 1);
    let asked = calls;
    let emptyAt: number | undefined;
    raw.onBytes = () => {
      raw.connection.pause();
      if (buffered() === 0) emptyAt ??= performance.now();
      const replies = raw.frames.filter(({ kind }) => kind === "reply").length;
      while (again && asked < calls + replies) raw.send(callOf(++asked));
    };
    try {
      const start = performance.now();
      const lastsMs = 2 * limits.blockedIntervalsMax * limits.pingIntervalMs;
      const lasts = () =>
        emptyAt === undefined && performance.now() - start > (again ? 20 * limits.pingIntervalMs : lastsMs);
      await until(() => raw.closed !== undefined || lasts(), "bytes wait for a long time");
      assert.equal(raw.closed, undefined);
      assert.ok(!node.logged("not-reading"));
      if (!again) await until(() => raw.frames.filter(({ kind }) => kind === "reply").length === calls, "all has come");
    } finally {
      clearInterval(sips);
    }
  });
}

test("an acceptor that reads nothing is given up in time, and its callers are told what is known", async () => {
  await using node = await startNode("a", 1, {
    limits: { pingIntervalMs: 30, blockedIntervalsMax: 3, queueLengthMax: 4 },
  });
  const { listener, next } = await listenRaw();
  node.links.connectTo([{ node: "b", incarnation: 2, address: listener.address }]);
  using raw = await next();
  await raw.accept(helloOf({ node: "b", incarnation: 2 }));
  raw.connection.pause();
  const input = "x".repeat(1_000_000);
  const request = { body: callOf(1, { input }).body, deadline: systemClock.monotonic() + 8_000, priority: 1 };
  const calls = Array.from({ length: 40 }, () => node.links.call(2, request));
  const errors = (await Promise.allSettled(calls)).map((result) =>
    result.status === "rejected" ? result.reason : undefined,
  );
  assert.ok(errors.every((error) => error instanceof SynodError));
  const kinds = new Set(errors.map((error) => `${error.code} ${error.outcome}`));
  // Some were sent into the dark, some waited, and some found too many waiting.
  assert.deepEqual(
    kinds,
    new Set(["unavailable unknown", "unavailable not-happened", "resource_exhausted not-happened"]),
  );
  assert.ok(node.logged("not-reading"));
  await listener.close();
});

test("a peer that falls silent is given up after so many ping intervals", async () => {
  await using node = await startNode("a", 1, { limits: { pingIntervalMs: 20, silentIntervalsMax: 3 } });
  const { listener, next } = await listenRaw();
  node.links.connectTo([{ node: "b", incarnation: 2, address: listener.address }]);
  using raw = await next();
  await raw.accept(helloOf({ node: "b", incarnation: 2 }));
  const call = node.links.call(2, { body: callOf(1).body, deadline: systemClock.monotonic() + 8_000, priority: 1 });
  await assert.rejects(call, (error: unknown) => error instanceof SynodError && error.outcome === "unknown");
  assert.ok(node.logged("silent"));
  assert.match(JSON.stringify(node.log), /nothing came from the peer for 3 ping intervals/);
  await listener.close();
});

test("keys and inputs cannot reach a prototype", async () => {
  await using node = await startNode("b", 2);
  const names = Object.getOwnPropertyNames(Object.prototype);
  using raw = await RawPeer.dial(node.address);
  await raw.open(helloOf({ node: "__proto__" }));
  const words = ["__proto__", "constructor", "prototype", "toString"];
  for (const [index, word] of words.entries()) {
    const identity = { session: word, number: 1, floor: 0, open: [] };
    raw.send(
      callOf(index + 1, {
        service: word,
        key: word,
        operation: word,
        principal: word,
        identity,
        input: `{"${word}":{"x":1}}`,
      }),
    );
  }
  await until(() => node.calls.length === 4, "the calls have arrived as they are");
  assert.deepEqual(
    node.calls.map(({ body }) => body.service),
    words,
  );
  assert.deepEqual(Object.getOwnPropertyNames(Object.prototype), names);
});
