/**
 * What a node holds of everything that has a bound (guarantee G6). It is read many times a second by whoever watches
 * the bounds, so it leaves out what a status has besides.
 */
import type { Environment } from "./environment.ts";
import type { Shards } from "./shards.ts";

export interface NodeHoldings {
  /** Calls that came in from outside and are not answered. */
  readonly callsInFlight: number;
  /** Bytes of their inputs. */
  readonly inputBytes: number;
  /** Bytes of entities in memory. */
  readonly memoryBytes: number;
  /** Bytes of executed work that is not durable yet. */
  readonly undurableBytes: number;
  /** Commands that wait for the turn of the entity with the longest queue, and which that is; "" when none waits. */
  readonly mailboxLength: number;
  readonly mailboxOf: string;
}

export function holdingsOf(
  { counters, memory }: Environment,
  shards: Shards,
  { callsInFlight, inputBytes }: Pick<NodeHoldings, "callsInFlight" | "inputBytes">,
): NodeHoldings {
  let [mailboxLength, mailboxOf] = [0, ""];
  for (const shard of shards) {
    for (const { queued, name } of shard.activations.values()) {
      if (queued > mailboxLength) [mailboxLength, mailboxOf] = [queued, name];
    }
  }
  const { undurableBytes } = counters;
  return { callsInFlight, inputBytes, memoryBytes: memory.bytes, undurableBytes, mailboxLength, mailboxOf };
}
