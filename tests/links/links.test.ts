/** Calls over links, between nodes on real sockets. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { memoryNetwork } from "../../src/adapters/memory/network.ts";
import { systemClock } from "../../src/adapters/system/clock.ts";
import { tcpNetwork } from "../../src/adapters/tcp/network.ts";
import { defaultLinkLimits } from "../../src/core/link/limits.ts";
import { SynodError } from "../../src/errors.ts";
import type { Connection, Network } from "../../src/ports/network.ts";
import type { InboundCall } from "../../src/runtime/links/calls.ts";
import type { CallBody, ReplyBody } from "../../src/wire/frames.ts";
import { echo, startNode, type TestNode, until } from "./nodes.ts";

/** No ping within a test, so that frames can be counted. */
const quiet = { pingIntervalMs: 60_000 };

const failsWith = (code: string, outcome: string) => (error: unknown) => {
  return error instanceof SynodError && error.code === code && error.outcome === outcome;
};

/** A network whose connections a test can cut, and whose writes it can count. */
function watched(network: Network): Network & { readonly connections: Connection[]; sends: number } {
  const watcher = {
    connections: [] as Connection[],
    sends: 0,
    listen: network.listen,
    connect: async (address: string, timeoutMs: number) => {
      const connection = await network.connect(address, timeoutMs);
      const send = connection.send.bind(connection);
      connection.send = (bytes) => {
        watcher.sends++;
        return send(bytes);
      };
      watcher.connections.push(connection);
      return connection;
    },
  };
  return watcher;
}

/** Waits for the link that takes calls. */
async function open(from: TestNode, to: TestNode): Promise<void> {
  from.links.connectTo([to.member]);
  await until(() => from.dialled(to).phase === "open", "the link is open");
  await until(() => to.accepted().some(({ phase }) => phase === "open"), "the other side knows it");
}

/** A handler that answers when the test says so. */
function held(): { onCall: () => Promise<ReplyBody>; release: () => void } {
  const { promise, resolve } = Promise.withResolvers<ReplyBody>();
  return { onCall: () => promise, release: () => resolve({ kind: "ok", output: undefined, replayed: false }) };
}

for (const [name, make] of [
  ["memory", memoryNetwork],
  ["tcp", tcpNetwork],
] as const) {
  test(`a call costs two frames, and everything it says arrives (${name})`, async () => {
    const network = make();
    await using a = await startNode("a", 1, { network, limits: quiet });
    await using b = await startNode("b", 2, { network, limits: quiet });
    await open(a, b);
    const before = [a.dialled(b), b.accepted()[0]!];
    const body: CallBody = {
      service: "account",
      key: "/%2F😀",
      operation: "deposit",
      epoch: 9,
      identity: { session: "a:1", number: 12, floor: 11, open: [3, 7] },
      command: { id: "c", keyTime: 5 },
      request: "r",
      principal: "p",
      traceparent: "00-ab-cd-01",
      input: '{"ä":1}',
    };
    assert.deepEqual(await a.call(b, body, { priority: 0 }), { kind: "ok", output: '{"ä":1}', replayed: false });
    const after = [a.dialled(b), b.accepted()[0]!];
    const difference = after.map(({ framesSent }, index) => framesSent - before[index]!.framesSent);
    assert.deepEqual(difference, [1, 1]);
    const [seen] = b.calls;
    assert.deepEqual(seen!.body, body);
    assert.deepEqual(seen!.from, { node: "a", incarnation: 1 });
    assert.equal(seen!.priority, 0);
    assert.equal(seen!.incarnation, 1);
  });
}

test("every kind of reply arrives as it was given", async () => {
  const replies: ReplyBody[] = [
    { kind: "ok", output: undefined, replayed: true },
    { kind: "declared", code: "insufficientFunds", message: "not enough", data: '{"balance":1}', replayed: false },
    {
      kind: "status",
      code: "invalid_argument",
      message: "no",
      outcome: "not-happened",
      retryable: false,
      retryAfterMs: 3,
      data: "{}",
    },
    { kind: "moved", revision: 1, epoch: 2, owner: 3, node: "c" },
  ];
  await using a = await startNode("a", 1);
  await using b = await startNode("b", 2, { onCall: async (call) => replies[Number(call.body.input)]! });
  a.links.connectTo([b.member]);
  for (const [index, reply] of replies.entries()) assert.deepEqual(await a.call(b, { input: String(index) }), reply);
});

test("a handler that throws is answered as an error, at once or later", async () => {
  const onCall = (call: InboundCall): Promise<ReplyBody> => {
    if (call.body.input === undefined) throw new Error("at once");
    return Promise.reject(new SynodError("unavailable", "later", { outcome: "not-happened", retryAfterMs: 5 }));
  };
  await using a = await startNode("a", 1);
  await using b = await startNode("b", 2, { onCall });
  a.links.connectTo([b.member]);
  const rest = { kind: "status", data: undefined };
  assert.deepEqual(await a.call(b), {
    ...rest,
    code: "internal",
    message: "at once",
    outcome: "unknown",
    retryable: false,
    retryAfterMs: undefined,
  });
  assert.deepEqual(await a.call(b, { input: "1" }), {
    ...rest,
    code: "unavailable",
    message: "later",
    outcome: "not-happened",
    retryable: true,
    retryAfterMs: 5,
  });
});

test("calls made in one turn are written together, a kibibyte or so at a time", async () => {
  const network = watched(memoryNetwork());
  await using a = await startNode("a", 1, { network, limits: quiet });
  await using b = await startNode("b", 2, { network, limits: quiet });
  await open(a, b);
  const [sends, bytes] = [network.sends, a.dialled(b).bytesSent];
  await Promise.all(Array.from({ length: 100 }, (_, index) => a.call(b, { input: String(index) })));
  const written = a.dialled(b).bytesSent - bytes;
  assert.ok(network.sends - sends <= Math.ceil(written / 1024), `${network.sends - sends} writes for ${written} bytes`);
  assert.ok(network.sends - sends > 1, "a large batch is cut");
});

test("the deadline travels as remaining time, and a caller that gives up is heard", async () => {
  const { onCall, release } = held();
  await using a = await startNode("a", 1);
  await using b = await startNode("b", 2, { onCall });
  a.links.connectTo([b.member]);
  const abort = new AbortController();
  const made = systemClock.monotonic();
  const call = a.call(b, {}, { deadline: made + 5_000, signal: abort.signal });
  await until(() => b.calls.length === 1, "the call has arrived");
  const [inbound] = b.calls;
  assert.ok(inbound!.deadline >= made + 5_000 && inbound!.deadline <= systemClock.monotonic() + 5_000);
  assert.equal(inbound!.signal.aborted, false);
  abort.abort();
  await assert.rejects(call, failsWith("cancelled", "unknown"));
  await until(() => inbound!.signal.aborted, "the handler has heard of it");
  release();
  await assert.rejects(a.call(b, {}, { signal: AbortSignal.abort() }), failsWith("cancelled", "not-happened"));
});

test("no call outlives its deadline, sent or not", async () => {
  const { onCall, release } = held();
  await using a = await startNode("a", 1);
  await using b = await startNode("b", 2, { onCall, limits: { callsMax: 1 } });
  await open(a, b);
  const within = (ms: number) => ({ deadline: systemClock.monotonic() + ms });
  const start = systemClock.monotonic();
  const [sent, waiting] = [a.call(b, {}, within(60)), a.call(b, {}, within(40))];
  await assert.rejects(waiting, failsWith("deadline_exceeded", "not-happened"));
  await assert.rejects(sent, failsWith("deadline_exceeded", "unknown"));
  assert.ok(systemClock.monotonic() - start >= 60);
  await assert.rejects(a.call(b, {}, within(-1)), failsWith("deadline_exceeded", "not-happened"));
  release();
});

test("when a link is cut, what was sent is unknown, what was not did not happen, and the next call finds a new link", async () => {
  const { onCall } = held();
  const network = watched(tcpNetwork());
  await using a = await startNode("a", 1, { network });
  await using b = await startNode("b", 2, {
    limits: { callsMax: 1 },
    onCall: (call) => (call.body.input === "hold" ? onCall() : echo(call)),
  });
  await open(a, b);
  const [sent, waiting] = [a.call(b, { input: "hold" }), a.call(b, { input: "wait" })];
  await until(() => b.calls.length === 1, "the first call has arrived");
  network.connections[0]!.destroy("cut by the test");
  await assert.rejects(sent, failsWith("unavailable", "unknown"));
  await assert.rejects(waiting, failsWith("unavailable", "not-happened"));
  await until(() => b.calls[0]!.signal.aborted, "the handler has heard of it");
  await until(() => a.dialled(b).phase === "open", "there is a new link");
  assert.deepEqual(await a.call(b, { input: "1" }), { kind: "ok", output: "1", replayed: false });
  assert.equal(
    b.calls.some(({ body }) => body.input === "wait"),
    false,
  );
  assert.equal(a.dialled(b).reconnects, 1);
  assert.deepEqual(a.dialled(b).causes, { lost: 1 });
});

test("while nobody listens, calls fail at once with a hint when to come back, and dialling goes on", async () => {
  await using a = await startNode("a", 1, { limits: { backoffFirstMs: 400, backoffMaxMs: 400 } });
  const late = await startNode("b", 2);
  const { address } = late;
  await late.links.close("not yet");
  a.links.connectTo([late.member]);
  await until(() => a.dialled(late).phase === "waiting", "the first attempt has failed");
  await assert.rejects(a.call(late), (error: unknown) => {
    assert.ok(error instanceof SynodError && error.retryAfterMs !== undefined && error.retryAfterMs <= 400);
    return failsWith("unavailable", "not-happened")(error);
  });
  await using b = await startNode("b", 2, { address });
  await until(() => a.dialled(b).phase === "open", "the link is there");
  assert.ok((await a.call(b)).kind === "ok");
  assert.ok(a.dialled(b).causes.refused! >= 1);
  await assert.rejects(
    a.links.call(99, { body: b.calls[0]!.body, deadline: 1e12, priority: 1 }),
    failsWith("unavailable", "not-happened"),
  );
});

test("large inputs and replies pass, larger ones are refused by name on the right side", async () => {
  await using a = await startNode("a", 1);
  await using b = await startNode("b", 2, {
    onCall: async (call) => {
      const output = call.body.key === "grow" ? "x".repeat(5 * 1024 * 1024) : call.body.input;
      return { kind: "ok", output, replayed: false };
    },
  });
  a.links.connectTo([b.member]);
  const large = "é".repeat(1_500_000);
  assert.deepEqual(await a.call(b, { input: large }), { kind: "ok", output: large, replayed: false });
  await assert.rejects(
    a.call(b, { input: "x".repeat(4 * 1024 * 1024) }),
    failsWith("invalid_argument", "not-happened"),
  );
  await assert.rejects(a.call(b, { key: "k".repeat(5_000) }), failsWith("invalid_argument", "not-happened"));
  assert.equal(b.calls.length, 1);
  const reply = await a.call(b, { key: "grow" });
  assert.ok(reply.kind === "status" && reply.code === "resource_exhausted" && reply.outcome === "unknown");
  assert.ok((await a.call(b, { input: "1" })).kind === "ok", "the link goes on");
});

test("a caller holds only so many calls that the other side does not take yet", async () => {
  const { onCall, release } = held();
  await using a = await startNode("a", 1, { limits: { queueLengthMax: 2 } });
  await using b = await startNode("b", 2, { onCall, limits: { callsMax: 1 } });
  await open(a, b);
  const accepted = [a.call(b), a.call(b), a.call(b)];
  await assert.rejects(a.call(b), failsWith("resource_exhausted", "not-happened"));
  release();
  await Promise.all(accepted);
  assert.equal(a.dialled(b).calls, 3);
  assert.ok(a.dialled(b).queueWaitMaxMs > 0);
});

test("a drain finishes what is accepted and takes nothing new", async () => {
  const { onCall, release } = held();
  await using a = await startNode("a", 1);
  await using b = await startNode("b", 2, { onCall, limits: { callsMax: 1 } });
  await open(a, b);
  const [accepted, waiting] = [a.call(b), a.call(b)];
  await until(() => b.calls.length === 1, "the first call has arrived");
  const drained = b.links.drain("a new version is coming");
  await assert.rejects(waiting, failsWith("unavailable", "not-happened"));
  await assert.rejects(a.call(b), failsWith("unavailable", "not-happened"));
  release();
  assert.ok((await accepted).kind === "ok");
  await drained;
  assert.deepEqual(b.accepted(), []);
  assert.equal(b.calls.length, 1);
});

test("a node that drains waits for the replies to its own calls", async () => {
  const { onCall, release } = held();
  await using a = await startNode("a", 1);
  await using b = await startNode("b", 2, { onCall });
  await open(a, b);
  const call = a.call(b);
  await until(() => b.calls.length === 1, "the call has arrived");
  const drained = a.links.drain("leaving");
  await assert.rejects(a.call(b), failsWith("unavailable", "not-happened"));
  release();
  assert.ok((await call).kind === "ok");
  await drained;
});

test("a node that is not a member yet sends diallers away, who come back", async () => {
  await using a = await startNode("a", 1);
  await using b = await startNode("b", 2, { identified: false });
  a.links.connectTo([b.member]);
  await until(() => (a.dialled(b).causes.starting ?? 0) > 0, "the first attempt was sent away");
  b.links.identify(2);
  await until(() => a.dialled(b).phase === "open", "the link is open");
});

test("a new incarnation ends the links of the old one, on both sides", async () => {
  await using a = await startNode("a", 1);
  await using b = await startNode("b", 2);
  await open(a, b);
  a.links.identify(3);
  await until(() => b.accepted().every(({ phase }) => phase !== "open"), "the old link is closed");
  a.links.connectTo([b.member]);
  await until(() => b.accepted().some((link) => link.incarnation === 3), "the new one is there");
  assert.ok((await a.call(b)).kind === "ok");
  assert.equal(b.calls.at(-1)!.incarnation, 3);
});

test("two nodes with one id: neither puts the other out, and they do not talk to each other", async () => {
  await using older = await startNode("a", 1);
  await using newer = await startNode("a", 5);
  await using b = await startNode("b", 2);
  await open(older, b);
  await open(newer, b);
  for (const namesake of [newer, older]) {
    assert.equal(namesake.dialled(b).phase, "open");
    assert.ok((await namesake.call(b)).kind === "ok");
  }
  newer.links.connectTo([older.member]);
  await until(() => newer.dialled(older).causes["same-node"] !== undefined, "namesakes do not talk");
  assert.match(JSON.stringify(older.log), /two nodes have the id a \(incarnations 1 and 5\)/);
});

test("a member that left, or moved, loses its link; nothing is dialled without an address", async () => {
  await using a = await startNode("a", 1);
  await using b = await startNode("b", 2);
  await open(a, b);
  a.links.connectTo([a.member, b.member, { node: "c", incarnation: 3, address: null }]);
  assert.equal(a.links.statistics().length, 1);
  a.links.connectTo([]);
  await until(() => b.accepted().length === 0, "the link is gone");
  await assert.rejects(a.call(b), failsWith("unavailable", "not-happened"));
});

test("adjacent versions talk, and the newer one both speak is taken", async () => {
  await using a = await startNode("a", 1, { versions: { min: 1, max: 2 } });
  await using b = await startNode("b", 2, { versions: { min: 2, max: 3 } });
  await using c = await startNode("c", 3, { versions: { min: 3, max: 4 } });
  await open(a, b);
  assert.ok((await a.call(b)).kind === "ok");
  a.links.connectTo([b.member, c.member]);
  await until(() => a.dialled(c).causes["wrong-version"] !== undefined, "two versions apart is too far");
  assert.match(JSON.stringify(a.log), /speaks protocol versions 3 to 4, and node a versions 1 to 2/);
});

test("whose call it is arrives where it is understood, and is left out where it is not", async () => {
  await using a = await startNode("a", 1);
  await using old = await startNode("old", 2, { versions: { min: 1, max: 1 } });
  await using b = await startNode("b", 3);
  for (const [other, arrived] of [
    [old, undefined],
    [b, "10.0.0.7"],
  ] as const) {
    a.links.connectTo([other.member]);
    assert.ok((await a.call(other, { caller: "10.0.0.7", principal: "anonymous" })).kind === "ok");
    assert.equal(other.calls[0]?.body.caller, arrived);
  }
});

test("the dialler measures round trips, and an acceptor that asks nothing hears it all the same", async () => {
  const limits = { pingIntervalMs: 10 };
  await using a = await startNode("a", 1, { limits });
  await using b = await startNode("b", 2, { limits });
  await open(a, b);
  await until(() => a.dialled(b).roundTripMs !== undefined, "the dialler has measured");
  const heard = b.accepted()[0]!.framesReceived;
  await until(() => b.accepted()[0]!.framesReceived > heard + 2 * defaultLinkLimits.silentIntervalsMax, "pings came");
  assert.equal(a.dialled(b).reconnects, 0);
  const { roundTripMs, roundTripMinMs } = a.dialled(b);
  assert.ok(roundTripMinMs! > 0 && roundTripMinMs! <= roundTripMs!);
});
