/**
 * One node under supervision: the process that is it now, and the next one when that dies. The dead one's
 * lease is ended before its successor is forked, so that the successor can claim at once and does not have
 * to watch the lease expire.
 */
import { SynodError } from "../errors.ts";
import type { Log } from "../ports/log.ts";
import { fromErrorFacts } from "./error-facts.ts";
import type { FromNode, SystemFacts } from "./messages.ts";
import { NodeChild } from "./node-child.ts";
import type { NodeProcessArguments } from "./node-process.ts";
import { afterDeath } from "./restarts.ts";
import { pause } from "./within.ts";

export type NodeState = "loading" | "loaded" | "starting" | "ready" | "draining" | "restarting" | "stopped";

export interface SupervisedNodeOptions {
  readonly settings: NodeProcessArguments;
  readonly quietStdout: boolean;
  readonly log: Log;
  readonly onLoaded: (node: SupervisedNode, system: SystemFacts) => void;
  readonly onReady: (node: SupervisedNode, urls: readonly string[]) => void;
  /** Ends the lease of a dead process; resolves also when that was not possible. */
  readonly endLease: (node: string, incarnation: number) => Promise<void>;
  /** The node will not be started again, and why. */
  readonly onGivenUp: (error: SynodError) => void;
}

/** Codes of errors that come from what the user wrote, so that a restart would only repeat them. */
const lastingCodes: ReadonlySet<string> = new Set(["failed_precondition", "invalid_argument", "unimplemented"]);

export class SupervisedNode {
  readonly id: string;
  readonly #options: SupervisedNodeOptions;
  #child: NodeChild;
  #state: NodeState = "loading";
  #incarnation: number | undefined;
  #restarts = 0;
  #failures = 0;
  /** Whether any process of this node has ever served. */
  #everServed = false;
  #lastError: SynodError | undefined;
  #ended: PromiseWithResolvers<void> = Promise.withResolvers();

  constructor(options: SupervisedNodeOptions) {
    this.id = options.settings.node;
    this.#options = options;
    this.#child = this.#fork();
  }

  get state(): NodeState {
    return this.#state;
  }
  get child(): NodeChild {
    return this.#child;
  }
  get incarnation(): number | undefined {
    return this.#incarnation;
  }
  get restarts(): number {
    return this.#restarts;
  }

  start(store: string): void {
    this.#state = "starting";
    this.#child.tell({ type: "start", store });
  }

  /** Resolves when the process is dead and its lease has been seen to. */
  async drain(drainMs: number): Promise<void> {
    if (this.#state === "stopped") return;
    this.#state = "draining";
    this.#child.tell({ type: "drain", drainMs });
    await this.#ended.promise;
  }

  #fork(): NodeChild {
    this.#state = "loading";
    this.#incarnation = undefined;
    this.#lastError = undefined;
    return new NodeChild({
      settings: this.#options.settings,
      quietStdout: this.#options.quietStdout,
      onMessage: (message) => this.#receive(message),
      onEnd: (end) => void this.#bury(end),
    });
  }

  #receive(message: FromNode): void {
    if (message.type === "joined") this.#incarnation = message.incarnation;
    if (message.type === "failed") this.#lastError = fromErrorFacts(message.error);
    if (this.#state === "draining") return;
    if (message.type === "loaded") {
      this.#state = "loaded";
      this.#options.onLoaded(this, message.system);
    }
    if (message.type === "ready") {
      this.#state = "ready";
      this.#everServed = true;
      this.#options.onReady(this, message.urls);
    }
  }

  async #bury(end: string): Promise<void> {
    const served = this.#state === "ready";
    const error = this.#lastError;
    if (this.#state !== "draining") this.#state = "restarting";
    if (this.#incarnation !== undefined) await this.#options.endLease(this.id, this.#incarnation);
    if (this.#drainWanted()) return this.#stopped();
    if (error && !this.#everServed && lastingCodes.has(error.code)) return this.#giveUp(error);
    const next = afterDeath(this.#failures, served);
    this.#failures = next.failures;
    if (next.kind === "give-up") return this.#giveUp(error ?? diedEachTime(this.id, next.failures, end));
    const reason = error ? `${end}: ${error.message}` : end;
    this.#options.log.warn(`${this.id} died (${reason}): starting it again`, { delayMs: next.delayMs });
    if (error?.stack) this.#options.log.debug(error.stack);
    await pause(next.delayMs);
    if (this.#drainWanted()) return this.#stopped();
    this.#restarts++;
    this.#child = this.#fork();
  }

  /** Asked again after each wait, during which it may have changed. */
  #drainWanted(): boolean {
    return this.#state === "draining";
  }

  #giveUp(error: SynodError): void {
    this.#stopped();
    this.#options.onGivenUp(error);
  }

  #stopped(): void {
    this.#state = "stopped";
    this.#ended.resolve();
  }
}

function diedEachTime(node: string, times: number, end: string): SynodError {
  return new SynodError("unavailable", `${node} died ${times} times in a row before it served (${end})`);
}
