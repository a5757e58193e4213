/** A node: one process of a system, from joining the membership to leaving it. */
import type { SynodError } from "../errors.ts";
import type { Clock } from "../ports/clock.ts";
import type { Gateway } from "../ports/gateway.ts";
import type { Log } from "../ports/log.ts";
import type { Random } from "../ports/random.ts";
import type { Store } from "../ports/store.ts";
import type { AnySystem } from "../service/model.ts";
import type { NodeLimits } from "./limits.ts";

export interface NodeOptions {
  /** Name of the node, unique in the system: `node-1`. */
  readonly node: string;
  readonly system: AnySystem;
  readonly store: Store;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
  readonly limits?: Partial<NodeLimits>;
  /** Called as soon as the store has admitted the node, so that a supervisor can end its lease. */
  readonly onJoined?: (incarnation: number) => void;
}

/** A node's own figures, for `synod status`. */
export interface NodeStatus {
  readonly node: string;
  readonly incarnation: number;
  readonly state: Gateway["state"];
  readonly shardsOwned: number;
  readonly entitiesInMemory: number;
  readonly memoryBytes: number;
  readonly callsInFlight: number;
  /** Since the start. */
  readonly commands: number;
  readonly queries: number;
  readonly commits: number;
  readonly commandsPerCommit: number;
}

/** One entity, for `synod inspect`. */
export interface EntityInspection {
  readonly service: string;
  readonly key: string;
  readonly shard: number;
  readonly owner: string | null;
  readonly epoch: number;
  readonly version: number;
  readonly stateVersion: number;
  /** The durable state; the initial state when `version` is 0. */
  readonly state: unknown;
  readonly active: boolean;
  readonly queued: number;
}

export interface RunningNode {
  readonly incarnation: number;
  readonly gateway: Gateway;
  status(): NodeStatus;
  inspect(service: string, key: string): Promise<EntityInspection>;
  /** Finishes what it accepted (for `drainMs` at the most), flushes, gives its shards up and leaves. */
  stop(drainMs: number): Promise<void>;
  /** Resolves when the node has stopped: with the reason when it had to. */
  readonly stopped: Promise<SynodError | undefined>;
}

// startNode(options: NodeOptions): Promise<RunningNode> follows (resolves when the node serves).
