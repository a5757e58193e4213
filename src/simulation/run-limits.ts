/** The bounds of the nodes of a run: small ones, so that they are reached within its minute. */
import type { NodeLimits } from "../runtime/limits.ts";
import { createPrng } from "../values/prng.ts";
import { chance } from "./world/world.ts";

/** Many outages last longer than this window. */
export const forgetful: Partial<NodeLimits> = {
  retentionMs: 4_000,
  timedRecordAgeMinMs: 2_000,
  timedRecordsPerShardMax: 20,
  trimIntervalMs: 500,
};

/** Bounds that are reached in a run of a minute: in some seeds memory is scarce, in some everything is soon forgotten. */
export function drawLimits(seed: number): Partial<NodeLimits> {
  const prng = createPrng(seed ^ 0x5eed);
  return {
    ...(chance(prng, 0.3) && { entityMemoryBytesMax: 2_500 }),
    ...(chance(prng, 0.5) && { trimIntervalMs: 2_000 }),
    ...(chance(prng, 0.2) && { batchCommandsMax: 3 }),
    ...(chance(prng, 0.2) && forgetful),
    ...(chance(prng, 0.2) && { callsInFlightMax: 3, mailboxLengthMax: 2 }),
  };
}
