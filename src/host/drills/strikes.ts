/**
 * Faults as a supervisor injects them, into nodes of its own and no others. A node that stands still goes on by itself, also
 * when whoever ordered it is gone.
 */
import type { FaultOrder } from "../../drill/fault.ts";
import { SynodError } from "../../errors.ts";
import type { Log } from "../../ports/log.ts";
import type { NodeChild } from "../node-child.ts";
import type { SupervisedNode } from "../supervised-node.ts";

export interface StrikesOptions {
  readonly nodes: readonly SupervisedNode[];
  readonly allowed: boolean;
  readonly log: Log;
}

export class Strikes {
  readonly #options: StrikesOptions;
  readonly #paused = new Map<NodeChild, NodeJS.Timeout>();

  constructor(options: StrikesOptions) {
    this.#options = options;
  }

  /** Resolves when the fault has begun. Throws `failed_precondition` where drills are not allowed. */
  async strike(order: FaultOrder): Promise<void> {
    const { allowed, log, nodes } = this.#options;
    if (!allowed) {
      const sentence =
        "drills are not allowed on this system: start it with `synod up --drills`, and only where its callers can bear it";
      throw new SynodError("failed_precondition", sentence);
    }
    const ready = nodes.filter(({ state }) => state === "ready");
    if (order.kind === "slow-store") {
      log.warn("drill: the store is slow for all nodes", { lastsMs: order.lastsMs });
      await Promise.all(ready.map(({ child }) => child.ask("suffer", order)));
      return;
    }
    const node = ready.find(({ id }) => id === order.node);
    if (node === undefined) {
      const names = ready.map(({ id }) => id).join(", ");
      throw new SynodError("failed_precondition", `${order.node} does not serve at the moment: ${names} do`);
    }
    log.warn(`drill: ${order.kind} ${node.id}`, order.kind === "pause" ? { lastsMs: order.lastsMs } : {});
    if (order.kind === "kill") node.child.kill();
    else if (order.kind === "pause") this.#pause(node.child, order.lastsMs);
    else await node.child.ask("suffer", order);
  }

  /** Wakes what stands still: it has to be able to drain. */
  end(): void {
    for (const [child, timer] of this.#paused) {
      clearTimeout(timer);
      child.wake();
    }
    this.#paused.clear();
  }

  #pause(child: NodeChild, lastsMs: number): void {
    child.standStill();
    clearTimeout(this.#paused.get(child));
    const timer = setTimeout(() => {
      this.#paused.delete(child);
      child.wake();
    }, lastsMs);
    this.#paused.set(child, timer);
  }
}
