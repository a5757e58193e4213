/**
 * What every network adapter must do, as a suite for `node:test`: bytes arrive in order and complete, the
 * sender is told to stop, each half ends by itself, and both sides learn how a connection ended.
 *
 * @example
 * ```ts
 * import { networkConformance } from "synod/conformance";
 *
 * networkConformance({ name: "my network", address: "127.0.0.1:0", open: () => myNetwork() });
 * ```
 */
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { SynodError } from "../errors.ts";
import type { Connection, Listener, Network } from "../ports/network.ts";
import { Peer, until } from "./network-peer.ts";

export interface NetworkConformanceOptions {
  /** What is tested, for the report. */
  readonly name: string;
  /** Where to listen; port 0 for a free one. */
  readonly address: string;
  /** A network; may be a new one each time. */
  readonly open: () => Network;
  /** A deviation: why the other side of a connection that is destroyed may take that for an end. */
  readonly cutLooksLikeEnd?: string;
}

/** Connecting on one machine takes much less. */
const connectTimeoutMs = 5_000;
/** Beyond any buffer of a network, so that the sender must be stopped. */
const largeBytes = 8 * 1024 * 1024;
const chunkBytes = 64 * 1024;
/** Several times what the buffers of a network between two processes hold, so that the sender has most of it for long. */
const slowBytes = 32 * 1024 * 1024;
/** What a network may take over in one go, before it says so. */
const takenAtOnceBytesMax = 1024 * 1024;
/** Turns of the event loop without a drain after which none will come. */
const turnsToSettle = 50;
/** What a network may have taken when a receiver that reads nothing has stopped it. */
const takenBytesMax = 64 * 1024 * 1024;

interface Pair {
  readonly dialler: Peer;
  readonly acceptor: Peer;
  readonly listener: Listener;
}

export function networkConformance(options: NetworkConformanceOptions): void {
  const inPair = (name: string, body: (pair: Pair) => Promise<void>): void => {
    test(name, async () => {
      const pair = await openPair(options);
      try {
        await body(pair);
      } finally {
        pair.dialler.connection.destroy("the test is over");
        pair.acceptor.connection.destroy("the test is over");
        await pair.listener.close();
      }
    });
  };
  describe(`network conformance: ${options.name}`, () => {
    transferTests(inPair);
    backPressureTests(inPair);
    closingTests(inPair);
    cutTests(inPair, options);
    addressTests(options);
  });
}

type InPair = (name: string, body: (pair: Pair) => Promise<void>) => void;

async function openPair({ open, address }: NetworkConformanceOptions): Promise<Pair> {
  const network = open();
  const accepted = Promise.withResolvers<Connection>();
  const listener = await network.listen(address, accepted.resolve);
  const dialled = await network.connect(listener.address, connectTimeoutMs);
  // In the turn in which it was handed over, as the contract asks.
  const dialler = new Peer(dialled);
  return { dialler, acceptor: new Peer(await accepted.promise), listener };
}

function transferTests(inPair: InPair): void {
  inPair("bytes arrive in order and complete, in both directions at once", async ({ dialler, acceptor }) => {
    for (let index = 0; index < 200; index++) {
      dialler.connection.send(Uint8Array.of(index, 1, 2));
      acceptor.connection.send(Uint8Array.of(index, 3));
    }
    await until(() => acceptor.receivedBytes === 600 && dialler.receivedBytes === 400, "all bytes have arrived");
    assert.deepEqual(
      [...acceptor.received()].filter((_, index) => index % 3 === 0),
      Array.from({ length: 200 }, (_, n) => n),
    );
    assert.deepEqual(
      [...dialler.received()].filter((_, index) => index % 2 === 0),
      Array.from({ length: 200 }, (_, n) => n),
    );
  });

  inPair("a large transfer arrives unchanged when the sender keeps to the signal", async ({ dialler, acceptor }) => {
    await dialler.sendPattern(largeBytes, chunkBytes);
    await until(() => acceptor.receivedBytes === largeBytes, "the whole transfer has arrived");
    assert.equal(acceptor.patternFaults(), 0);
    await until(() => dialler.connection.bufferedBytes === 0, "nothing is buffered any more");
  });

  inPair("an empty send does nothing", async ({ dialler, acceptor }) => {
    dialler.connection.send(new Uint8Array(0));
    dialler.connection.send(Uint8Array.of(7));
    await until(() => acceptor.receivedBytes === 1, "one byte has arrived");
    assert.deepEqual(acceptor.chunkLengths(), [1]);
  });
}

function backPressureTests(inPair: InPair): void {
  inPair("a receiver that pauses stops the sender, who goes on when it resumes", async ({ dialler, acceptor }) => {
    acceptor.connection.pause();
    let sent = 0;
    let drains = -1;
    // A network may take what it was given into buffers of its own for a while; in the end it stops.
    const stopped = () => {
      if (dialler.drains > drains && sent < takenBytesMax) {
        drains = dialler.drains;
        do sent += chunkBytes;
        while (dialler.connection.send(new Uint8Array(chunkBytes)) && sent < takenBytesMax);
      }
      return dialler.turnsWithoutDrain() > turnsToSettle;
    };
    await until(stopped, "the sender is stopped");
    assert.ok(dialler.connection.bufferedBytes > 0);
    assert.ok(sent < takenBytesMax, `the network took ${sent} bytes for a receiver that reads nothing`);
    assert.ok(acceptor.receivedBytes < sent);
    acceptor.connection.resume();
    await until(() => acceptor.receivedBytes === sent, "everything has arrived");
    await until(() => dialler.drains > drains, "the sender is told to go on");
    assert.equal(dialler.connection.bufferedBytes, 0);
  });

  inPair("what a slow receiver has taken is not buffered any more", async ({ dialler, acceptor }) => {
    acceptor.onData = () => acceptor.connection.pause();
    // All at once, whatever the signal: it says how fast bytes go, not how many there may be.
    for (let sent = 0; sent < slowBytes; sent += chunkBytes) dialler.connection.send(new Uint8Array(chunkBytes));
    await until(() => {
      acceptor.connection.resume();
      return acceptor.receivedBytes >= slowBytes / 2;
    }, "half has arrived");
    acceptor.connection.pause();
    const left = slowBytes - acceptor.receivedBytes;
    // The last bytes may be on their way from one to the other.
    assert.ok(dialler.connection.bufferedBytes <= left + takenAtOnceBytesMax, `${dialler.connection.bufferedBytes}`);
    assert.equal(dialler.drains, 0);
  });

  inPair("nothing is delivered while the receiver pauses", async ({ dialler, acceptor }) => {
    acceptor.connection.pause();
    dialler.connection.send(Uint8Array.of(1, 2, 3));
    dialler.connection.end();
    // Data of the other direction takes the same way; when it has come and gone there was time enough.
    await dialler.roundTrips(acceptor, 3);
    assert.equal(acceptor.receivedBytes, 0);
    assert.equal(acceptor.ended, false);
    acceptor.connection.resume();
    await until(() => acceptor.ended, "the end has arrived");
    assert.deepEqual([...acceptor.received()], [1, 2, 3]);
  });
}

function closingTests(inPair: InPair): void {
  inPair("one half ends and the other goes on", async ({ dialler, acceptor }) => {
    dialler.connection.send(Uint8Array.of(1));
    dialler.connection.end();
    await until(() => acceptor.ended, "the end has arrived");
    assert.deepEqual([...acceptor.received()], [1]);
    assert.equal(acceptor.closes, 0);
    acceptor.connection.send(Uint8Array.of(2, 3));
    await until(() => dialler.receivedBytes === 2, "the answer to the end has arrived");
    acceptor.connection.end();
    await until(() => dialler.closed !== undefined && acceptor.closed !== undefined, "both sides are closed");
    assert.equal(dialler.closed?.kind, "ended");
    assert.equal(acceptor.closed?.kind, "ended");
    assert.equal(dialler.ended, true);
  });

  inPair("everything sent before the end arrives before the end", async ({ dialler, acceptor }) => {
    await dialler.sendPattern(largeBytes / 8, chunkBytes);
    dialler.connection.end();
    await until(() => acceptor.ended, "the end has arrived");
    assert.equal(acceptor.receivedBytes, largeBytes / 8);
    assert.equal(acceptor.patternFaults(), 0);
  });

  inPair(
    "after the end and after the close, sends and ends are harmless and events come once",
    async ({ dialler, acceptor }) => {
      dialler.connection.end();
      dialler.connection.end();
      dialler.connection.send(Uint8Array.of(9));
      acceptor.connection.end();
      await until(() => dialler.closed !== undefined && acceptor.closed !== undefined, "both sides are closed");
      dialler.connection.send(Uint8Array.of(9));
      dialler.connection.destroy("late");
      acceptor.connection.pause();
      acceptor.connection.resume();
      assert.equal(acceptor.receivedBytes, 0);
      assert.equal(dialler.closes, 1);
      assert.equal(acceptor.closes, 1);
      assert.equal(dialler.closed?.kind, "ended");
    },
  );
}

function cutTests(inPair: InPair, { cutLooksLikeEnd }: NetworkConformanceOptions): void {
  const there = cutLooksLikeEnd === undefined ? "is lost there" : `is lost or ended there (${cutLooksLikeEnd})`;
  inPair(`a connection that is destroyed says so here and ${there}`, async ({ dialler, acceptor }) => {
    dialler.connection.destroy("enough");
    assert.equal(dialler.closes, 0, "no callback comes from inside a method");
    if (cutLooksLikeEnd !== undefined) {
      await until(() => acceptor.ended || acceptor.closed !== undefined, "the other side has noticed");
      acceptor.connection.end();
    }
    await until(() => dialler.closed !== undefined && acceptor.closed !== undefined, "both sides are closed");
    assert.deepEqual(dialler.closed, { kind: "destroyed", message: "enough" });
    if (cutLooksLikeEnd === undefined) assert.equal(acceptor.closed?.kind, "lost");
    else assert.notEqual(acceptor.closed?.kind, "destroyed");
  });
}

function addressTests(options: NetworkConformanceOptions): void {
  test("the side that accepts may speak first, and at once", async () => {
    const network = options.open();
    const listener = await network.listen(options.address, (connection) => {
      new Peer(connection).connection.send(Uint8Array.of(1, 2, 3));
    });
    const dialler = new Peer(await network.connect(listener.address, connectTimeoutMs));
    await until(() => dialler.receivedBytes === 3, "the greeting has arrived");
    dialler.connection.destroy("the test is over");
    await listener.close();
  });

  const isCode = (code: string) => (error: unknown) => error instanceof SynodError && error.code === code;

  test("an address where nobody listens refuses", async () => {
    const network = options.open();
    const listener = await network.listen(options.address, () => {});
    await listener.close();
    await assert.rejects(network.connect(listener.address, connectTimeoutMs), isCode("unavailable"));
  });

  test("an address can be taken once at a time", async () => {
    const network = options.open();
    const listener = await network.listen(options.address, () => {});
    await assert.rejects(
      network.listen(listener.address, () => {}),
      isCode("already_exists"),
    );
    await listener.close();
    const again = await network.listen(listener.address, () => {});
    assert.equal(again.address, listener.address);
    await again.close();
  });

  test("a listener that closes leaves its connections alone", async () => {
    const { dialler, acceptor, listener } = await openPair(options);
    await listener.close();
    dialler.connection.send(Uint8Array.of(1));
    await until(() => acceptor.receivedBytes === 1, "the byte has arrived");
    dialler.connection.destroy("the test is over");
    await until(() => acceptor.closed !== undefined || acceptor.ended, "the other side has heard of it");
    acceptor.connection.destroy("the test is over");
  });

  test("an address that is none is refused", async () => {
    const network = options.open();
    await assert.rejects(
      network.listen("nowhere", () => {}),
      isCode("invalid_argument"),
    );
  });
}
