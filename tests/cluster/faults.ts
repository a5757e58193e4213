/** Faults of real processes, and how long the keys of the node that they hit do not answer. */
import { addUntilAnswered } from "./bare-http.ts";
import { type Cluster, wake } from "./cluster.ts";

/** Keys that are asked for each fault. */
const probesMax = 6;
const giveUpMs = 20_000;

/** Something that happens to one node, with the cluster whole before and after. */
export interface Fault {
  readonly name: string;
  /** Resolves with the longest that a key of the node took to answer, ms. */
  readonly strike: (cluster: Cluster, node: string) => Promise<number>;
}

let probes = 0;

/** Strikes, and asks counters of the node from that instant on; the wait of the slowest. */
async function worstGap(cluster: Cluster, node: string, strike: () => Promise<unknown>): Promise<number> {
  const name = `probe-${++probes}`;
  const keys = await cluster.countersOf(node, probesMax, name);
  await Promise.all(keys.map((key) => addUntilAnswered(cluster.url, key, `${key}-before`, giveUpMs)));
  const struck = strike();
  const started = performance.now();
  const answered = keys.map((key) => addUntilAnswered(cluster.url, key, `${key}-after`, giveUpMs));
  const worst = Math.max(...(await Promise.all(answered))) - started;
  await struck;
  return worst;
}

/** The process is gone, and its supervisor knows. */
export const kill: Fault = {
  name: "kill -9",
  strike: async (cluster, node) => {
    const pid = await cluster.pidOf(node);
    const worst = await worstGap(cluster, node, async () => process.kill(pid, "SIGKILL"));
    await cluster.whole();
    return worst;
  },
};

/** The process stands still for longer than its lease lasts, and its supervisor does not know. */
export const pause: Fault = {
  name: "SIGSTOP",
  strike: async (cluster, node) => {
    const pid = await cluster.pidOf(node);
    const worst = await worstGap(cluster, node, async () => process.kill(pid, "SIGSTOP"));
    wake(pid);
    await cluster.whole();
    return worst;
  },
};

/** A planned end, and a new start. */
export const drain: Fault = {
  name: "drain and restart",
  strike: async (cluster, node) => {
    const worst = await worstGap(cluster, node, () => cluster.drain(node));
    await cluster.restart(node);
    await cluster.whole();
    return worst;
  },
};
