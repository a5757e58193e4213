/** Synod: two nodes with a SQLite file on one machine; the one in a process of its own is killed, and nobody tells the other. */
import { fork } from "node:child_process";
import { once } from "node:events";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { callThrough } from "../../src/host/caller.ts";
import type { HostedNode } from "../../src/host/hosted-node.ts";
import type { Run } from "../bench.ts";
import { hostLinkedNode, PatientCalls } from "../linked-node.ts";
import { backlogVariant } from "./bench.ts";
import { mailSystem, Post, type Receivers } from "./mail.ts";

/** Senders of the node that dies. */
const senders = 64;
const perCommand = 1_000;
const patienceMs = 120_000;
const lookMs = 20;

export const run: Run = async ({ variant, measureMs, folder }) => {
  const count = Math.round((backlogVariant(variant).perSecond * measureMs) / 1_000);
  const receivers = { away: true, delivered: 0 };
  const heir = await hostLinkedNode("heir", mailSystem(receivers), folder);
  const owner = fork(fileURLToPath(new URL("./owner.ts", import.meta.url)), [folder]);
  try {
    await once(owner, "message");
    const keys = await keysOf(heir, "owner");
    await fill(heir, keys, count);
    owner.kill("SIGKILL");
    await once(owner, "exit");
    return await watch(heir, keys, count, receivers);
  } finally {
    owner.kill("SIGKILL");
    await heir.stop(1_000);
  }
};

/** Keys that the node owns, when shards have come to rest. */
async function keysOf({ node }: HostedNode, name: string): Promise<readonly string[]> {
  const ownedOnce = async (key: string): Promise<boolean> => (await node.inspect(Post.name, key)).owner === name;
  for (const until = performance.now() + patienceMs; performance.now() < until; await sleep(lookMs)) {
    const keys: string[] = [];
    for (let number = 0; number < 10 * senders && keys.length < senders; number++) {
      if (await ownedOnce(`sender-${number}`)) keys.push(`sender-${number}`);
    }
    if (keys.length === senders) return keys;
  }
  throw new Error(`${name} did not come to own ${senders} keys`);
}

async function fill({ node }: HostedNode, keys: readonly string[], count: number): Promise<void> {
  const calls = new PatientCalls();
  const each = Math.ceil(count / keys.length);
  const fillOne = async (key: string): Promise<void> => {
    for (let from = 0; from < each; from += perCommand) {
      const input = { from, count: Math.min(perCommand, each - from) };
      await calls.call(() => callThrough(node.gateway, "bench", Post, [key, { timeout: "60s" }]).send(input));
    }
  };
  await Promise.all(keys.map(fillOne));
}

/** From the kill on: when each key answered, and how the backlog went. */
async function watch(heir: HostedNode, keys: readonly string[], count: number, receivers: Receivers) {
  const begun = performance.now();
  receivers.away = false;
  const sinceKill = (): number => performance.now() - begun;
  const answered = async (key: string): Promise<number> => {
    for (;;) {
      const result = await callThrough(heir.node.gateway, "bench", Post, [key]).sent.safe();
      if (result.ok) return sinceKill();
      if (sinceKill() > patienceMs) throw result.error;
    }
  };
  const pending = Math.ceil(count / keys.length) * keys.length;
  const deliveredAt = async (delivered: number): Promise<number> => {
    while (receivers.delivered < delivered) {
      if (sinceKill() > patienceMs) throw new Error(`${receivers.delivered} of ${delivered} messages were delivered`);
      await sleep(lookMs);
    }
    return sinceKill();
  };
  const [first, last, ...answers] = await Promise.all([
    deliveredAt(Math.min(1, pending)),
    deliveredAt(pending),
    ...keys.map(answered),
  ]);
  const sorted = answers.toSorted((a, b) => a - b);
  return {
    value: (1_000 * keys.length) / sorted.at(-1)!,
    details: [
      { name: "a key answers, p50", unit: "ms", value: sorted[Math.floor(sorted.length / 2)]! },
      { name: "the slowest key answers", unit: "ms", value: sorted.at(-1)! },
      { name: "messages that pend", unit: "messages", value: pending },
      { name: "the first is delivered", unit: "ms", value: first },
      { name: "the last is delivered", unit: "ms", value: last },
    ],
  };
}
