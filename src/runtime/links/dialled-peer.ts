/**
 * One other node as this one calls it: keeps a link to it, dials again after a failure, and counts what went
 * wrong. While a link is being made, calls wait in it; between attempts they fail at once and certainly did
 * not happen, so that the caller can go elsewhere or come back.
 */
import { createDialling, type Dialling, noteEnded, noteOpened } from "../../core/link/dialling.ts";
import type { LinkCause } from "../../core/link/messages.ts";
import { toSynodError } from "../../errors.ts";
import type { Timer } from "../../ports/clock.ts";
import type { LinkPeerIdentity, PendingCall } from "./calls.ts";
import { countClosed, type LinkEnvironment, linkConfig } from "./environment.ts";
import { Link, type LinkOwner } from "./link.ts";

/** A peer that cannot be reached for this long is mentioned; a node that has left is forgotten sooner, ms. */
const unreachableReportMs = 1_000;

/** Causes that no later attempt mends by itself. */
const configurationCauses: ReadonlySet<LinkCause> = new Set([
  "wrong-secret",
  "wrong-system",
  "wrong-version",
  "wrong-node",
  "same-node",
  "breach",
]);

export class DialledPeer {
  readonly identity: LinkPeerIdentity;
  readonly address: string;
  readonly dialling: Dialling = createDialling();
  readonly #environment: LinkEnvironment;
  readonly #incarnation: number;
  /** The one that takes calls, and those that finish theirs. */
  #link: Link | undefined;
  readonly #links: Set<Link> = new Set();
  #timer: Timer | undefined;
  #wanted = true;
  /** Since when there is no link, and what the log has said about it. */
  #unlinkedSince: number;
  #reported: LinkCause | undefined;
  #allClosed: (() => void) | undefined;

  /** `incarnation` is this node's own. */
  constructor(environment: LinkEnvironment, incarnation: number, identity: LinkPeerIdentity, address: string) {
    this.#environment = environment;
    this.#incarnation = incarnation;
    this.identity = identity;
    this.address = address;
    this.#unlinkedSince = environment.clock.monotonic();
    this.#dial();
  }

  /** Every link that is not closed yet. */
  get links(): Iterable<Link> {
    return this.#links;
  }

  /** Without a link nobody can do anything there, however little there is to do. */
  get load(): number {
    const session = this.#link?.session;
    if (session?.phase !== "open") return Number.POSITIVE_INFINITY;
    const { peerLoad, inFlightThen } = session.figures;
    return peerLoad + Math.max(0, session.inFlight.size - inFlightThen) + session.queue.length;
  }

  /** Sends the call, or fails it. */
  call(call: PendingCall): void {
    if (this.#link !== undefined) {
      this.#link.step({ kind: "call", call });
      return;
    }
    const message = `there is no link to node ${this.identity.node} (${this.dialling.lastCause})`;
    const waitMs = Math.max(0, this.dialling.waitUntil - this.#environment.clock.monotonic());
    call.fail({ code: "unavailable", sent: false, message }, Math.ceil(waitMs));
  }

  cancel(call: PendingCall): void {
    for (const link of this.#links) link.step({ kind: "cancel", call });
  }

  /** Nobody waits for the calls under way any more: they fail, and the links stay. */
  abandon(message: string): void {
    for (const link of this.#links) link.step({ kind: "abandon", message });
  }

  /** Takes no calls any more and dials no more; resolves when every link is closed. */
  drain(message: string): Promise<void> {
    return this.#leave(() => {
      for (const link of this.#links) link.step({ kind: "drain", message });
    });
  }

  close(message: string): Promise<void> {
    return this.#leave(() => {
      for (const link of this.#links) link.step({ kind: "close", cause: "stopped", message });
    });
  }

  async #leave(part: () => void): Promise<void> {
    this.#wanted = false;
    this.#timer?.cancel();
    const closed = new Promise<void>((resolve) => {
      const before = this.#allClosed;
      this.#allClosed = () => {
        before?.();
        resolve();
      };
    });
    part();
    if (this.#links.size === 0) this.#allClosed?.();
    await closed;
  }

  #dial(): void {
    this.#timer = undefined;
    this.dialling.dials++;
    const { network, clock, limits } = this.#environment;
    const config = linkConfig(this.#environment, "dialler", this.#incarnation, this.dialling.dials, this.identity);
    const link = new Link(config, clock, this.#owner);
    this.#link = link;
    this.#links.add(link);
    network.connect(this.address, limits.helloMs).then(
      (connection) => link.attach(connection),
      (error: unknown) => link.step({ kind: "gone", message: toSynodError(error).message }),
    );
  }

  readonly #owner: LinkOwner = {
    onOpened: () => this.#opened(),
    // The session delivers no calls to the side that dialled.
    onCall: () => Promise.reject(toSynodError("a call came to the dialler of its link")),
    load: () => this.#environment.load(),
    onClosing: (link, { cause, message }) => {
      if (this.#link === link) this.#link = undefined;
      this.#dialLater(cause, message);
    },
    onClosed: (link) => {
      countClosed(this.#environment, link);
      this.#links.delete(link);
      if (this.#links.size === 0) this.#allClosed?.();
    },
  };

  #opened(): void {
    noteOpened(this.dialling, this.#environment.clock.monotonic());
    const level = this.#reported === undefined ? "debug" : "info";
    this.#reported = undefined;
    this.#environment.log[level]("link opened", { peer: this.identity.node, address: this.address });
  }

  #dialLater(cause: LinkCause, message: string): void {
    if (!this.#wanted) return;
    const { clock, random, limits } = this.#environment;
    const now = clock.monotonic();
    const wasOpen = this.dialling.openedAt !== undefined;
    if (wasOpen) this.#unlinkedSince = now;
    const waitMs = noteEnded(this.dialling, cause, random.number(), now, limits) - now;
    this.#report(cause, message, wasOpen, now - this.#unlinkedSince);
    this.#timer = clock.setTimer(waitMs, () => this.#dial());
  }

  /** The first trouble and every change of it; that a node left in order, and is then not there, is none. */
  #report(cause: LinkCause, reason: string, wasOpen: boolean, unlinkedMs: number): void {
    const { log } = this.#environment;
    const fields = { peer: this.identity.node, address: this.address, cause, reason };
    const planned = cause === "stopped" || cause === "draining" || cause === "superseded";
    const lost = wasOpen && !planned;
    const lasting = configurationCauses.has(cause) || unlinkedMs >= unreachableReportMs;
    if (!lost && (!lasting || this.#reported === cause)) return log.debug("link closed", fields);
    if (!lost) this.#reported = cause;
    if (configurationCauses.has(cause)) log.warn("a peer refuses links, or is not who it should be", fields);
    else if (lost) log.info("link lost", fields);
    else log.info("a peer cannot be reached", fields);
  }
}
