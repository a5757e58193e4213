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

export type NodeState = "loading" | "loaded" | "starting" | "ready" | "draining" | "restarting" | "drained" | "stopped";

/** How often a node is asked for a sign of life, and how long it may give none before it is killed, ms. */
const pingIntervalMs = 1_000;
const silenceMaxMs = 20_000;

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
  /** What becomes of the node when its process, which is draining, has ended. */
  #afterDrain: "stopped" | "drained" | "restarting" = "stopped";
  #address: string | null = null;
  #served: PromiseWithResolvers<void> = Promise.withResolvers();

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

  /** Where other nodes reach it; null until it serves. */
  get address(): string | null {
    return this.#address;
  }

  start(store: string, expectedMembers: number): void {
    this.#state = "starting";
    this.#child.tell({ type: "start", store, expectedMembers });
  }

  /** The membership has changed: the node looks at once instead of at its next heartbeat. */
  refresh(): void {
    if (this.#state === "ready") this.#child.tell({ type: "refresh" });
  }

  /** Ends the node for good. Resolves when the process is dead and its lease has been seen to. */
  async stop(drainMs: number): Promise<void> {
    if (this.#state === "stopped") return;
    if (this.#state === "drained") return this.#rest("stopped");
    await this.#drain(drainMs, "stopped");
  }

  /** Hands everything over and ends the process; the node comes back only by {@link restart}. */
  async drain(drainMs: number): Promise<void> {
    if (this.#state === "ready") await this.#drain(drainMs, "drained");
  }

  /** Drains the process and starts another one; resolves when that serves. */
  async restart(drainMs: number): Promise<void> {
    if (this.#state === "ready") await this.#drain(drainMs, "restarting");
    if (this.#state === "drained") this.#child = this.#fork();
    await this.#served.promise;
  }

  async #drain(drainMs: number, afterwards: "stopped" | "drained" | "restarting"): Promise<void> {
    this.#afterDrain = afterwards;
    this.#state = "draining";
    this.#child.tell({ type: "drain", drainMs });
    await this.#ended.promise;
  }

  #fork(): NodeChild {
    this.#state = "loading";
    this.#ended = Promise.withResolvers();
    this.#served = Promise.withResolvers();
    this.#served.promise.catch(() => {});
    this.#address = null;
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
      this.#address = message.address;
      this.#served.resolve();
      void this.#watch(this.#child);
      this.#options.onReady(this, message.urls);
    }
  }

  async #bury(end: string): Promise<void> {
    const served = this.#state === "ready";
    const error = this.#lastError;
    if (this.#state !== "draining") this.#state = "restarting";
    if (this.#incarnation !== undefined) await this.#options.endLease(this.id, this.#incarnation);
    if (this.#drainWanted()) return this.#rest(this.#afterDrain);
    if (error && !this.#everServed && lastingCodes.has(error.code)) return this.#giveUp(error);
    const next = afterDeath(this.#failures, served);
    this.#failures = next.failures;
    if (next.kind === "give-up") return this.#giveUp(error ?? diedEachTime(this.id, next.failures, end));
    const reason = error ? `${end}: ${error.message}` : end;
    this.#options.log.warn(`${this.id} died (${reason}): starting it again`, { delayMs: next.delayMs });
    if (error?.stack) this.#options.log.debug(error.stack);
    await pause(next.delayMs);
    if (this.#drainWanted()) return this.#rest(this.#afterDrain);
    this.#restarts++;
    this.#child = this.#fork();
  }

  /** Asked again after each wait, during which it may have changed. */
  #drainWanted(): boolean {
    return this.#state === "draining";
  }

  #giveUp(error: SynodError): void {
    this.#rest("stopped");
    this.#served.reject(error);
    this.#options.onGivenUp(error);
  }

  #rest(state: "stopped" | "drained" | "restarting"): void {
    this.#state = state;
    this.#ended.resolve();
    if (state === "restarting") this.#child = this.#fork();
  }

  /** A node whose event loop is blocked holds its connections and does nothing: its keys are better off elsewhere. */
  async #watch(child: NodeChild): Promise<void> {
    while (this.#child === child && this.#state === "ready") {
      try {
        await child.ask("ping", undefined, silenceMaxMs);
      } catch {
        if (this.#child !== child || this.#state !== "ready") return;
        this.#options.log.error(`${this.id} has not answered for ${silenceMaxMs / 1_000} s: killing it`);
        child.kill();
        return;
      }
      await pause(pingIntervalMs);
    }
  }
}

function diedEachTime(node: string, times: number, end: string): SynodError {
  return new SynodError("unavailable", `${node} died ${times} times in a row before it served (${end})`);
}
