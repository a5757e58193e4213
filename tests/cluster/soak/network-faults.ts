/** Faults of connections: cut, slow, silent in one direction; and packets that are lost. */
import { createPrng } from "../../../src/values/prng.ts";
import { until } from "../../host/running-system.ts";
import { linkAddressOf } from "./instrumentation.ts";
import { anywhere, type FaultKind, pause, type Scene } from "./scene.ts";
import { ip } from "./surroundings.ts";

const lastsMs = 7_000;
const cutIntervalMs = 700;
/** A connection that is delayed is late by this, at the least and at the most. */
const delayMinMs = 20;
const delayMaxMs = 400;

const cut: FaultKind = {
  name: "links cut",
  isPossible: anywhere,
  strike: async ({ links, note }, { force }) => {
    const prng = createPrng(Math.floor(force * 2 ** 31));
    const end = performance.now() + lastsMs;
    while (performance.now() < end) {
      note(
        "cut links",
        undefined,
        links.cut(() => prng.below(2) === 0),
      );
      await pause(prng.number() * 2 * cutIntervalMs);
    }
  },
};

const delay: FaultKind = {
  name: "links delayed",
  isPossible: anywhere,
  strike: async (scene, { node, force }) => {
    const delayMs = Math.round(delayMinMs + force * (delayMaxMs - delayMinMs));
    const places = await placesOf(scene);
    const others = places.filter(({ id }) => id !== node);
    const own = places.filter(({ id }) => id === node);
    scene.note("delay links", node, delayMs);
    const ends = others.flatMap((other) => [
      ...silencedBetween(scene, own, [other], { delayMs }),
      ...silencedBetween(scene, [other], own, { delayMs }),
    ]);
    await pause(lastsMs);
    for (const end of ends) end();
    scene.note("delay no links", node);
  },
};

const silence: FaultKind = {
  name: "one-way silence on links",
  isPossible: anywhere,
  strike: async (scene, { node, peer }) => {
    const places = await placesOf(scene);
    const of = (name: string) => places.filter(({ id }) => id === name);
    scene.note("silence", node, { towards: peer });
    const ends = silencedBetween(scene, of(node), of(peer), { silent: true });
    await pause(lastsMs);
    for (const end of ends) end();
    scene.note("silence over", node, { towards: peer });
  },
};

const loss: FaultKind = {
  name: "packets lost one way",
  isPossible: ({ ownNetwork }) => ownNetwork,
  strike: async (scene, { node, force }) => {
    const places = await placesOf(scene);
    const ports = places.filter(({ id }) => id === node).map(({ address }) => address.slice(address.indexOf(":") + 1));
    // Either nothing that it sends to other nodes arrives, or nothing that they send to it.
    const isMute = force < 0.5;
    const rules = [
      [isMute ? "from" : "to", linkAddressOf(node)],
      ...ports.map((port) => ["ipproto", "tcp", isMute ? "sport" : "dport", port]),
    ];
    scene.note(isMute ? "mute" : "deaf", node);
    try {
      for (const rule of rules) ip("rule", "add", "pref", "10", ...rule, "blackhole");
      await pause(lastsMs);
    } finally {
      for (const rule of rules) ip("rule", "del", "pref", "10", ...rule, "blackhole");
      scene.note(isMute ? "mute no more" : "deaf no more", node);
    }
  },
};

const clientsCut: FaultKind = {
  name: "clients cut",
  isPossible: anywhere,
  strike: async ({ front, note }, { force }) => {
    const prng = createPrng(Math.floor(force * 2 ** 31));
    const end = performance.now() + lastsMs;
    while (performance.now() < end) {
      note(
        "cut clients",
        undefined,
        front.cut(() => prng.below(3) === 0),
      );
      await pause(prng.number() * cutIntervalMs);
    }
  },
};

interface NodePlace {
  readonly id: string;
  readonly address: string;
}

/** Every node that serves, and where others reach it now. */
async function placesOf({ cluster }: Scene): Promise<readonly NodePlace[]> {
  return await until(
    "the supervisor answers",
    async () => {
      const nodes = await cluster.nodes().catch(() => []);
      return nodes.length > 0 && nodes.flatMap(({ id, address }) => (address === null ? [] : [{ id, address }]));
    },
    30_000,
  );
}

/** A link goes by the name of who dialled it and by the address that was dialled, so what one says goes by either. */
function silencedBetween(
  { links }: Scene,
  from: readonly NodePlace[],
  to: readonly NodePlace[],
  rule: { readonly silent?: boolean; readonly delayMs?: number },
): (() => void)[] {
  return from.flatMap((one) =>
    to.flatMap((other) => [links.impose(one.id, other.address, rule), links.impose(one.address, other.id, rule)]),
  );
}

export const networkFaults: readonly FaultKind[] = [cut, delay, silence, loss, clientsCut];
