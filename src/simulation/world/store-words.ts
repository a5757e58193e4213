/** Requests to the store and its answers in words, for whoever looks at one run. */
import type {
  ClaimRequest,
  ClaimResult,
  CommitBatch,
  CommitResult,
  JoinRequest,
  Read,
  ShardId,
} from "../../ports/store.ts";
import type { StoreMethod } from "./store.ts";

/** Names that stand in a line; more are counted. */
const namesMax = 6;

/** `commit account/3 at epoch 4: a 12→13`. */
export function wordsOfRequest(method: StoreMethod, request: unknown): string {
  switch (method) {
    case "commit":
      return `commit ${commitWords(request as CommitBatch)}`;
    case "join":
      return `join as ${(request as JoinRequest).node}`;
    case "claim": {
      const { shards, expired } = request as ClaimRequest;
      const ending = expired.map(({ incarnation }) => incarnation);
      return `claim ${listed(shards.map(nameOf))}${ending.length === 0 ? "" : `, ending the lease of ${listed(ending)}`}`;
    }
    case "release": {
      const { shards } = request as { readonly shards: readonly { readonly shard: ShardId }[] };
      return `release ${listed(shards.map(({ shard }) => nameOf(shard)))}`;
    }
    case "endLease":
      return `end the lease of incarnation ${(request as { readonly incarnation: number }).incarnation}`;
    case "read":
      return `read ${listed((request as readonly Read[]).map(readWords))}`;
    default:
      return method;
  }
}

/** `committed`, `claimed account/3 at epoch 5`, `fenced`. */
export function wordsOfAnswer(method: StoreMethod, answer: unknown): string {
  if (method === "claim") {
    const result = answer as ClaimResult;
    if (result.status !== "claimed") return "the claimer's lease has ended";
    return `claimed ${listed(result.claimed.map(({ shard, epoch }) => `${nameOf(shard)} at epoch ${epoch}`))}`;
  }
  if (method === "join") return `joined as incarnation ${(answer as { readonly incarnation: number }).incarnation}`;
  if (method === "commit") return (answer as CommitResult).status;
  return (answer as { readonly status?: string } | undefined)?.status ?? `${method} done`;
}

/** Renewals, and looking at the view or the trims, go on all the time. */
export function isMinor(method: StoreMethod): boolean {
  return method === "renew" || method === "view" || method === "trim";
}

function commitWords({ shards }: CommitBatch): string {
  const parts = shards.map(({ shard, epoch, entities }) => {
    const changes = entities.map(({ key, expectedVersion, version }) => `${key} ${expectedVersion}→${version}`);
    return `${nameOf(shard)} at epoch ${epoch}${changes.length === 0 ? "" : `: ${listed(changes)}`}`;
  });
  return listed(parts, "; ");
}

function readWords(read: Read): string {
  return read.kind === "entity" ? `${nameOf(read.shard)} ${read.key}` : `a record of ${nameOf(read.shard)}`;
}

function nameOf({ service, number }: ShardId): string {
  return `${service}/${number}`;
}

function listed(names: readonly (string | number)[], between = ", "): string {
  if (names.length === 0) return "nothing";
  const shown = names.slice(0, namesMax).join(between);
  return names.length <= namesMax ? shown : `${shown} and ${names.length - namesMax} more`;
}
