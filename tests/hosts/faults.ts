/** What happens between hosts, for how long, and how long keys of the host that it hits do not answer. */
import { addUntilAnswered } from "../cluster/bare-http.ts";
import type { Replicas } from "../postgres/replicas.ts";
import type { HostCluster } from "./cluster.ts";
import type { Hosts } from "./network.ts";

/** Longer than a lease lasts. */
const faultMs = 3_500;
const probesMax = 6;
const giveUpMs = 30_000;
/** With what is left of the rate an answer takes a good part of a second. */
const slowKilobitsPerSecond = 400;

export interface Surroundings {
  readonly hosts: Hosts;
  readonly cluster: HostCluster;
  readonly replicas: Replicas;
  /** The hosts of the database servers. */
  readonly databases: readonly string[];
}

/** Something that happens to one host, with everything whole before and after. */
export interface HostFault {
  readonly name: string;
  /** Resolves with the longest that a key took to answer from the first moment on, ms; undefined where it is not asked. */
  readonly strike: (surroundings: Surroundings, name: string) => Promise<number | undefined>;
}

let probes = 0;

const pause = (ms: number): Promise<void> => new Promise((next) => setTimeout(next, ms));

/** The wait of the slowest of some keys of that host's node, from the moment at which it strikes. */
async function worstGap({ cluster }: Surroundings, name: string, strike: () => unknown): Promise<number> {
  const keys = await cluster.countersOf(name, probesMax, `probe-${++probes}`);
  await Promise.all(keys.map((key) => addUntilAnswered(cluster.url, key, `${key}-before`, giveUpMs)));
  const struckAt = performance.now();
  const struck = strike();
  const answered = keys.map((key) => addUntilAnswered(cluster.url, key, `${key}-after`, giveUpMs));
  const worst = Math.max(...(await Promise.all(answered))) - struckAt;
  await struck;
  return worst;
}

/** Holds it for its time, mends it, and waits until everything is as before. */
function lasting(name: string, begin: HostFault["strike"], mend: (on: Surroundings, host: string) => void): HostFault {
  return {
    name,
    strike: async (surroundings, host) => {
      const struckAt = performance.now();
      const gap = await begin(surroundings, host);
      await pause(Math.max(0, faultMs - (performance.now() - struckAt)));
      mend(surroundings, host);
      await surroundings.cluster.whole();
      return gap;
    },
  };
}

const others = ({ cluster }: Surroundings, host: string): readonly string[] =>
  cluster.names.filter((each) => each !== host);

/** The cable is pulled, then the machine is gone; it comes back as a new start. */
const vanish: HostFault = lasting(
  "a host vanishes",
  async (on, host) =>
    await worstGap(on, host, async () => {
      on.hosts.unplug(host);
      await on.cluster.crash(host);
    }),
  ({ hosts, cluster }, host) => {
    hosts.plugIn(host);
    cluster.boot(host);
  },
);

/** The node lives and can reach nobody: it has to stop answering by itself. */
const isolate: HostFault = lasting(
  "a host is cut off from everything",
  (on, host) => worstGap(on, host, () => on.hosts.unplug(host)),
  ({ hosts }, host) => hosts.plugIn(host),
);

const cutFromStore: HostFault = lasting(
  "a host is cut off from the store",
  (on, host) => worstGap(on, host, () => on.hosts.partition(host, ...on.databases)),
  ({ hosts, databases }, host) => hosts.repair(host, ...databases),
);

/** What it writes arrives, and it never learns. */
const deafToStore: HostFault = lasting(
  "the store's answers to a host are lost",
  (on, host) =>
    worstGap(on, host, () => {
      for (const database of on.databases) on.hosts.cut(database, host);
    }),
  ({ hosts, databases }, host) => hosts.repair(host, ...databases),
);

/** All live and reach the store: nobody takes over, and calls between these two cannot pass. */
const partition: HostFault = lasting(
  "a host and the others cannot hear each other",
  async (on, host) => on.hosts.partition(host, ...others(on, host)) as undefined,
  (on, host) => on.hosts.repair(host, ...others(on, host)),
);

const oneWay: HostFault = lasting(
  "what a host sends to the others is lost",
  async (on, host) => on.hosts.cut(host, ...others(on, host)) as undefined,
  (on, host) => on.hosts.repair(host, ...others(on, host)),
);

const slow: HostFault = lasting(
  "a host's link is slow",
  async (on, host) => on.hosts.slow(host, slowKilobitsPerSecond) as undefined,
  ({ hosts }, host) => hosts.restoreSpeed(host),
);

/** One of each kind. */
export const fewFaults: readonly HostFault[] = [vanish, cutFromStore, partition, oneWay];
export const faults: readonly HostFault[] = [vanish, isolate, cutFromStore, deafToStore, partition, oneWay, slow];

/** The host of the primary dies, and a standby is promoted; it is not hosts of nodes that this hits. */
export async function failOver({ cluster, replicas }: Surroundings): Promise<number> {
  await addUntilAnswered(cluster.url, "witness", "before", giveUpMs);
  await replicas.primary.kill();
  await replicas.promote();
  const promotedAt = performance.now();
  const backMs = (await addUntilAnswered(cluster.url, "witness", "after", giveUpMs)) - promotedAt;
  await cluster.whole();
  return backMs;
}
