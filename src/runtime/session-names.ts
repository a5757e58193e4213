/** What sessions are called: a node's by its incarnation, which ends, and a shard's by the shard, which does not. */
import type { ShardId } from "../ports/store.ts";

export function nodeSessionName(incarnation: number): string {
  return `n${incarnation}`;
}

/** No name of a service has a slash, so no shard's session is called like a node's. */
export function shardSessionName({ service, number }: ShardId): string {
  return `${service}/${number}`;
}

/** The incarnation whose session that is; null for a session of a shard. */
export function incarnationOf(session: string): number | null {
  return session.includes("/") ? null : Number(session.slice(1));
}
