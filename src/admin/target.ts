/** What the admin API tells and does, whoever runs the system. */
import type { AvailabilityReport } from "../availability/report.ts";
import type { FaultOrder } from "../drill/fault.ts";
import type { GatewayCall, GatewayReply } from "../ports/gateway.ts";
import type { OperationFigures, ProcessFigures, Traffic } from "../ports/meters.ts";
import type { LinkStatistics } from "../runtime/links/statistics.ts";
import type { EntityInspection, MemberStatus, NodeStatus } from "../runtime/node.ts";
import type { WorkAction } from "../runtime/operators.ts";
import type { TimerReport, WorkBox, WorkDetails, WorkPage, WorkQuery, WorkReport } from "../runtime/pending-work.ts";

export type {
  LinkStatistics,
  MemberStatus,
  TimerReport,
  WorkAction,
  WorkBox,
  WorkDetails,
  WorkPage,
  WorkQuery,
  WorkReport,
};

/** One node of a running system. */
export interface NodeReport {
  readonly id: string;
  readonly pid?: number | undefined;
  /** Where other nodes reach it; null for a node alone. */
  readonly address: string | null;
  /** `member`: one that lives somewhere else, as those that answer see it. */
  readonly state: string;
  readonly incarnation?: number | undefined;
  readonly restarts: number;
  /** The node's own figures; absent when it does not answer. */
  readonly status?: NodeStatus | undefined;
}

/** A running system. */
export interface SystemReport {
  readonly system: string;
  /** Store URL. */
  readonly store: string;
  /** Where its HTTP adapter answers; null without one. */
  readonly http: string | null;
  /** Null where each node is a process on its own (`synod node`). */
  readonly supervisorPid: number | null;
  /** Whether faults may be injected into its nodes. */
  readonly drills: boolean;
  readonly services: readonly ServiceReport[];
  readonly nodes: readonly NodeReport[];
}

export interface ServiceReport {
  readonly name: string;
  readonly keyed: boolean;
  readonly operations: readonly string[];
}

/** One entity. */
export type EntityReport = EntityInspection;

/** What one node has done since its process started, and what it consumes. */
export interface NodeMeters {
  readonly node: string;
  readonly operations: readonly OperationFigures[];
  readonly process: ProcessFigures;
  /** All that crossed its links and its adapters' connections. */
  readonly network: Traffic;
  readonly status: NodeStatus;
}

export interface AdminTarget {
  /** What was promised of the availability, and what was seen; rejects when nothing was promised. */
  availability(): Promise<AvailabilityReport>;
  report(): Promise<SystemReport>;
  /** Of all nodes that answer. */
  meters(): Promise<readonly NodeMeters[]>;
  inspect(service: string, key: string): Promise<EntityReport>;
  call(call: Omit<GatewayCall, "signal">): Promise<GatewayReply>;
  /** Durable commands and messages that are not finished. */
  work(query: WorkQuery): Promise<WorkPage>;
  workDetails(id: string): Promise<WorkDetails>;
  /** Has one of them tried again at once, with new attempts; or takes it out, whatever it has done. */
  operate(id: string, action: WorkAction): Promise<void>;
  /** Resolves when the node has handed everything over and its process has ended, or does so with the answer. */
  drain(node: string): Promise<void>;
  /** Resolves when the node serves again, in a new process. */
  restart(node: string): Promise<void>;
  /** Injects a fault into the system's own nodes; resolves when it has begun. Rejects where drills are not allowed. */
  strike(order: FaultOrder): Promise<void>;
}
