/**
 * Gets a call to the entity, or the stateless service, that answers it, and repeats it unseen when the
 * entity was lost on the way and a repeat is harmless: the attempt certainly did nothing, or carried an id.
 */
import type { GatewayReply } from "../ports/gateway.ts";
import { Activation } from "./activation.ts";
import type { Committer } from "./committer.ts";
import type { Environment } from "./environment.ts";
import { type Attempt, type Invocation, nameOfTarget } from "./invocation.ts";
import { Outgoing } from "./outgoing.ts";
import { runQuery } from "./query-run.ts";
import { failure, withOutcome } from "./replies.ts";
import type { Shard } from "./shard.ts";
import type { Shards } from "./shards.ts";

/** The first wait before a repeat, and the longest, ms. */
const backoffBaseMs = 5;
const backoffMaxMs = 250;

export class Router {
  readonly #environment: Environment;
  readonly #shards: Shards;
  readonly #committer: () => Committer;
  readonly #outgoing: Outgoing;
  #closed = false;
  /** Calls that wait for something: each is woken when the node stops. */
  readonly #sleepers = new Set<() => void>();

  constructor(environment: Environment, shards: Shards, committer: () => Committer) {
    this.#environment = environment;
    this.#shards = shards;
    this.#committer = committer;
    this.#outgoing = new Outgoing(environment.system.services, (invocation) => this.dispatch(invocation));
  }

  /** Nothing is repeated any more: what is lost from now on is said to its caller. */
  close(): void {
    this.#closed = true;
    for (const wake of [...this.#sleepers]) wake();
  }

  /** Never rejects. */
  async dispatch(invocation: Invocation): Promise<GatewayReply> {
    const { counters, clock } = this.#environment;
    const { target, deadline } = invocation;
    if (target.operation.kind === "query") counters.queries += 1;
    let unknown = false;
    for (let attempts = 1; ; attempts++) {
      const { reply, lost } = await this.#attempt(invocation);
      if (lost === undefined) return this.#final(reply, unknown);
      unknown ||= !lost.certain;
      const repeatable = invocation.id !== null || !unknown;
      if (!repeatable || this.#closed || clock.monotonic() >= deadline) return this.#final(reply, unknown);
      await this.#sleep(this.#backoffMs(attempts), invocation);
    }
  }

  async #attempt(invocation: Invocation): Promise<Attempt> {
    const { lease } = this.#environment;
    const { key } = invocation.target;
    if (!lease.valid && !(await lease.whenValid(invocation.deadline, () => !this.#closed))) {
      const message = "this node cannot reach the store: its lease has run out";
      return { reply: failure("unavailable", message, { retryAfterMs: 1_000 }) };
    }
    return key === null ? { reply: await this.#runStateless(invocation) } : this.#runKeyed(invocation, key);
  }

  #runStateless(invocation: Invocation): Promise<GatewayReply> {
    if (invocation.target.operation.kind === "command") this.#environment.counters.commands += 1;
    return runQuery({ environment: this.#environment, outgoing: this.#outgoing, invocation, snapshot: null });
  }

  async #runKeyed(invocation: Invocation, key: string): Promise<Attempt> {
    const { target } = invocation;
    const shard = this.#shards.ofKey(target.service, key);
    if (!shard.owned && !(await this.#ownedInTime(shard, invocation))) {
      const message = `${nameOfTarget(target)} has no owner at the moment`;
      return { reply: failure("unavailable", message, { retryAfterMs: 1_000 }) };
    }
    const activation = this.activate(shard, key);
    if (activation === undefined) {
      const message = "the memory for entities is used up by entities at work";
      return { reply: failure("resource_exhausted", message, { retryAfterMs: 1_000 }) };
    }
    return target.operation.kind === "query" ? activation.query(invocation) : activation.command(invocation);
  }

  /** Undefined when there is no room in memory. The caller has seen that the shard is owned. */
  activate(shard: Shard, key: string): Activation | undefined {
    const active = shard.activations.get(key);
    if (active !== undefined) return active;
    if (!this.#environment.memory.hasRoom) return undefined;
    const activation = new Activation({
      environment: this.#environment,
      committer: this.#committer(),
      outgoing: this.#outgoing,
      service: shard.service,
      shard,
      key,
    });
    shard.activations.set(key, activation);
    return activation;
  }

  /** Waits while the shard has no owner (a claim is on its way), until nobody waits for the call. */
  async #ownedInTime(shard: Shard, invocation: Invocation): Promise<boolean> {
    const owned = shard.whenOwned();
    await this.#sleep(Number.POSITIVE_INFINITY, invocation, owned.promise);
    owned.stop();
    return shard.owned;
  }

  /** Waits so long, or until nobody waits for the call any more, the node stops, or `event` resolves. */
  async #sleep(ms: number, { deadline, signal }: Invocation, event?: Promise<void>): Promise<void> {
    const { clock } = this.#environment;
    if (this.#closed || signal?.aborted) return;
    await new Promise<void>((resolve) => {
      const wake = (): void => {
        timer.cancel();
        signal?.removeEventListener("abort", wake);
        this.#sleepers.delete(wake);
        resolve();
      };
      const timer = clock.setTimer(Math.max(0, Math.min(ms, deadline - clock.monotonic())), wake);
      signal?.addEventListener("abort", wake);
      this.#sleepers.add(wake);
      void event?.then(wake);
    });
  }

  /** Exponential with full jitter: a lost entity is not hammered by everybody who waits for it. */
  #backoffMs(attempts: number): number {
    return Math.min(backoffMaxMs, backoffBaseMs * 2 ** (attempts - 1)) * this.#environment.random.number();
  }

  /** Once an attempt was cut, only a recorded reply or a value says more than "unknown" (guarantee G7). */
  #final(reply: GatewayReply, unknown: boolean): GatewayReply {
    return unknown ? withOutcome(reply, "unknown") : reply;
  }
}
