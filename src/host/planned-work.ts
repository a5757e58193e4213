/**
 * Drains and restarts that somebody asked for, one node at a time: while one is being handed over the others
 * have to be there to take over. What cannot be done now is refused in a sentence, never queued, because
 * whoever asked is watching.
 */
import { SynodError } from "../errors.ts";
import type { Log } from "../ports/log.ts";
import type { SupervisedNode } from "./supervised-node.ts";
import { within } from "./within.ts";

/** How long a node that was started again may take to serve before nobody waits any more, ms. */
const startMaxMs = 60_000;

export interface PlannedWorkOptions {
  readonly nodes: readonly SupervisedNode[];
  readonly drainMs: number;
  readonly log: Log;
}

export class PlannedWork {
  readonly #options: PlannedWorkOptions;
  #current: { readonly node: SupervisedNode; readonly doing: string; readonly done: Promise<void> } | undefined;

  constructor(options: PlannedWorkOptions) {
    this.#options = options;
  }

  /** Hands everything of one node over to the others and ends its process. A drained node stays as it is. */
  async drain(id: string): Promise<void> {
    const node = this.#find(id);
    if (node.state === "drained") return;
    await this.#alone(node, "drained", async () => {
      this.#refuseLast(node);
      await node.drain(this.#options.drainMs);
      if (node.state === "stopped") throw new SynodError("cancelled", "the system is being stopped");
    });
  }

  /** Drains one node, if it lives, and starts it again. */
  async restart(id: string): Promise<void> {
    const node = this.#find(id);
    await this.#alone(node, "restarted", async () => {
      const restarted = node.restart(this.#options.drainMs).then(() => true);
      if (await within(restarted, this.#options.drainMs + startMaxMs)) return;
      restarted.catch(() => {});
      throw new SynodError("deadline_exceeded", `${node.id} is ${node.state} and does not serve yet: see its log`, {
        outcome: "unknown",
      });
    });
  }

  /** Whoever asks for what is being done already waits for the same. */
  async #alone(node: SupervisedNode, doing: string, work: () => Promise<void>): Promise<void> {
    const current = this.#current;
    if (current?.node === node && current.doing === doing) return await current.done;
    if (current) {
      const message = `${current.node.id} is being ${current.doing}: planned work is for one node at a time`;
      throw new SynodError("failed_precondition", message);
    }
    const { log } = this.#options;
    const done = work();
    this.#current = { node, doing, done };
    try {
      await done;
      log.info(`${node.id} was ${doing}, as asked`);
    } finally {
      this.#current = undefined;
    }
  }

  #find(id: string): SupervisedNode {
    const { nodes } = this.#options;
    const node = nodes.find((candidate) => candidate.id === id);
    if (node) return node;
    const known = nodes.map((candidate) => candidate.id).join(", ");
    throw new SynodError("not_found", `There is no node ${id}: this system has ${known}.`);
  }

  #refuseLast(node: SupervisedNode): void {
    if (this.#options.nodes.some((other) => other !== node && other.state === "ready")) return;
    const message = `No other node serves that could take over from ${node.id}: it cannot be drained. Ctrl-C stops the system.`;
    throw new SynodError("failed_precondition", message);
  }
}
