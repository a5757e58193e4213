/** The simulated network keeps the contract of its port, and does to streams what it should. */
import assert from "node:assert/strict";
import { after, test } from "node:test";
import { networkConformance } from "../../src/conformance/network.ts";
import type { Connection, Network } from "../../src/ports/network.ts";
import { MachineClock } from "../../src/simulation/world/machine-clock.ts";
import { SimulatedNetwork } from "../../src/simulation/world/network.ts";
import { Process } from "../../src/simulation/world/process.ts";
import { World } from "../../src/simulation/world/world.ts";

const weather = { delayMinMs: 0.1, delayMaxMs: 20, cutProbability: 0.5 };

interface SmallWorld {
  readonly world: World;
  readonly network: SimulatedNetwork;
  readonly processOf: (host: string) => Process;
  readonly port: (host: string) => Network;
}

function newWorld(): SmallWorld {
  const world = new World({
    seed: 1,
    onThrown: (error) => {
      throw error;
    },
  });
  const network = new SimulatedNetwork(world, { ...weather });
  const clock = new MachineClock(world, { monotonicMs: 0, offsetMs: 0 });
  const processes = new Map<string, Process>();
  const processOf = (host: string): Process => {
    const process = processes.get(host) ?? new Process(world, host, 1, clock);
    processes.set(host, process);
    return process;
  };
  return { world, network, processOf, port: (host) => network.portOf(processOf(host)) };
}

let over = false;
after(() => {
  over = true;
});

/** For a suite that knows nothing of virtual time: the world goes on by itself, as fast as it can. */
function running(): Network {
  const { world, port } = newWorld();
  const goOn = async (): Promise<void> => {
    while (!over) {
      await world.run(world.now + 5);
      await new Promise((resolve) => setImmediate(resolve));
    }
  };
  void goOn();
  return port("here");
}

networkConformance({ name: "simulated", address: "here:0", open: running });

/** What has arrived at the other end of a new connection from `a` to `b`. */
async function stream(world: World, port: (host: string) => Network) {
  const received: number[] = [];
  const chunks: number[] = [];
  let closed: string | undefined;
  await port("b").listen("b:1", (connection) => {
    connection.start({
      onData: (bytes) => {
        received.push(...bytes);
        chunks.push(bytes.length);
      },
      onDrain: () => {},
      onEnd: () => {},
      onClose: ({ kind }) => {
        closed = kind;
      },
    });
  });
  let connection: Connection | undefined;
  void port("a")
    .connect("b:1", 1_000)
    .then((dialled) => {
      connection = dialled;
      dialled.start({ onData: () => {}, onDrain: () => {}, onEnd: () => {}, onClose: () => {} });
    });
  await world.run(world.now + 500, () => connection !== undefined);
  assert.ok(connection);
  return { connection, received, chunks, closed: () => closed };
}

const counted = (from: number, to: number): Uint8Array =>
  Uint8Array.from({ length: to - from }, (_, index) => from + index);

test("bytes are cut anywhere, take their time, and arrive in order", async () => {
  const { world, port } = newWorld();
  const { connection, received, chunks } = await stream(world, port);
  for (let index = 0; index < 100; index += 10) connection.send(counted(index, index + 10));
  await world.run(world.now + 1_000);
  assert.deepEqual(received, [...counted(0, 100)]);
  assert.ok(chunks.length > 10, "some were cut");
});

test("what is sent into a partition waits it out, and arrives in order after it", async () => {
  const { world, network, port } = newWorld();
  const { connection, received } = await stream(world, port);
  const heal = network.block("a", "b");
  connection.send(counted(0, 20));
  await world.run(world.now + 3_000);
  assert.deepEqual(received, []);
  heal();
  connection.send(counted(20, 40));
  await world.run(world.now + 10_000);
  assert.deepEqual(received, [...counted(0, 40)]);
});

test("what is late no more before its connection is lost arrives on that, and nobody loses it", async () => {
  const { world, network, port } = newWorld();
  const { connection, received, closed } = await stream(world, port);
  const end = network.delayUntilLost("a", "b", 500);
  assert.ok(end !== null);
  connection.send(counted(0, 20));
  await world.run(world.now + 300);
  assert.deepEqual(received, []);
  end();
  connection.send(counted(20, 40));
  await world.run(world.now + 10_000);
  assert.deepEqual(received, [...counted(0, 40)]);
  assert.equal(closed(), undefined);
  assert.equal(network.connectionsLength, 2, "both ends are there");
});

test("where two machines have no connection there is none to be cut or lost", () => {
  const { network } = newWorld();
  assert.equal(network.delayUntilLost("a", "b", 500), null);
  assert.equal(network.cutConnections("a", "b"), 0);
});

test("whoever loses a connection unseen is not told, and the other side learns of it when it sends", async () => {
  const { world, network, port } = newWorld();
  const { connection, closed } = await stream(world, port);
  network.cutConnections("b", "a", "one end");
  await world.run(world.now + 1_000);
  assert.equal(closed(), "lost");
  connection.send(counted(0, 3));
  await world.run(world.now + 1_000);
  assert.equal(network.connectionsLength, 0, "a reset came back");
});

test("what a crashed process had sent waits out a partition, and what is in a machine without power is gone", async () => {
  for (const powerLost of [false, true]) {
    const { world, network, processOf, port } = newWorld();
    // Long after the world has begun.
    await world.run(20_000);
    const { connection, received } = await stream(world, port);
    const heal = network.block("a", "b");
    connection.send(counted(0, 20));
    network.processEnded(processOf("a"), powerLost);
    await world.run(world.now + 2_000);
    heal();
    await world.run(world.now + 5_000);
    assert.deepEqual(received, powerLost ? [] : [...counted(0, 20)]);
  }
});

test("of a connection whose dialler has given up before the answer came, no end is left", async () => {
  const { world, network, port } = newWorld();
  await port("b").listen("b:1", () => {});
  network.slowDown("b", "a", 500);
  const dialled = port("a").connect("b:1", 300);
  const refused = assert.rejects(dialled, { code: "unavailable" });
  await world.run(200);
  assert.equal(network.connectionsLength, 2, "the other side has accepted it");
  await world.run(5_000);
  await refused;
  assert.equal(network.connectionsLength, 0);
});
