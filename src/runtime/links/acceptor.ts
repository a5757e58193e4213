/**
 * The links that other nodes dialled: takes connections, lets strangers in up to a bound, keeps the newest
 * link of every incarnation, and hands their calls to the runtime.
 */
import { type Admission, admit, arrive, createAdmission, leave } from "../../core/link/admission.ts";
import type { LinkCause } from "../../core/link/messages.ts";
import type { Connection, Listener } from "../../ports/network.ts";
import { countClosed, type LinkEnvironment, linkConfig } from "./environment.ts";
import { Link, type LinkOwner } from "./link.ts";

export class Acceptor {
  readonly #environment: LinkEnvironment;
  readonly #admission: Admission = createAdmission();
  /** In the order of their numbers, which count connections. */
  readonly #links: Map<number, Link> = new Map();
  #connections = 0;
  #listener: Listener | undefined;
  /** This node's own; undefined until the store has admitted it. */
  #incarnation: number | undefined;
  #draining = false;
  #allClosed: (() => void) | undefined;

  constructor(environment: LinkEnvironment) {
    this.#environment = environment;
  }

  get links(): Iterable<Link> {
    return this.#links.values();
  }

  /** Returns the address with the port that was chosen. */
  async listen(address: string): Promise<string> {
    this.#listener = await this.#environment.network.listen(address, (connection) => this.#accept(connection));
    return this.#listener.address;
  }

  /** From now on this node is this incarnation; links that were made as another one are closed. */
  identify(incarnation: number): void {
    this.#incarnation = incarnation;
    for (const link of this.#links.values()) {
      link.step({ kind: "close", cause: "stopped", message: `the node is incarnation ${incarnation} now` });
    }
  }

  /** Takes no more calls; resolves when the accepted ones are answered and every link is closed. */
  async drain(message: string): Promise<void> {
    this.#draining = true;
    const closed = this.#closed();
    for (const link of this.#links.values()) link.step({ kind: "drain", message });
    await closed;
  }

  async close(message: string): Promise<void> {
    this.#draining = true;
    await this.#listener?.close();
    const closed = this.#closed();
    for (const link of this.#links.values()) link.step({ kind: "close", cause: "stopped", message });
    await closed;
  }

  async #closed(): Promise<void> {
    if (this.#links.size === 0) return;
    await new Promise<void>((resolve) => {
      const before = this.#allClosed;
      this.#allClosed = () => {
        before?.();
        resolve();
      };
    });
  }

  #accept(connection: Connection): void {
    this.#connections++;
    const number = this.#connections;
    const { log, limits, clock } = this.#environment;
    if (!arrive(this.#admission, number, limits.halfOpenMax)) {
      log.warn("link refused", { remote: connection.remote, cause: "crowded", halfOpen: limits.halfOpenMax });
      connection.start({ onData: ignore, onDrain: ignore, onEnd: ignore, onClose: ignore });
      connection.destroy("too many connections have not proved who they are");
      return;
    }
    const config = linkConfig(this.#environment, "acceptor", this.#incarnation ?? 0, 0);
    const link = new Link(config, clock, this.#ownerOf(number, connection.remote));
    this.#links.set(number, link);
    link.attach(connection);
    if (this.#incarnation === undefined) {
      link.step({ kind: "close", cause: "starting", message: "the node is not a member yet" });
    } else if (this.#draining) {
      link.step({ kind: "close", cause: "draining", message: "the node takes no new links" });
    }
  }

  #ownerOf(number: number, remote: string): LinkOwner {
    const { log, onCall, load } = this.#environment;
    let incarnation: number | undefined;
    return {
      onCall,
      load,
      onOpened: (link, peer) => {
        const verdict = admit(this.#admission, number, peer);
        if (!verdict.admitted) {
          link.step({ kind: "close", cause: verdict.cause, message: verdict.message });
          return;
        }
        incarnation = peer.incarnation;
        if (verdict.replaces === undefined) return;
        const message = `a newer link of node ${peer.node} (incarnation ${peer.incarnation}) took its place`;
        this.#links.get(verdict.replaces)?.step({ kind: "close", cause: "superseded", message });
      },
      onClosing: (link, { cause, message, planned }) => {
        const peer = link.peer?.node ?? "unknown";
        const level = planned || quietCauses.has(cause) ? "debug" : "warn";
        log[level]("link from a peer closed", { peer, remote, cause, reason: message });
      },
      onClosed: (link) => {
        countClosed(this.#environment, link);
        leave(this.#admission, number, incarnation);
        this.#links.delete(number);
        if (this.#links.size === 0) this.#allClosed?.();
      },
    };
  }
}

/** Who dialled says what there is to say about these, or nothing is wrong at all. */
const quietCauses: ReadonlySet<LinkCause> = new Set(["lost", "stopped", "draining", "superseded", "stale", "starting"]);

function ignore(): void {}
