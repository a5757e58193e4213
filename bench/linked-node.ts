/**
 * Synod's sides with two processes: nodes that share a store in a folder, as `synod node` starts them, and callers
 * that do what a caller of Synod is to do when a node says that it has too much to do.
 */
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { SynodError } from "synod";
import { createLog } from "../src/adapters/log/pino.ts";
import { tcpNetwork } from "../src/adapters/tcp/network.ts";
import { type HostedNode, hostNode } from "../src/host/hosted-node.ts";
import { parseStoreUrl } from "../src/host/store-location.ts";
import type { NodeLimits } from "../src/runtime/limits.ts";
import type { AnySystem } from "../src/service/model.ts";

/** A node among others on this machine. */
export function hostLinkedNode(
  node: string,
  system: AnySystem,
  folder: string,
  limits: Partial<NodeLimits> = {},
): Promise<HostedNode> {
  // That the nodes host different services, which they warn of, is meant.
  const log = createLog({ format: "text", level: "error", name: system.name });
  return hostNode({
    ...{ node, system, limits, adapters: [], expectedMembers: 1, nameIsOwn: true },
    store: parseStoreUrl(`sqlite:${join(folder, "bench.db")}`, system.name),
    log,
    network: { network: tcpNetwork(), listen: "127.0.0.1:0" },
  });
}

/** How long a call that was turned away stays away, ms. */
const awayMs = 5;

/** Calls that are repeated when a node turns them away, which it does where the machine is too busy for so many. */
export class PatientCalls {
  turnedAway = 0;

  async call<Output>(perform: () => Promise<Output>): Promise<Output> {
    for (;;) {
      try {
        return await perform();
      } catch (error) {
        const away =
          error instanceof SynodError && error.code === "resource_exhausted" && error.outcome === "not-happened";
        if (!away) throw error;
        this.turnedAway += 1;
        await sleep(awayMs);
      }
    }
  }
}
