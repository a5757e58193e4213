/**
 * Scenarios of membership and ownership: nodes that share a store, each with a lease of its own, a watch over the
 * leases of others, and the placement of shards. One service, `account`, of eight shards; TTL 2000, margin 200.
 *
 *     at 500                         sets the time, ms
 *     join n1 [version=1]            admits a node; `version` is the state version that its code writes
 *     beat n1 [took=30] [lost=yes]   one heartbeat: renew, watch, claim; `lost`: the answer does not arrive
 *     race n1 n2                     a heartbeat of n1; one of n2 reaches the store between its renewal and its claim
 *     drain n1                       from its next heartbeat on it claims nothing, and others see that
 *     release n1                     gives up all that it owns
 *     forget n1 3                    drops a shard after a commit of unknown outcome
 *     wrote n1 3 version=2           commits a state of that version in a shard
 *     died n1 [as=1]                 a supervisor saw its process die, of that incarnation
 *     slept n1 5000                  its machine was suspended for that long: the monotonic clock stood still
 *     wall n1 60000                  its wall clock jumped by that much
 *     show n1                        what it believes
 *     owners                         what the store says
 */
import { createMemoryDatabase, type MemoryDatabase } from "../../src/adapters/memory/database.ts";
import { claim, endLease, join, release, renew, shardRow, view } from "../../src/adapters/memory/membership.ts";
import { Expiry } from "../../src/core/membership/expiry.ts";
import { type Instant, Lease } from "../../src/core/membership/lease.ts";
import { shardsToClaim, shardsToReclaim } from "../../src/core/ownership/placement.ts";
import type { ShardId, View } from "../../src/ports/store.ts";
import { type Command, type Interpreter, scenarios } from "./interpreter.ts";

const options = { leaseTtlMs: 2_000, leaseMarginMs: 200 };
const service = "account";
const shardsPerService = 8;

interface Node {
  readonly name: string;
  readonly version: number;
  readonly lease: Lease;
  expiry: Expiry;
  incarnation: number;
  view: View;
  draining: boolean;
  /** Epochs of the shards that it serves, by number. */
  readonly served: Map<number, number>;
  sleptMs: number;
  wallAheadMs: number;
}

scenarios(new URL("./membership/", import.meta.url), systemInterpreter);
scenarios(new URL("./ownership/", import.meta.url), systemInterpreter);

function systemInterpreter(): Interpreter {
  const system = new System();
  return (command) => {
    switch (command.word(0)) {
      case "at":
        system.now = Number(command.word(1));
        return [];
      case "join":
        return system.join(command.word(1), command.number("version", 1));
      case "owners":
        return system.owners();
      default:
        return nodeCommand(system, command);
    }
  };
}

function nodeCommand(system: System, command: Command): string[] {
  const node = system.node(command.word(1));
  const argument = (): number => Number(command.word(2));
  switch (command.word(0)) {
    case "beat":
      return system.beat(node, command.number("took", 0), command.option("lost") === "yes");
    case "race":
      return system.beat(node, 0, false, () => system.beat(system.node(command.word(2)), 0, false));
    case "drain":
      node.draining = true;
      return [];
    case "release":
      return system.release(node);
    case "forget":
      node.served.delete(argument());
      return [];
    case "wrote":
      return system.wrote(node, argument(), command.number("version"));
    case "died":
      return system.died(node, command.number("as", node.incarnation));
    case "slept":
      node.sleptMs += argument();
      return [];
    case "wall":
      node.wallAheadMs += argument();
      return [];
    case "show":
      return system.show(node);
    default:
      throw command.error(`there is no command ${command.word(0)}`);
  }
}

class System {
  now = 0;
  readonly #database: MemoryDatabase = createMemoryDatabase({ system: "bank", shardsPerService });
  readonly #nodes = new Map<string, Node>();

  node(name: string): Node {
    const node = this.#nodes.get(name);
    if (node === undefined) throw new Error(`there is no node ${name}`);
    return node;
  }

  join(name: string, version: number): string[] {
    const node: Node = {
      name,
      version,
      lease: new Lease(options),
      expiry: new Expiry(0, options),
      incarnation: 0,
      view: { revision: 0, members: [], shards: [] },
      draining: false,
      served: new Map(),
      sleptMs: 0,
      wallAheadMs: 0,
    };
    this.#nodes.set(name, node);
    return this.#join(node);
  }

  #join(node: Node): string[] {
    const hosts = [{ service, stateVersion: node.version }];
    const joined = join(this.#database, { node: node.name, address: null, hosts });
    node.incarnation = joined.incarnation;
    node.view = joined.view;
    node.expiry = new Expiry(joined.incarnation, options);
    node.lease.renewed(this.#clocks(node));
    return [`${node.name}: joined as ${node.incarnation}, ${this.#lease(node)}`];
  }

  /** The loop of a heartbeat, as `src/core/README.md` has it. The store acts when the message is sent. */
  beat(node: Node, tookMs: number, lost: boolean, beforeClaim: () => string[] = () => []): string[] {
    const { incarnation, draining } = node;
    const sentAt = this.#clocks(node);
    const result = renew(this.#database, { incarnation, draining, knownRevision: node.view.revision });
    if (lost) return [];
    this.now += tookMs;
    if (result.status === "ended") return this.#ended(node);
    if (result.view !== undefined) node.view = result.view;
    const answeredAt = this.#clocks(node).monotonic;
    node.expiry.observe({ sentAt: sentAt.monotonic, answeredAt, renewals: result.renewals });
    node.lease.renewed(sentAt);
    return [`${node.name}: renewed, ${this.#lease(node)}`, ...this.#claim(node, beforeClaim)];
  }

  #claim(node: Node, beforeClaim: () => string[]): string[] {
    const { incarnation } = node;
    const expired = node.expiry.expired();
    const placed = shardsToClaim(node.view, incarnation, new Set(expired.map((lease) => lease.incarnation)));
    const dropped = shardsToReclaim(node.view, incarnation, (shard) => node.served.has(shard.number));
    const shards = [...placed, ...dropped];
    if (shards.length === 0 && expired.length === 0) return [];
    const meanwhile = beforeClaim();
    const result = claim(this.#database, { incarnation, shards, expired });
    if (result.status === "ended") return [...meanwhile, ...this.#ended(node)];
    node.view = result.view;
    for (const { shard, epoch } of result.claimed) node.served.set(shard.number, epoch);
    const live = new Set(result.view.members.map((member) => member.incarnation));
    const ended = expired.filter((lease) => !live.has(lease.incarnation));
    const claimed = result.claimed.map(({ shard, epoch }) => `${shard.number}@${epoch}`);
    return [
      ...meanwhile,
      ...ended.map((lease) => `${node.name}: ends the lease of ${lease.incarnation}`),
      ...(claimed.length === 0 ? [] : [`${node.name}: claims ${claimed.join(" ")}`]),
    ];
  }

  #ended(node: Node): string[] {
    node.lease.ended(this.#clocks(node));
    node.served.clear();
    return [`${node.name}: its lease was ended, it drops everything`, ...this.#join(node)];
  }

  release(node: Node): string[] {
    const shards = [...node.served].map(([number, epoch]) => ({ shard: { service, number }, epoch }));
    release(this.#database, { incarnation: node.incarnation, shards });
    node.served.clear();
    return [`${node.name}: released ${shards.length} shards`];
  }

  wrote(node: Node, number: number, version: number): string[] {
    const row = shardRow(this.#database, { service, number });
    if (row === undefined || row.owner !== node.incarnation) throw new Error(`${node.name} does not own ${number}`);
    row.stateVersion = version;
    this.#database.revision += 1;
    return [];
  }

  died(node: Node, incarnation: number): string[] {
    const { ended } = endLease(this.#database, { node: node.name, incarnation });
    return [`lease of ${incarnation} ${ended ? "ended" : "was over already"}`];
  }

  show(node: Node): string[] {
    const watched = node.view.members.filter((member) => member.incarnation !== node.incarnation);
    const watches = watched.map(({ incarnation }) => {
      const remainingMs = node.expiry.remainingMs(incarnation);
      const renewed = node.expiry.hasRenewed(incarnation) ? ", has renewed" : "";
      return `${node.name}: may end the lease of ${incarnation} after ${remainingMs} ms more${renewed}`;
    });
    const served = [...node.served].sort(([a], [b]) => a - b).map(([number, epoch]) => `${number}@${epoch}`);
    return [`${node.name}: ${this.#lease(node)}, serves ${served.join(" ") || "nothing"}`, ...watches];
  }

  owners(): string[] {
    const { members, shards } = view(this.#database);
    const ownedBy = (incarnation: number | null): string =>
      shards
        .filter(({ owner }) => owner === incarnation)
        .map(({ shard, epoch }: { shard: ShardId; epoch: number }) => `${shard.number}@${epoch}`)
        .join(" ") || "nothing";
    const owners = members.map(({ node, incarnation, draining }) => {
      return `${node} as ${incarnation}${draining ? ", draining" : ""}: ${ownedBy(incarnation)}`;
    });
    return [...owners, `nobody: ${ownedBy(null)}`];
  }

  #clocks(node: Node): Instant {
    return { monotonic: this.now - node.sleptMs, wall: this.now + node.wallAheadMs };
  }

  #lease(node: Node): string {
    const remainingMs = node.lease.remainingMs(this.#clocks(node));
    return remainingMs > 0 ? `lease until ${this.now + remainingMs}` : "no lease";
  }
}
