/**
 * One node under supervision: the process that is it now, and the next one when that dies. The dead one's
 * lease is ended before its successor is forked, so that the successor can claim at once and does not have
 * to watch the lease expire.
 */
import { SynodError } from "../errors.ts";
import type { ConnectionHandle } from "../ports/gateway.ts";
import type { Log } from "../ports/log.ts";
import { fromErrorFacts } from "./error-facts.ts";
import type { FromNode, SystemFacts } from "./messages.ts";
import { NodeChild } from "./node-child.ts";
import type { NodeProcessArguments } from "./node-process.ts";
import { afterDeath } from "./restarts.ts";
import { pause, within } from "./within.ts";

export type NodeState =
  | "loading"
  | "loaded"
  | "starting"
  | "ready"
  | "draining"
  /** Dead, and about to be started again. */
  | "restarting"
  /** Ended on purpose, until somebody starts it again. */
  | "drained"
  /** Died too often: until somebody starts it again. */
  | "failed"
  | "stopped";

/** How often a node is asked for a sign of life, ms. */
const pingIntervalMs = 500;
/** How long it may take to answer when it is asked for the last time, ms. */
const lastPingMs = 1_000;
/** An answer that is later than this is a sign that the node does something else, ms. */
const answerSoonMs = 500;
/** How much longer than it was given for its drain a node may take to end before it is killed, ms. */
const drainOverrunMaxMs = 5_000;

export interface SupervisedNodeOptions {
  readonly settings: NodeProcessArguments;
  readonly quietStdout: boolean;
  readonly log: Log;
  /** How long a node that serves may give no sign of life before it is killed. */
  readonly silenceMaxMs: number;
  /** Whether nobody can write to the store, because somebody keeps it locked. */
  readonly isStoreLocked: () => Promise<boolean>;
  readonly onLoaded: (node: SupervisedNode, system: SystemFacts) => void;
  /** Somebody told it to end. */
  readonly onTerminated: (node: SupervisedNode) => void;
  /** Whether everything is being stopped, so that nobody needs to come back. */
  readonly isStopping: () => boolean;
  readonly onReady: (node: SupervisedNode, urls: readonly string[]) => void;
  /** A node that leaves passes an idle connection of that adapter on. */
  readonly onConnection: (adapter: number, connection: ConnectionHandle) => void;
  /** Sees to the lease of a dead process; resolves also when that was not possible. */
  readonly endLease: (node: string, incarnation: number) => Promise<void>;
  /** The node will not be started again by itself, and why. */
  readonly onGivenUp: (node: SupervisedNode, error: SynodError) => void;
}

/** What becomes of a node when its process, which is draining, has ended. */
type AfterDrain = "stopped" | "drained" | "restarting";

/** Codes of errors that come from what the user wrote, so that a restart would only repeat them. */
const lastingCodes: ReadonlySet<string> = new Set(["failed_precondition", "invalid_argument", "unimplemented"]);

export class SupervisedNode {
  readonly id: string;
  readonly #options: SupervisedNodeOptions;
  #child: NodeChild;
  #state: NodeState = "loading";
  #incarnation: number | undefined;
  #address: string | null = null;
  #restarts = 0;
  #failures = 0;
  /** Whether the node has served since it was last started on purpose. */
  #hasServed = false;
  #lastError: SynodError | undefined;
  /** The process that is the node now has ended, and it is settled what follows. */
  #ended: PromiseWithResolvers<void> = Promise.withResolvers();
  #afterDrain: AfterDrain = "stopped";
  #served: PromiseWithResolvers<void> = rejectable();
  /** When the sign of life was asked for that has not been given yet. */
  #pingedAt: number | undefined;

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

  /** How often it was started again after it had died. */
  get restarts(): number {
    return this.#restarts;
  }

  /** Where other nodes reach it; null until it serves. */
  get address(): string | null {
    return this.#address;
  }

  /** Whether a process of it runs, or will without anybody's doing. */
  get runs(): boolean {
    return this.#state !== "drained" && this.#state !== "failed" && this.#state !== "stopped";
  }

  /** Whether it serves and has lately shown that it does. */
  get answers(): boolean {
    const silentMs = this.#pingedAt === undefined ? 0 : performance.now() - this.#pingedAt;
    return this.#state === "ready" && silentMs < answerSoonMs;
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
    if (this.runs) await this.#drain(drainMs, "stopped");
    else this.#rest("stopped");
  }

  /** Ends the process at once, and for good. What it has acknowledged is durable. */
  kill(): void {
    if (!this.runs) return;
    this.#afterDrain = "stopped";
    this.#leaveReady("draining");
    this.#child.kill();
  }

  /** Hands everything over and ends the process; the node comes back only by {@link restart}. */
  async drain(drainMs: number): Promise<void> {
    if (this.runs) await this.#drain(drainMs, "drained");
  }

  /** Ends the process, if there is one, in order, and starts another one; resolves when that serves. */
  async restart(drainMs: number): Promise<void> {
    // A dead one is about to be started again anyhow.
    if (this.#state !== "restarting") {
      if (this.runs) await this.#drain(drainMs, "restarting");
      else this.#startAgain();
    }
    if (this.#state === "stopped") throw stoppedMeanwhile();
    await this.#served.promise;
  }

  async #drain(drainMs: number, afterwards: AfterDrain): Promise<void> {
    this.#afterDrain = afterwards;
    this.#leaveReady("draining");
    const child = this.#child;
    child.tell({ type: "drain", drainMs, passOn: afterwards !== "stopped" });
    const { promise } = this.#ended;
    if (
      await within(
        promise.then(() => true),
        drainMs + drainOverrunMaxMs,
      )
    )
      return;
    this.#options.log.error(`${this.id} did not end within ${drainMs / 1_000} s: killing it`);
    child.kill();
    await promise;
  }

  #fork(): NodeChild {
    this.#state = "loading";
    this.#ended = Promise.withResolvers();
    this.#address = null;
    this.#incarnation = undefined;
    this.#lastError = undefined;
    return new NodeChild({
      settings: this.#options.settings,
      quietStdout: this.#options.quietStdout,
      onMessage: (message) => this.#receive(message),
      onConnection: this.#options.onConnection,
      onEnd: (end) => void this.#bury(end),
    });
  }

  #startAgain(): void {
    this.#failures = 0;
    this.#hasServed = false;
    this.#child = this.#fork();
  }

  #receive(message: FromNode): void {
    if (message.type === "joined") this.#incarnation = message.incarnation;
    if (message.type === "failed") this.#lastError = fromErrorFacts(message.error);
    if (this.#state === "draining") return;
    if (message.type === "terminated") this.#options.onTerminated(this);
    if (message.type === "loaded") {
      this.#state = "loaded";
      this.#options.onLoaded(this, message.system);
    }
    if (message.type === "ready") {
      this.#state = "ready";
      this.#hasServed = true;
      this.#address = message.address;
      this.#served.resolve();
      void this.#watch(this.#child);
      this.#options.onReady(this, message.urls);
    }
  }

  async #bury(end: string): Promise<void> {
    const served = this.#state === "ready";
    const error = this.#lastError;
    if (this.#state !== "draining") this.#leaveReady("restarting");
    if (this.#incarnation !== undefined) await this.#options.endLease(this.id, this.#incarnation);
    if (this.#drainWanted()) return this.#rest(this.#afterDrain);
    if (this.#options.isStopping()) return this.#rest("stopped");
    if (error && !this.#hasServed && lastingCodes.has(error.code)) return this.#giveUp(error);
    const next = afterDeath(this.#failures, served);
    this.#failures = next.failures;
    if (next.kind === "give-up") return this.#giveUp(error ?? diedEachTime(this.id, next.failures, end));
    const reason = error ? `${end}: ${error.message}` : end;
    this.#options.log.warn(`${this.id} died (${reason}): starting it again`, { delayMs: next.delayMs });
    if (error?.stack) this.#options.log.debug(error.stack);
    await pause(next.delayMs);
    if (this.#drainWanted()) return this.#rest(this.#afterDrain);
    if (this.#options.isStopping()) return this.#rest("stopped");
    this.#restarts++;
    this.#child = this.#fork();
  }

  /** Asked again after each wait, during which it may have changed. */
  #drainWanted(): boolean {
    return this.#state === "draining";
  }

  #leaveReady(state: NodeState): void {
    if (this.#state === "ready") this.#served = rejectable();
    this.#state = state;
  }

  #giveUp(error: SynodError): void {
    this.#state = "failed";
    this.#failServed(error);
    this.#ended.resolve();
    this.#options.onGivenUp(this, error);
  }

  #rest(state: AfterDrain): void {
    this.#state = state;
    this.#ended.resolve();
    if (state === "restarting") this.#startAgain();
    if (state === "stopped") this.#failServed(stoppedMeanwhile());
  }

  /** Whoever waits for this node to serve hears why it does not. */
  #failServed(error: SynodError): void {
    this.#served.reject(error);
    this.#served = rejectable();
  }

  /** A node whose event loop is blocked holds its connections and does nothing: its keys are better off elsewhere. */
  async #watch(child: NodeChild): Promise<void> {
    const { silenceMaxMs, log } = this.#options;
    const isCurrent = (): boolean => this.#child === child && this.#state === "ready";
    while (isCurrent()) {
      const answered = this.#ping(child, silenceMaxMs);
      const isInTheWay = await this.#isInTheWay(answered);
      // The second question is for a supervisor that was stopped itself: its timer ran out, not the node's time.
      const alive = !isInTheWay && ((await answered) || (await this.#ping(child, lastPingMs)));
      if (!isCurrent()) return;
      if (!alive) {
        const silence = isInTheWay ? "stands still and keeps the store locked" : silentFor(silenceMaxMs);
        log.error(`${this.id} ${silence}: killing it`);
        child.kill();
        return;
      }
      await pause(pingIntervalMs);
    }
  }

  /**
   * Whether the node keeps all others from writing while it gives no sign of life: stopped in the middle of a
   * write it holds the store's lock, so that no lease can be renewed, and none of its keys go to anybody.
   */
  async #isInTheWay(answered: Promise<boolean>): Promise<boolean> {
    let silent = true;
    const over = answered.then(() => {
      silent = false;
    });
    for (;;) {
      await Promise.race([over, pause(answerSoonMs)]);
      if (!silent) return false;
      // While that is found out, the node may still answer.
      if ((await this.#options.isStoreLocked()) && silent) return true;
    }
  }

  async #ping(child: NodeChild, waitMs: number): Promise<boolean> {
    this.#pingedAt = performance.now();
    const answered = await child.ask("ping", undefined, waitMs).then(
      () => true,
      () => false,
    );
    if (answered) this.#pingedAt = undefined;
    return answered;
  }
}

function silentFor(ms: number): string {
  return `has given no sign of life for ${ms / 1_000} s`;
}

/** Nobody has to wait for it. */
function rejectable(): PromiseWithResolvers<void> {
  const resolvers = Promise.withResolvers<void>();
  resolvers.promise.catch(() => {});
  return resolvers;
}

function stoppedMeanwhile(): SynodError {
  return new SynodError("cancelled", "the system is being stopped");
}

function diedEachTime(node: string, times: number, end: string): SynodError {
  return new SynodError("unavailable", `${node} died ${times} times in a row before it served (${end})`);
}
