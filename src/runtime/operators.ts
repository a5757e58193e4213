/**
 * What an operator does to pending work, at whatever node owns it: a durable command or a message is tried again, or
 * dropped. The log of the node that was asked keeps what was done, for of what is dropped nothing else is left.
 */
import { SynodError } from "../errors.ts";
import type { ShardId } from "../ports/store.ts";
import type { Activation } from "./activation.ts";
import type { Committer } from "./committer.ts";
import type { Environment } from "./environment.ts";
import { nameOfEntity } from "./invocation.ts";
import type { Membership } from "./membership.ts";
import type { PeerCalls } from "./peer-calls.ts";
import { type FoundWork, findWork, idOf, type WorkReport } from "./pending-work.ts";
import { toError } from "./replies.ts";
import type { Shard } from "./shard.ts";
import type { Shards } from "./shards.ts";

export type WorkAction = "retry" | "drop";

/** One durable command or message, and what is to be done with it. */
export interface WorkOperation {
  readonly kind: "item" | "message";
  readonly shard: ShardId;
  /** In the shard's session. */
  readonly number: number;
  readonly action: WorkAction;
}

export interface OperatorsOptions {
  readonly environment: Environment;
  readonly shards: Shards;
  readonly membership: Membership;
  readonly peers: PeerCalls;
  readonly committer: () => Committer;
  /** Undefined when there is no room in memory. */
  readonly activate: (shard: Shard, key: string) => Activation | undefined;
}

export class Operators {
  readonly #options: OperatorsOptions;

  constructor(options: OperatorsOptions) {
    this.#options = options;
  }

  /** By the id that lists of pending work give. */
  async operateOn(id: string, action: WorkAction): Promise<void> {
    const { environment } = this.#options;
    const found = await findWork(environment, id);
    const { box, shard, number } = found;
    await this.operate({ kind: box === "inbox" ? "item" : "message", shard, number, action });
    const level = action === "drop" ? "warn" : "info";
    environment.log[level](`an operator ${action === "drop" ? "dropped" : "retries"} ${inWords(found)}`, {
      id,
      ...factsOf(found.report),
    });
  }

  /** Here, if this node owns the shard, and else at its owner. */
  async operate(operation: WorkOperation): Promise<void> {
    const { shards, membership, peers } = this.#options;
    if (shards.find(operation.shard)?.admits) return this.operateHere(operation);
    const owner = membership.destination(operation.shard);
    if (owner === undefined || owner.incarnation === membership.incarnation) throw ownerMissing(operation.shard);
    const reply = await peers.operate(owner.incarnation, JSON.stringify(operation));
    if (!reply.ok) throw toError(reply.error);
  }

  async operateHere({ kind, shard: id, number, action }: WorkOperation): Promise<void> {
    const { environment, shards, activate } = this.#options;
    const shard = shards.find(id);
    if (!shard?.admits) throw ownerMissing(id);
    if (kind === "message") return shard.messages!.outbox.operate(number, action);
    const result = await environment.reader.read({ kind: "inbox", shard: id, after: number - 1, limit: 1 });
    if (result.kind === "corrupt") throw result.error;
    const { rows, damaged } = result.kind === "inbox" ? result.page : { rows: [], damaged: [] };
    if (damaged[0]?.at === number) return this.#operateOnDamaged(shard, number, action);
    const [item] = rows;
    if (item?.number !== number) {
      throw new SynodError(
        "not_found",
        `shard ${shard.sessionName} has no durable command ${number}: it may be finished`,
      );
    }
    const activation = shard.admits ? activate(shard, item.key) : undefined;
    if (activation === undefined) throw ownerMissing(id);
    // An entity that has only parked commands is idle: it would be put out of memory while this is written down.
    const letGo = activation.keep();
    try {
      await activation.loaded;
      if (activation.missed !== null) throw activation.missed;
      await activation.inbox.operate(number, action);
    } finally {
      letGo();
    }
  }

  /** Its entity cannot be loaded while the row is there, and nobody can tell which entity that is. */
  async #operateOnDamaged(shard: Shard, number: number, action: WorkAction): Promise<void> {
    if (action === "retry") {
      const message = `${idOf(shard.id, number)} does not match its checksum: it can only be dropped`;
      throw new SynodError("data_loss", message);
    }
    const write = { shard: shard.id, epoch: shard.epoch, itemsDropped: [number] };
    const { outcome, error } = await this.#options.committer().progress(write);
    if (outcome !== "durable") throw error ?? ownerMissing(shard.id);
    shard.session.settle(number);
  }
}

/** `the durable command transfer/t-1.start`, `the message account/alice.deposit of transfer/t-1`. */
function inWords({ report }: FoundWork): string {
  if (report === null) return "a row that does not match its checksum";
  const { service, key, operation, to } = report;
  const entity = nameOfEntity(service, key);
  if (to === null) return `the durable command ${entity}.${operation}`;
  return `the message ${nameOfEntity(to.service, to.key)}.${operation} of ${entity}`;
}

/** Whose it was, since when, and why it did not come to its end by itself. */
function factsOf(report: WorkReport | null): Readonly<Record<string, unknown>> {
  if (report === null) return {};
  const { principal, request, since, attempts, parked } = report;
  const reason = parked === null ? {} : { parked: `${parked.code}: ${parked.message}` };
  return { principal, request, since: new Date(since).toISOString(), attempts, ...reason };
}

function ownerMissing({ service, number }: ShardId): SynodError {
  return new SynodError("unavailable", `shard ${service}/${number} has no owner that can do it now`, {
    retryAfterMs: 1_000,
  });
}
