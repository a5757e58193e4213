/**
 * The links of one node: how its runtime calls other nodes and is called by them.
 *
 *     const links = new Links({ system, node, secret, network, clock, random, log, onCall });
 *     const address = await links.listen("127.0.0.1:0");   // before joining: the member row needs it
 *     links.identify(incarnation);                         // once the store has admitted the node, or again
 *     links.connectTo(view.members);                       // at every change of the view
 *     const reply = await links.call(owner, { body, deadline, priority });
 *     await links.drain("…");                              // finish what is accepted
 *     await links.close("…");
 *
 * Nodes are named by their incarnation, as owners are in the view. `call` resolves with whatever the other
 * node answered, `moved` and errors included. It rejects with a `SynodError` if there is no answer; its
 * outcome is `not-happened` exactly when the call was not sent, or the peer said that it did not take it.
 * `onCall` gets the calls of other nodes; a rejection is answered as an error.
 *
 * There is one link per pair of nodes and direction of dialling: calls of this node go out on the links that
 * it dialled, calls of the others come in on those that it accepted.
 */
import { defaultLinkLimits, type LinkLimits } from "../../core/link/limits.ts";
import { SynodError } from "../../errors.ts";
import type { Clock } from "../../ports/clock.ts";
import type { Log } from "../../ports/log.ts";
import type { Traffic } from "../../ports/meters.ts";
import type { Network } from "../../ports/network.ts";
import type { Random } from "../../ports/random.ts";
import type { ReplyBody } from "../../wire/frames.ts";
import { protocolVersions, secretProver } from "../../wire/handshake.ts";
import { Acceptor } from "./acceptor.ts";
import { type InboundCall, type LinkRequest, PendingCall } from "./calls.ts";
import { DialledPeer } from "./dialled-peer.ts";
import type { LinkEnvironment } from "./environment.ts";
import { acceptedStatistics, dialledStatistics, type LinkStatistics } from "./statistics.ts";

export interface LinksOptions {
  readonly system: string;
  /** This node's id. */
  readonly node: string;
  /** Shared by all nodes of the system; 16 bytes or more. */
  readonly secret: Uint8Array;
  readonly network: Network;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
  readonly limits?: Partial<LinkLimits>;
  /** The protocol versions to speak, if not all that this code knows. */
  readonly versions?: { readonly min: number; readonly max: number };
  readonly onCall: (call: InboundCall) => ReplyBody | Promise<ReplyBody>;
  /** Calls that this node has under way or waiting, which other nodes are told. Default: none. */
  readonly load?: () => number;
}

/** A node that may be dialled: a member of the view. */
export interface LinkMember {
  readonly node: string;
  readonly incarnation: number;
  readonly address: string | null;
}

export class Links {
  readonly #environment: LinkEnvironment;
  readonly #acceptor: Acceptor;
  /** By the peer's incarnation. */
  readonly #peers: Map<number, DialledPeer> = new Map();
  /** Peers that are on their way out. */
  readonly #leaving: Set<Promise<void>> = new Set();
  #incarnation: number | undefined;

  constructor(options: LinksOptions) {
    const { secret, limits, versions, ...rest } = options;
    this.#environment = {
      load: () => 0,
      closedTraffic: { receivedBytes: 0, sentBytes: 0 },
      ...rest,
      limits: { ...defaultLinkLimits, ...limits },
      prover: secretProver(secret),
      versions: versions ?? protocolVersions,
    };
    this.#acceptor = new Acceptor(this.#environment);
  }

  /** Takes connections at an address of its own; returns it with the port that was chosen. */
  listen(address: string): Promise<string> {
    return this.#acceptor.listen(address);
  }

  /** Who this node is from now on. Links that were made as another incarnation are closed. */
  identify(incarnation: number): void {
    if (incarnation === this.#incarnation) return;
    this.#incarnation = incarnation;
    this.#acceptor.identify(incarnation);
    for (const peer of this.#peers.values()) this.#drop(peer, `the node is incarnation ${incarnation} now`);
  }

  /** Keeps links to exactly these nodes, this one left out. */
  connectTo(members: readonly LinkMember[]): void {
    const own = this.#incarnation;
    if (own === undefined) throw new SynodError("failed_precondition", "links need the node's incarnation first");
    const wanted = new Map(members.map((member) => [member.incarnation, member]));
    for (const [incarnation, peer] of this.#peers) {
      if (wanted.get(incarnation)?.address !== peer.address) {
        this.#drop(peer, `node ${peer.identity.node} (incarnation ${incarnation}) is not a member any more`);
      }
    }
    for (const { node, incarnation, address } of members) {
      if (incarnation === own || address === null || this.#peers.has(incarnation)) continue;
      this.#peers.set(incarnation, new DialledPeer(this.#environment, own, { node, incarnation }, address));
    }
  }

  /** Calls the node of this incarnation. */
  call(incarnation: number, request: LinkRequest): Promise<ReplyBody> {
    const peer = this.#peers.get(incarnation);
    if (peer === undefined) {
      return Promise.reject(new SynodError("unavailable", `no node with incarnation ${incarnation} is known here`));
    }
    let call: PendingCall;
    try {
      call = new PendingCall(request);
    } catch (error) {
      return Promise.reject(error);
    }
    const { signal } = request;
    if (signal?.aborted) {
      return Promise.reject(new SynodError("cancelled", "the caller gave up before the call was sent"));
    }
    if (signal !== undefined) call.watch(signal, () => peer.cancel(call));
    peer.call(call);
    return call.reply;
  }

  /** Fails the calls of this node that are under way, and tells those who have them; its links stay. */
  abandonCalls(message: string): void {
    for (const peer of this.#peers.values()) peer.abandon(message);
  }

  /** What the node of this incarnation has to do: as it last said, and what it was sent since. Infinite without a link. */
  loadOf(incarnation: number): number {
    return this.#peers.get(incarnation)?.load ?? Number.POSITIVE_INFINITY;
  }

  /** What crossed all links so far. */
  get traffic(): Traffic {
    let { receivedBytes, sentBytes } = this.#environment.closedTraffic;
    const dialled = Array.from(this.#peers.values(), ({ links }) => [...links]).flat();
    for (const link of [...dialled, ...this.#acceptor.links]) {
      receivedBytes += link.bytesReceived;
      sentBytes += link.bytesSent;
    }
    return { receivedBytes, sentBytes };
  }

  statistics(): readonly LinkStatistics[] {
    const dialled = Array.from(this.#peers.values(), dialledStatistics);
    return [...dialled, ...Array.from(this.#acceptor.links, acceptedStatistics)];
  }

  /** Takes no calls any more in either direction; resolves when those under way are finished. */
  async drain(message: string): Promise<void> {
    const dialled = Array.from(this.#peers.values(), (peer) => peer.drain(message));
    await Promise.all([...dialled, ...this.#leaving, this.#acceptor.drain(message)]);
  }

  /** Ends everything now; resolves when no connection and no timer is left. */
  async close(message: string): Promise<void> {
    const dialled = Array.from(this.#peers.values(), (peer) => peer.close(message));
    this.#peers.clear();
    await Promise.all([...dialled, ...this.#leaving, this.#acceptor.close(message)]);
  }

  #drop(peer: DialledPeer, message: string): void {
    this.#peers.delete(peer.identity.incarnation);
    const left = peer.close(message).finally(() => this.#leaving.delete(left));
    this.#leaving.add(left);
  }
}
