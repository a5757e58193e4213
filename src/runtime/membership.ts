/**
 * The node's heartbeat: one store call every TTL / 4 renews the lease and brings the view; what the node
 * should own by that view and nobody alive owns is claimed at once, in one transaction.
 */
import { Expiry } from "../core/membership/expiry.ts";
import { placeShard, shardsToClaim, shardsToReclaim } from "../core/ownership/placement.ts";
import { SynodError } from "../errors.ts";
import type { ClaimRequest, HostedService, Member, ShardId, ShardOwnership, View } from "../ports/store.ts";
import { mark } from "../values/marks.ts";
import type { MovedHint } from "../wire/frames.ts";
import type { Environment } from "./environment.ts";
import { incarnationOf } from "./session-names.ts";
import type { Shards } from "./shards.ts";
import { ViewTable } from "./view-table.ts";

/** Heartbeats in one TTL. */
const heartbeatsPerTtl = 4;
/** How often the log says what a start is waiting for, ms. */
const patienceLogIntervalMs = 1_000;
/** How often a start looks for the members that it expects, ms. */
const memberPollMs = 20;
/** How long a heartbeat counts as news for those who lose calls, ms: each one is a write to the store. */
const suspectIntervalMs = 100;

export interface MembershipEvents {
  /** The store has admitted the node: everything of an earlier incarnation is void. */
  joined(incarnation: number): void;
  /** The node owns these from now on. */
  claimed(shards: readonly ShardId[]): void;
  /** The lease was ended by somebody else; the membership joins again by itself. */
  ended(): void;
  /** The store does not admit this process again, and never will. */
  refused(error: SynodError): void;
  /** Members or owners have changed. */
  changed(view: View): void;
  /** This node ended leases that had run out: what is free now is for others as well. */
  endedLeases(): void;
}

export interface MembershipOptions {
  readonly environment: Environment;
  readonly shards: Shards;
  readonly events: MembershipEvents;
  /** How many members a start waits for before it claims, for a bounded time. */
  readonly expectedMembers: number;
}

export class Membership {
  readonly #environment: Environment;
  readonly #shards: Shards;
  readonly #events: MembershipEvents;
  readonly #hosts: readonly HostedService[];
  #incarnation = 0;
  #address: string | null = null;
  readonly #expectedMembers: number;
  #table = new ViewTable();
  /** Members whose services were compared with this node's. */
  readonly #compared = new Set<number>();
  #mayClaim = false;
  #beats: (() => void)[] = [];
  #expiry: Expiry;
  #draining = false;
  #stopped = false;
  /** The last time that it asked to be admitted; never rejects. */
  #joining: Promise<void> = Promise.resolve();
  #poke: (() => void) | null = null;
  #poked = false;
  #lastPatienceLog = 0;
  #heartbeatWorstMs = 0;
  /** When the last heartbeat was sent. */
  #beatAt = Number.NEGATIVE_INFINITY;

  constructor({ environment, shards, events, expectedMembers }: MembershipOptions) {
    this.#environment = environment;
    this.#shards = shards;
    this.#events = events;
    this.#expectedMembers = expectedMembers;
    this.#expiry = new Expiry(0, environment.limits);
    this.#hosts = environment.system.services.map((service) => {
      return { service: service.interface.name, stateVersion: service.state?.version ?? null };
    });
  }

  get incarnation(): number {
    return this.#incarnation;
  }

  get view(): View {
    return this.#table.view;
  }

  /** The longest that a heartbeat has waited for its answer since the node joined, ms. */
  get heartbeatWorstMs(): number {
    return this.#heartbeatWorstMs;
  }

  get draining(): boolean {
    return this.#draining;
  }

  member(incarnation: number): Member | undefined {
    return this.#table.member(incarnation);
  }

  /** Live members, this one included, that host a service. */
  hosting(service: string): readonly Member[] {
    return this.#table.hosting(service);
  }

  ownership(shard: ShardId): ShardOwnership | undefined {
    return this.#table.ownership(shard);
  }

  destination(shard: ShardId): Member | undefined {
    return this.#table.destination(shard);
  }

  hint(shard: ShardId): MovedHint {
    return this.#table.hint(shard);
  }

  learn(shard: ShardId, hint: MovedHint): void {
    this.#table.learn(shard, hint);
  }

  mayCall(incarnation: number): boolean {
    return this.#table.mayCall(incarnation);
  }

  /** Whether the caller of this session is gone for good. */
  hasEnded(session: string): boolean {
    const incarnation = incarnationOf(session);
    return incarnation !== null && !this.#table.mayCall(incarnation);
  }

  /** Joins under an address where others reach the node (null: on its own), and resolves when every shard that this node hosts has an owner that is alive. */
  async start(address: string | null): Promise<void> {
    this.#address = address;
    await this.#join();
    this.#lastPatienceLog = this.#environment.clock.monotonic();
    await this.#awaitExpectedMembers();
    this.#mayClaim = true;
    while (!this.#stopped) {
      await this.#beat();
      this.#refuseDouble();
      this.#refuseNewerState();
      if (this.#everyShardServed()) return void this.#run();
      this.#sayWhatFor();
      await this.#pause();
    }
  }

  /** Resolves when a heartbeat that began after this call is over, well or not. */
  refresh(): Promise<void> {
    if (this.#stopped) return Promise.resolve();
    const over = new Promise<void>((resolve) => this.#beats.push(resolve));
    this.poke();
    return over;
  }

  /** Beats at once, because something has moved. */
  poke(): void {
    this.#poked = true;
    this.#poke?.();
  }

  /** A call was lost, and many may be: looks at once, unless it has only just looked. */
  suspect(): void {
    if (this.#environment.clock.monotonic() - this.#beatAt >= suspectIntervalMs) this.poke();
  }

  /** Others see that the node is leaving: nothing is claimed that one of them should own. */
  drain(): void {
    this.#draining = true;
    this.poke();
  }

  /** Nothing is claimed any more: the node is about to leave. */
  stopClaiming(): void {
    this.#mayClaim = false;
  }

  /** Ends the own lease, which frees every shard. */
  async leave(): Promise<void> {
    this.#stopped = true;
    this.#poke?.();
    for (const wake of this.#beats.splice(0)) wake();
    const { node, store } = this.#environment;
    if (this.#incarnation > 0) await store.endLease({ node, incarnation: this.#incarnation });
    // The process must not end before what it may still be admitted as has ended, too.
    await this.#joining;
  }

  #join(): Promise<void> {
    const joined = this.#enter();
    this.#joining = joined.catch(() => {});
    return joined;
  }

  async #enter(): Promise<void> {
    const { node, store, lease, limits } = this.#environment;
    const sentAt = lease.now();
    const { incarnation, view } = await store.join({ node, address: this.#address, hosts: this.#hosts });
    // Others would wait for this lease to run out: nobody is there to renew it.
    if (this.#stopped) return void (await store.endLease({ node, incarnation }));
    this.#incarnation = incarnation;
    this.#heartbeatWorstMs = 0;
    this.#expiry = new Expiry(incarnation, limits);
    this.#events.joined(incarnation);
    this.#apply(view);
    lease.renewed(sentAt);
  }

  async #run(): Promise<void> {
    while (!this.#stopped) {
      await this.#pause();
      if (this.#stopped) return;
      const waiting = this.#beats.splice(0);
      try {
        await this.#beat();
      } catch (error) {
        this.#environment.log.warn("a heartbeat failed", { error });
      }
      for (const wake of waiting) wake();
    }
  }

  async #pause(): Promise<void> {
    if (!this.#poked) {
      await new Promise<void>((resolve) => {
        const timer = this.#environment.clock.setTimer(this.#untilNextBeatMs(), resolve);
        this.#poke = () => {
          timer.cancel();
          resolve();
        };
      });
      this.#poke = null;
    }
    this.#poked = false;
  }

  /**
   * Nobody serves what a node had that is gone: a lease that runs out before the next heartbeat is due is looked at
   * as soon as it has. One that has run out already was claimed, or could not be.
   */
  #untilNextBeatMs(): number {
    const intervalMs = this.#environment.limits.leaseTtlMs / heartbeatsPerTtl;
    const { soonestMs } = this.#expiry;
    return soonestMs > 0 ? Math.min(intervalMs, soonestMs + 1) : intervalMs;
  }

  async #beat(): Promise<void> {
    const { store, lease, clock } = this.#environment;
    const sentAt = lease.now();
    this.#beatAt = sentAt.monotonic;
    const result = await store.renew({
      incarnation: this.#incarnation,
      draining: this.#draining,
      knownRevision: this.view.revision,
    });
    const answeredAt = clock.monotonic();
    this.#heartbeatWorstMs = Math.max(this.#heartbeatWorstMs, answeredAt - sentAt.monotonic);
    if (this.#stopped) return;
    if (result.status === "ended") return this.#rejoin();
    // The view counts before the renewal does.
    if (result.view !== undefined) this.#apply(result.view);
    const { renewals } = result;
    this.#expiry.observe({ sentAt: sentAt.monotonic, answeredAt, renewals });
    lease.renewed(sentAt);
    await this.#claim();
  }

  async #rejoin(): Promise<void> {
    mark("joined again");
    this.#environment.log.warn("this node's lease was ended by another: it drops everything and joins again");
    this.#environment.lease.ended();
    this.#events.ended();
    const { node, store } = this.#environment;
    try {
      // A store that goes on as another one keeps the lease until it has run out, unless its holder has let go of it.
      await store.endLease({ node, incarnation: this.#incarnation });
      if (this.#stopped) return;
      await this.#join();
    } catch (error) {
      if (error instanceof SynodError && error.code === "failed_precondition") this.#events.refused(error);
      throw error;
    }
    this.poke();
  }

  async #claim(): Promise<void> {
    if (!this.#mayClaim) return;
    const request = this.#claimRequest();
    if (request.shards.length === 0 && request.expired.length === 0) return;
    const result = await this.#environment.store.claim(request);
    if (this.#stopped) return;
    if (result.status === "ended") return this.#rejoin();
    // Whatever this node owned of these was dropped before: only shards without an epoch are asked for.
    this.#shards.own(result.claimed);
    this.#events.claimed(result.claimed.map(({ shard }) => shard));
    this.#apply(result.view);
    for (const { incarnation } of request.expired) {
      // Its owner may have renewed it at the last moment: then the store has left it alone.
      if (this.member(incarnation) !== undefined) {
        mark("lease renewed at the last moment");
        continue;
      }
      mark("lease ended by this node");
      this.#environment.log.info(`the lease of incarnation ${incarnation} has run out and was ended`);
    }
    if (request.expired.length > 0) this.#events.endedLeases();
  }

  #claimRequest(): ClaimRequest {
    const incarnation = this.#incarnation;
    const expired = this.#expiry.expired();
    const free = shardsToClaim(this.view, incarnation, new Set(expired.map((lease) => lease.incarnation)));
    const dropped = shardsToReclaim(this.view, incarnation, (shard) => this.#owns(shard));
    if (dropped.length > 0) mark("lost shard claimed again");
    const shards = [...free, ...dropped].filter((shard) => this.#table.isBelievable(shard));
    return { incarnation, expired, shards };
  }

  #owns(shard: ShardId): boolean {
    return this.#shards.find(shard)?.owned ?? false;
  }

  #apply(view: View): void {
    const backwards = this.#table.apply(view);
    for (const shard of backwards) {
      const name = `${shard.service}/${shard.number}`;
      this.#environment.log.error(
        `the store shows an older epoch of shard ${name} than was seen before: it has lost commits`,
      );
    }
    this.#sayDifferences(view);
    this.#events.changed(view);
  }

  /** Said once per member: during an upgrade it is expected, otherwise somebody started the wrong file. */
  #sayDifferences({ members }: View): void {
    for (const member of members) {
      if (!this.#isOther(member) || this.#compared.has(member.incarnation)) continue;
      this.#compared.add(member.incarnation);
      const here = namesOf(this.#hosts);
      const there = namesOf(member.hosts);
      if (here === there) continue;
      const message = `${member.node} runs another system file than this node: calls go to nodes that host what is called`;
      this.#environment.log.warn(message, { here, there });
    }
    for (const incarnation of this.#compared)
      if (this.member(incarnation) === undefined) this.#compared.delete(incarnation);
  }

  /** On a start of several nodes at once, each takes its own part instead of all and giving most of it away. */
  async #awaitExpectedMembers(): Promise<void> {
    const { clock, limits } = this.#environment;
    const until = clock.monotonic() + limits.expectedMembersWaitMs;
    while (!this.#stopped && this.view.members.length < this.#expectedMembers && clock.monotonic() < until) {
      await new Promise<void>((resolve) => clock.setTimer(memberPollMs, resolve));
      await this.#beat();
    }
  }

  /** Two processes under one node name would take each other's place again and again. */
  #refuseDouble(): void {
    const { node } = this.#environment;
    const double = this.view.members.find(
      (member) => member.node === node && this.#isOther(member) && this.#expiry.hasRenewed(member.incarnation),
    );
    if (double === undefined) return;
    throw new SynodError("failed_precondition", `another process runs as ${node} on this store, and is alive`);
  }

  /** Where nobody alive knows the state of a shard, waiting for its owner would have no end. */
  #refuseNewerState(): void {
    for (const ownership of this.view.shards) {
      const { service } = ownership.shard;
      const hosted = this.#hosts.find((host) => host.service === service);
      if (hosted === undefined || hosted.stateVersion === null) continue;
      if (hosted.stateVersion >= ownership.stateVersion) continue;
      if (placeShard(ownership, this.view.members) !== undefined) continue;
      throw new SynodError(
        "failed_precondition",
        `the state of ${service} in this store has version ${ownership.stateVersion}, this code knows ${hosted.stateVersion}: run the newer code`,
      );
    }
  }

  #everyShardServed(): boolean {
    const alive = new Set(this.view.members.map((member) => member.incarnation));
    return this.view.shards.every(({ shard, owner }) => {
      if (this.#shards.find(shard) === undefined) return true;
      if (owner === this.#incarnation) return this.#owns(shard);
      return owner !== null && alive.has(owner) && this.#expiry.hasRenewed(owner);
    });
  }

  #isOther(member: Member): boolean {
    return member.incarnation !== this.#incarnation;
  }

  #sayWhatFor(): void {
    const { clock, log } = this.#environment;
    if (clock.monotonic() - this.#lastPatienceLog < patienceLogIntervalMs) return;
    this.#lastPatienceLog = clock.monotonic();
    for (const member of this.view.members) {
      if (!this.#isOther(member) || this.#expiry.hasRenewed(member.incarnation)) continue;
      const seconds = (Math.max(0, this.#expiry.remainingMs(member.incarnation)) / 1_000).toFixed(1);
      log.info(`waiting for the lease of ${member.node} (did it crash?) to run out: ${seconds} s`);
    }
  }
}

function namesOf(hosts: readonly HostedService[]): string {
  const names = hosts.map(({ service, stateVersion }) =>
    stateVersion === null ? service : `${service}@${stateVersion}`,
  );
  return names.toSorted().join(", ");
}
