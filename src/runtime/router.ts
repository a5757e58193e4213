/**
 * Gets a call to the entity, or the stateless service, that answers it, on this node or another one, and repeats
 * it unseen when it was lost on the way and a repeat is harmless: the attempt certainly did nothing, or carried
 * an id by which its effect is found again.
 */

import { SynodError } from "../errors.ts";
import type { GatewayReply } from "../ports/gateway.ts";
import type { Member } from "../ports/store.ts";
import type { AnyService } from "../service/model.ts";
import { mark } from "../values/marks.ts";
import { ranks } from "../values/priority.ts";
import type { MovedHint } from "../wire/frames.ts";
import { Activation, type ActivationOptions } from "./activation.ts";
import type { Committer } from "./committer.ts";
import type { Environment } from "./environment.ts";
import { Heights } from "./heights.ts";
import { type Attempt, type CommandId, type Invocation, nameOfTarget } from "./invocation.ts";
import type { Slot } from "./load.ts";
import type { Membership } from "./membership.ts";
import { Outgoing } from "./outgoing.ts";
import type { PeerCalls } from "./peer-calls.ts";
import { runQuery } from "./query-run.ts";
import { tooLate } from "./refusals.ts";
import { failed, failure, withCut, withOutcome } from "./replies.ts";
import type { Shard } from "./shard.ts";
import { ShardCalls } from "./shard-calls.ts";
import type { Shards } from "./shards.ts";
import { Sleepers } from "./sleepers.ts";

/** The first wait before a repeat, and the longest, ms. */
const backoffBaseMs = 5;
const backoffMaxMs = 250;
/** A stateless call goes to another node if that has this many times less to do: the way there costs, too. */
const spreadTimes = 2;

export interface RouterOptions {
  readonly environment: Environment;
  readonly shards: Shards;
  readonly membership: Membership;
  readonly peers: PeerCalls;
  readonly committer: () => Committer;
}

/** What a call from another node comes to here. */
export type HereAnswer =
  | { readonly kind: "reply"; readonly reply: GatewayReply }
  | { readonly kind: "moved"; readonly hint: MovedHint };

/** What is known about a call while it is repeated. */
interface Progress {
  invocation: Invocation;
  /** An id that was opened for it in this node's session. */
  opened: CommandId | null;
  /** Some attempt was cut after it was sent (guarantee G7). */
  unknown: boolean;
  /** How often its link was lost in the middle of it: its node may have died of it. */
  cuts: number;
}

export class Router {
  readonly #options: RouterOptions;
  readonly #outgoing: Outgoing;
  readonly #sleepers: Sleepers;
  readonly #heights: Heights;
  readonly #shared = new Map<Shard, ActivationOptions>();
  #closed = false;

  constructor(options: RouterOptions) {
    this.#options = options;
    const { environment } = options;
    this.#sleepers = new Sleepers(environment.clock);
    this.#heights = new Heights(environment.system.services);
    this.#outgoing = new Outgoing(environment.system.services, async (invocation) => this.dispatch(invocation));
  }

  /** Members or owners have changed: whoever waits for an owner looks where it is now. */
  viewChanged(): void {
    this.#sleepers.wake();
  }

  /** Nothing is repeated any more: what is lost from now on is said to its caller. */
  close(): void {
    this.#closed = true;
    this.#sleepers.close();
  }

  /** For calls that came in at this node, or that its handlers make. Never rejects. */
  dispatch(invocation: Invocation): GatewayReply | Promise<GatewayReply> {
    const { environment } = this.#options;
    if (invocation.target.operation.kind === "query") environment.counters.queries += 1;
    if (invocation.target.key !== null) return this.#dispatchEntity(invocation, invocation.target.key);
    return isHosted(environment, invocation) ? this.#dispatchStateless(invocation) : this.#passOn(invocation);
  }

  #dispatchEntity(invocation: Invocation, key: string): GatewayReply | Promise<GatewayReply> {
    const shard = this.#options.shards.ofKey(invocation.target.service, key);
    // What is durable is asked for again until its outcome is known, and gets an id first.
    if (!shard.admits || invocation.target.operation.durable) return this.#dispatchUntilSettled(invocation, shard);
    // Nearly always the first attempt on this node's own entity settles it; that of a query in the same turn.
    const settled = (first: Attempt): GatewayReply | Promise<GatewayReply> =>
      first.lost === undefined ? first.reply : this.#dispatchUntilSettled(invocation, shard, first);
    const first = this.#attemptHere(invocation, shard, key);
    return first instanceof Promise ? first.then(settled) : settled(first);
  }

  /** `first`: an attempt that was made. */
  async #dispatchUntilSettled(invocation: Invocation, shard: Shard, first?: Attempt): Promise<GatewayReply> {
    const progress: Progress = { invocation, opened: null, unknown: false, cuts: 0 };
    try {
      return await this.#dispatchKeyed(progress, shard, first);
    } finally {
      if (progress.opened !== null) this.#options.peers.settle(progress.opened);
    }
  }

  async #dispatchStateless(invocation: Invocation): Promise<GatewayReply> {
    const spread = this.#options.environment.load.standing ? await this.#spread(invocation) : undefined;
    return spread ?? this.#runStateless(invocation);
  }

  /**
   * Whether a call of a service that this node hosts would go to another node now, so that it is not for this one's queue to
   * turn it away. Asked for each request at the door of a busy node: no chance is drawn, and nothing is sent.
   */
  passesOn(service: AnyService, key: string | undefined): boolean {
    const { environment, peers, shards } = this.#options;
    const { load } = environment;
    const { name, key: keys } = service.interface;
    if (keys === undefined)
      return load.standing && peers.someHasAtMost(load.calls / spreadTimes, this.hostedElsewhere(name), name);
    if (key === undefined) return false;
    const shard = shards.ofKey(service, key);
    return !shard.admits && this.#destination(shard) !== undefined;
  }

  /** For calls of other nodes: answered here, or sent elsewhere. Never rejects. */
  dispatchHere(invocation: Invocation): HereAnswer | Promise<HereAnswer> {
    const { target } = invocation;
    if (target.operation.kind === "query") this.#options.environment.counters.queries += 1;
    if (target.key !== null) return this.#dispatchEntityHere(invocation, target.key);
    // Its caller may know another node. Until a lease that is waited for here came, the link might be closed.
    if (this.#closed || !this.#options.environment.lease.valid) return this.#elsewhere();
    const reply = this.#admitStateless(invocation);
    if (reply instanceof Promise) return reply.then((late) => this.#statelessAnswer(late));
    return this.#statelessAnswer(reply);
  }

  /** What a node that has stopped certainly did nothing with is for another one that hosts the service, too. */
  #statelessAnswer(reply: GatewayReply): HereAnswer {
    const undone = !reply.ok && reply.error.code === "unavailable" && reply.error.outcome === "not-happened";
    return this.#closed && undone ? this.#elsewhere() : { kind: "reply", reply };
  }

  /** Anywhere but here: what is stateless has no owner. */
  #elsewhere(): HereAnswer {
    const { revision } = this.#options.membership.view;
    return { kind: "moved", hint: { revision, epoch: 0, owner: undefined, node: undefined } };
  }

  async #dispatchEntityHere(invocation: Invocation, key: string): Promise<HereAnswer> {
    const { shards, environment } = this.#options;
    const shard = shards.ofKey(invocation.target.service, key);
    const waitMs = environment.limits.ownershipWaitMs;
    for (let attempts = 1; ; attempts++) {
      if (!shard.admits && !(await this.#ownedSoon(shard, invocation, waitMs))) return this.#moved(shard);
      if (!environment.lease.valid && !(await this.#mayAct(invocation))) return this.#moved(shard);
      const { reply, lost } = await this.#attemptHere(invocation, shard, key);
      // A node that has stopped did nothing with it, and somebody else will.
      if (this.#closed && lost?.certain) return this.#moved(shard);
      // The caller repeats what was cut under its id; what did nothing is repeated here while this is the place.
      if (lost === undefined || !lost.certain || this.#isOver(invocation)) return { kind: "reply", reply };
      await this.#sleepers.sleep(this.#backoffMs(attempts), invocation);
      if (this.#isOver(invocation)) return { kind: "reply", reply };
    }
  }

  /** For what the owner of a shard has its own entities do: one try, here or not at all. Never rejects. */
  async runHere(invocation: Invocation): Promise<GatewayReply> {
    const { service, key } = invocation.target;
    const shard = this.#options.shards.ofKey(service, key!);
    return (shard.admits ? await this.#attemptHere(invocation, shard, key!) : this.#gone()).reply;
  }

  /**
   * Undefined when there is no room in memory. The caller has seen that the shard is owned. `reservePart`: of what is kept
   * for calls of admitted chains.
   */
  activate(shard: Shard, key: string, reservePart = 0): Activation | undefined {
    const active = shard.activations.get(key);
    if (active !== undefined) return active;
    const { environment, committer } = this.#options;
    if (!environment.memory.hasRoom(reservePart)) return undefined;
    const activation = new Activation(this.#sharedBy(shard, committer()), key);
    shard.activations.set(key, activation);
    return activation;
  }

  /** What the entities of a shard have in common, which is not kept once for each of them. */
  #sharedBy(shard: Shard, committer: Committer): ActivationOptions {
    const known = this.#shared.get(shard);
    if (known?.committer === committer) return known;
    const { environment, shards } = this.#options;
    const runHere = (invocation: Invocation): Promise<GatewayReply> => this.runHere(invocation);
    const calls = new ShardCalls({ environment, committer, shards, shard, runHere });
    const shared = { environment, committer, outgoing: this.#outgoing, service: shard.service, shard, calls };
    this.#shared.set(shard, shared);
    return shared;
  }

  async #dispatchKeyed(progress: Progress, shard: Shard, first: Attempt | undefined): Promise<GatewayReply> {
    const { environment } = this.#options;
    for (let attempts = 1; ; attempts++) {
      // What is durable is asked for again until its outcome is known, so it always has an id.
      if (progress.invocation.target.operation.durable) this.#identify(progress);
      const attempt = attempts === 1 && first !== undefined ? first : this.#attempt(progress, shard);
      const { reply, lost } = await attempt;
      if (lost === undefined) return this.#final(reply, progress);
      progress.unknown ||= !lost.certain;
      if (!this.#isHarmless(progress) || this.#isOver(progress.invocation)) return this.#final(reply, progress);
      if (progress.cuts >= environment.limits.cutsMax) return this.#final(cutTooOften(progress), progress);
      await this.#sleepers.sleep(attempts === 1 ? 0 : this.#backoffMs(attempts), progress.invocation);
      // The node may have joined again meanwhile, which ends the session that the id belongs to.
      if (!this.#isHarmless(progress) || this.#isOver(progress.invocation)) return this.#final(reply, progress);
      this.#forgetEndedId(progress);
      if (progress.invocation.unsent) progress.invocation = { ...progress.invocation, unsent: false };
    }
  }

  /** Whether another attempt has no effect if an earlier one had it. */
  #isHarmless({ invocation: { id }, unknown }: Progress): boolean {
    return !unknown || (id !== null && this.#options.peers.isCurrent(id));
  }

  /** One try, where the owner is believed to be. */
  #attempt(progress: Progress, shard: Shard): Attempt | Promise<Attempt> {
    const { key } = progress.invocation.target;
    return shard.admits ? this.#attemptHere(progress.invocation, shard, key!) : this.#attemptElsewhere(progress, shard);
  }

  async #attemptElsewhere(progress: Progress, shard: Shard): Promise<Attempt> {
    const destination = this.#destination(shard);
    if (destination !== undefined) return this.#attemptThere(progress, shard, destination);
    const { environment } = this.#options;
    if (await this.#ownedSoon(shard, progress.invocation, environment.limits.ownershipWaitMs)) {
      return this.#attemptHere(progress.invocation, shard, progress.invocation.target.key!);
    }
    const message = `${nameOfTarget(progress.invocation.target)} has no owner at the moment`;
    return { reply: failure("unavailable", message, { retryAfterMs: 1_000 }), lost: { certain: true } };
  }

  /** Another member that owns the shard, is about to, or should. Undefined: this node, or nobody. */
  #destination(shard: Shard): Member | undefined {
    const { membership } = this.#options;
    const next = shard.nextOwner === null ? undefined : membership.member(shard.nextOwner);
    const member = next ?? membership.destination(shard.id);
    return member?.incarnation === membership.incarnation ? undefined : member;
  }

  async #attemptThere(progress: Progress, shard: Shard, { incarnation }: Member): Promise<Attempt> {
    const { peers, membership } = this.#options;
    if (progress.cuts > 0 && !peers.mayRepeat(incarnation)) {
      const message = `${nameOfTarget(progress.invocation.target)} was lost, and there are too many repeats to that node`;
      return { reply: failure("unavailable", message, { retryAfterMs: 1_000 }), lost: { certain: true } };
    }
    if (progress.invocation.target.operation.kind === "command") this.#identify(progress);
    const epoch = membership.ownership(shard.id)?.epoch;
    const answer = await peers.call(incarnation, progress.invocation, epoch);
    switch (answer.kind) {
      case "reply":
        return { reply: answer.reply };
      case "moved": {
        membership.learn(shard.id, answer.hint);
        if (answer.hint.revision > membership.view.revision) membership.poke();
        const message = `the owner of ${nameOfTarget(progress.invocation.target)} is being looked for`;
        return { reply: failure("unavailable", message, { retryAfterMs: 100 }), lost: { certain: true } };
      }
      case "lost":
        if (answer.cut) progress.cuts += 1;
        membership.suspect();
        return lostAttempt(answer);
    }
  }

  #identify(progress: Progress): void {
    if (progress.invocation.id !== null) return;
    progress.opened = this.#options.peers.openId(progress.invocation.input);
    progress.invocation = { ...progress.invocation, id: progress.opened };
  }

  /** An id of a session that has ended belongs to nobody; what was certainly not executed can do without it. */
  #forgetEndedId(progress: Progress): void {
    if (progress.opened === null || this.#options.peers.isCurrent(progress.opened)) return;
    mark("id of an ended session");
    progress.opened = null;
    progress.invocation = { ...progress.invocation, id: null };
  }

  /** One try on this node, which owns the shard. */
  #attemptHere(invocation: Invocation, shard: Shard, key: string): Attempt | Promise<Attempt> {
    if (this.#options.environment.lease.valid) return this.#admit(invocation, shard, key);
    return this.#mayAct(invocation).then((may) =>
      may ? this.#admit(invocation, shard, key) : { reply: leaseRanOut() },
    );
  }

  #admit(invocation: Invocation, shard: Shard, key: string): Attempt | Promise<Attempt> {
    return this.#options.environment.load.admitted<Attempt>(
      invocation,
      (slot) => this.#carryOut(invocation, slot, shard, key),
      attemptOf,
    );
  }

  #carryOut(invocation: Invocation, slot: Slot, shard: Shard, key: string): Attempt | Promise<Attempt> {
    invocation.slot = slot;
    const late = tooLate(invocation, slot.startedAt);
    if (late !== undefined) return { reply: late };
    if (!shard.admits) return this.#gone();
    // Its record may be forgotten by now: it must not be looked for, and not be executed in vain.
    if (invocation.id !== null && this.#options.peers.hasEnded(invocation.id)) return this.#gone();
    const activation = this.activate(shard, key, this.#reservePartOf(invocation));
    if (activation === undefined) {
      mark("memory full");
      const message = "the memory for entities is used up by entities at work";
      return { reply: failure("resource_exhausted", message, { retryAfterMs: 1_000 }) };
    }
    slot.holds(shard);
    if (invocation.existing) return activation.outcome(invocation);
    if (invocation.target.operation.kind === "query") return activation.query(invocation);
    return activation.command(this.#withOwnFloor(invocation));
  }

  /**
   * How much of the memory that is kept for admitted chains a call may use: none if it comes from outside, or begins a
   * durable command for which nobody waits; else the more, the fewer it may have to wait for itself.
   */
  #reservePartOf({ rank, target, waitFor }: Invocation): number {
    return rank !== ranks.chain || waitFor === "acceptance" ? 0 : this.#heights.part(target.service);
  }

  /** Whether this node has a lease, for which the call waits a while. */
  async #mayAct({ deadline }: Invocation): Promise<boolean> {
    const { lease } = this.#options.environment;
    return lease.valid || lease.whenValid(deadline, () => !this.#closed);
  }

  /** An id of this node's own session brings its floor along on this node too. */
  #withOwnFloor(invocation: Invocation): Invocation {
    const { id } = invocation;
    const floor = id === null || id.floor !== undefined ? undefined : this.#options.peers.floorOf(id);
    return id === null || floor === undefined ? invocation : { ...invocation, id: { ...id, floor } };
  }

  #gone(): Attempt {
    const error = new SynodError("unavailable", "the shard has moved", { retryAfterMs: 100 });
    return { reply: failed(error), lost: { certain: true } };
  }

  #runStateless(invocation: Invocation): GatewayReply | Promise<GatewayReply> {
    if (this.#options.environment.lease.valid) return this.#admitStateless(invocation);
    return this.#mayAct(invocation).then((may) => (may ? this.#admitStateless(invocation) : leaseRanOut()));
  }

  #admitStateless(invocation: Invocation): GatewayReply | Promise<GatewayReply> {
    const { environment } = this.#options;
    const run = (slot: Slot): GatewayReply | Promise<GatewayReply> => {
      invocation.slot = slot;
      if (invocation.target.operation.kind === "command") environment.counters.commands += 1;
      return runQuery({ environment, outgoing: this.#outgoing, invocation, snapshot: null });
    };
    return environment.load.admitted(invocation, run, asItIs);
  }

  /**
   * While more comes in than goes out here, what comes in for a stateless service is for somebody who has less to do, if
   * one of two others has. Undefined: it stays here. The other one does not send it on.
   */
  async #spread(invocation: Invocation): Promise<GatewayReply | undefined> {
    const { environment, peers } = this.#options;
    const { load, random } = environment;
    const { name } = invocation.target.service.interface;
    const other = peers.lighter(this.hostedElsewhere(name), name, random);
    if (other === undefined || peers.loadOf(other) * spreadTimes > load.calls) return undefined;
    const answer = await peers.call(other.incarnation, invocation, undefined);
    if (answer.kind === "reply") return answer.reply;
    if (answer.kind === "lost" && !answer.certain) return withCut(failed(answer.error));
    return undefined;
  }

  /** Other members that host this service: those that stay, while there are any. */
  hostedElsewhere(service: string): readonly Member[] {
    const { membership } = this.#options;
    const hosting = membership.hosting(service);
    const isOther = ({ incarnation }: Member): boolean => incarnation !== membership.incarnation;
    const others = hosting.every(isOther) ? hosting : hosting.filter(isOther);
    if (!others.some(({ draining }) => draining)) return others;
    const staying = others.filter(({ draining }) => !draining);
    return staying.length === 0 ? others : staying;
  }

  /** A call of a stateless service that this node does not host: any member that does will do. */
  async #passOn(invocation: Invocation): Promise<GatewayReply> {
    const { environment, peers } = this.#options;
    const { name } = invocation.target.service.interface;
    for (let attempts = 1; ; attempts++) {
      const member = peers.lighter(this.hostedElsewhere(name), name, environment.random);
      const answer = member && (await peers.call(member.incarnation, invocation, undefined));
      if (answer?.kind === "reply") return answer.reply;
      const lost = answer?.kind === "lost" ? answer : undefined;
      // Nobody here knows whether a repeat would be harmless.
      if (lost?.certain === false) return withCut(failed(lost.error));
      const over = this.#isOver(invocation);
      if (over) return lost ? failed(lost.error) : failure("unavailable", `nobody answers for ${name} at the moment`);
      await this.#sleepers.sleep(this.#backoffMs(attempts), invocation);
    }
  }

  /** Waits for a claim that is on its way to this node; gives up when the shard is known to be elsewhere. */
  async #ownedSoon(shard: Shard, invocation: Invocation, ms: number): Promise<boolean> {
    const { environment } = this.#options;
    const until = environment.clock.monotonic() + ms;
    while (!shard.admits && !this.#isOver(invocation)) {
      const leftMs = until - environment.clock.monotonic();
      if (leftMs <= 0 || shard.nextOwner !== null || this.#destination(shard) !== undefined) return false;
      await this.#sleepers.sleep(leftMs, invocation);
    }
    return shard.admits;
  }

  #moved(shard: Shard): HereAnswer {
    const { membership } = this.#options;
    const hint = membership.hint(shard.id);
    if (shard.nextOwner === null) return { kind: "moved", hint };
    mark("sent on to the next owner");
    const node = membership.member(shard.nextOwner)?.node;
    // The next owner claims the epoch after this one.
    return { kind: "moved", hint: { ...hint, owner: shard.nextOwner, node } };
  }

  #isOver({ deadline, signal }: Invocation): boolean {
    return this.#closed || signal?.aborted === true || this.#options.environment.clock.monotonic() >= deadline;
  }

  /** Exponential with full jitter: a lost entity is not hammered by everybody who waits for it. */
  #backoffMs(attempts: number): number {
    const { random } = this.#options.environment;
    return Math.min(backoffMaxMs, backoffBaseMs * 2 ** (attempts - 1)) * random.number();
  }

  /** Once an attempt was cut, only a recorded reply or a value says more than "unknown" (guarantee G7). */
  #final(reply: GatewayReply, { unknown }: Progress): GatewayReply {
    return unknown ? withCut(withOutcome(reply, "unknown")) : reply;
  }
}

function lostAttempt({ certain, error }: { readonly certain: boolean; readonly error: SynodError }): Attempt {
  return { reply: withOutcome(failed(error), certain ? "not-happened" : "unknown"), lost: { certain } };
}

/** A call that may be what its nodes die of is not sent to all of them, nor are its callers asked to try again. */
function cutTooOften({ invocation, cuts }: Progress): GatewayReply {
  mark("cut too often");
  const message = `${nameOfTarget(invocation.target)} was cut ${cuts} times by a node that went away: it is not tried again`;
  return failure("unavailable", message, { retryable: false });
}

function attemptOf(reply: GatewayReply): Attempt {
  return { reply };
}

function asItIs(reply: GatewayReply): GatewayReply {
  return reply;
}

function leaseRanOut(): GatewayReply {
  const message = "this node cannot reach the store: its lease has run out";
  return failure("unavailable", message, { retryAfterMs: 1_000 });
}

function isHosted({ system }: Environment, { target }: Invocation): boolean {
  return system.services.includes(target.service);
}
