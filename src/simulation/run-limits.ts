/** The bounds of the nodes of a run: small ones, so that they are reached within its minute. */
import { activationBytes } from "../runtime/entity-memory.ts";
import { defaultLimits, type NodeLimits } from "../runtime/limits.ts";
import { chance, createPrng } from "../values/prng.ts";

/** Many outages last longer than this window. */
export const forgetful: Partial<NodeLimits> = {
  retentionMs: 4_000,
  timedRecordAgeMinMs: 2_000,
  timedRecordsPerShardMax: 20,
  trimIntervalMs: 500,
};

/** What fails a few times is parked, and waits for an operator. */
export const impatient: Partial<NodeLimits> = {
  schedule: { ...defaultLimits.schedule, attemptsMax: 3 },
  deliveryAttemptsMax: 3,
};

/** Memory for two entities, and for half a dozen more that a chain of calls needs. */
const scarceMemory: Partial<NodeLimits> = {
  entityMemoryBytesMax: 2.4 * activationBytes,
  chainMemoryBytesMax: 7.2 * activationBytes,
};

/** Room for a change of one or two small entities. */
const littleUndurableBytes = 100;

/** Less than the systems of the campaigns set at one entity. */
const fewTimers = 2;

/** Bounds that are reached in a run of a minute: in some seeds memory is scarce, in some everything is soon forgotten. */
export function drawLimits(seed: number): Partial<NodeLimits> {
  const prng = createPrng(seed ^ 0x5eed);
  const limits: Partial<NodeLimits> = {
    ...(chance(prng, 0.3) && scarceMemory),
    ...(chance(prng, 0.5) && { trimIntervalMs: 2_000 }),
    ...(chance(prng, 0.2) && { batchCommandsMax: 3 }),
    ...(chance(prng, 0.2) && forgetful),
    ...(chance(prng, 0.2) && { callsInFlightMax: 3, mailboxLengthMax: 2 }),
    ...(chance(prng, 0.3) && impatient),
  };
  // Not where memory is scarce as well: chains of calls that are let in for their sake would be turned away in the middle.
  const mayBeLittle = chance(prng, 0.2) && limits.entityMemoryBytesMax === undefined;
  // Drawn last, so that seeds are otherwise what they were.
  const hasFewTimers = chance(prng, 0.2);
  return {
    ...limits,
    ...(mayBeLittle && { undurableBytesMax: littleUndurableBytes }),
    ...(hasFewTimers && { timersPerEntityMax: fewTimers }),
  };
}
