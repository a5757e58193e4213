/**
 * One owner (guarantee G1): no two accepted commits of a shard at one epoch come from different nodes, and
 * epochs never go back. Checked on what the store accepted, as it happens; and on what clients were told.
 */
import type { ShardId } from "../../ports/store.ts";
import type { Operation } from "../operations.ts";
import { withHighestBefore } from "./real-time.ts";
import { Findings, locate, type Verdict } from "./verdict.ts";

/** A commit that a store accepted. */
export interface AcceptedCommit {
  readonly shard: ShardId;
  readonly epoch: number;
  readonly node: string;
  /** Tells a node from the one of the same name before its restart. */
  readonly incarnation: number;
}

/** Follows the accepted commits of a store in their order; says at each one what is wrong with it. */
export class OwnershipTrace {
  readonly #last = new Map<string, AcceptedCommit>();

  /** Undefined when all is well. */
  accept(commit: AcceptedCommit): string | undefined {
    const shard = `${commit.shard.service}/${commit.shard.number}`;
    const last = this.#last.get(shard);
    if (last === undefined || commit.epoch > last.epoch) {
      this.#last.set(shard, commit);
      return undefined;
    }
    const same = commit.incarnation === last.incarnation;
    if (commit.epoch === last.epoch) {
      this.#last.set(shard, commit);
      if (same) return undefined;
      return `two owners: shard ${shard} accepted commits of ${describe(last)} and of ${describe(commit)} at epoch ${commit.epoch}`;
    }
    const name = same ? "a late commit" : "two owners";
    return `${name}: shard ${shard} accepted a commit of ${describe(commit)} at epoch ${commit.epoch} after one of ${describe(last)} at epoch ${last.epoch}`;
  }
}

function describe({ node, incarnation }: AcceptedCommit): string {
  return `${node} (incarnation ${incarnation})`;
}

/** The same by the node and epoch that replies carry: per key, and in real time. */
export function checkOwnersOfReplies(operations: readonly Operation[]): Verdict {
  const findings = new Findings();
  const told = operations.filter((operation) => operation.epoch !== undefined && operation.outcome === "ok");
  for (const [key, ofKey] of Map.groupBy(told, (operation) => operation.key)) checkKey(key, ofKey, findings);
  return findings.verdict("one owner at each epoch", told.length);
}

function checkKey(key: string | null, operations: readonly Operation[], findings: Findings): void {
  const report = (text: string) => findings.add(key, `key ${key}: ${text}`);
  const owners = new Map<number, Operation>();
  for (const operation of operations) {
    const owner = owners.get(operation.epoch!) ?? operation;
    owners.set(operation.epoch!, owner);
    if (owner.node === operation.node) continue;
    report(
      `${owner.node} and ${operation.node} replied at epoch ${owner.epoch}: ${locate(owner)}, ${locate(operation)}`,
    );
  }
  for (const [operation, before] of withHighestBefore(operations, operations, ({ epoch }) => epoch!)) {
    if (operation.epoch! >= before.epoch!) continue;
    report(`epoch ${operation.epoch} after ${before.epoch}: ${locate(before)}, ${locate(operation)}`);
  }
}
