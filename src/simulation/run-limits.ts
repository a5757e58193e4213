/** The bounds of the nodes of a run: small ones, so that they are reached within its minute. */
import { defaultLimits, type NodeLimits } from "../runtime/limits.ts";
import type { AnyOperation, AnyService } from "../service/model.ts";
import { chance, createPrng } from "../values/prng.ts";

/** Many outages last longer than this window. */
export const forgetful: Partial<NodeLimits> = {
  retentionMs: 4_000,
  timedRecordAgeMinMs: 2_000,
  timedRecordsPerShardMax: 20,
  trimIntervalMs: 500,
};

/** What fails a few times is parked, and waits for an operator. */
const impatient: Partial<NodeLimits> = {
  schedule: { ...defaultLimits.schedule, attemptsMax: 3 },
  deliveryAttemptsMax: 3,
};

/** Memory for two entities, and for a few dozen. */
const scarceMemoryBytes = 2_500;
const tightMemoryBytes = 40_000;

/** Room for a change of one or two small entities. */
const littleUndurableBytes = 100;

/** Bounds that are reached in a run of a minute: in some seeds memory is scarce, in some everything is soon forgotten. */
export function drawLimits(seed: number, services: readonly AnyService[]): Partial<NodeLimits> {
  const prng = createPrng(seed ^ 0x5eed);
  // The entity of a durable command stays in memory until it is done, and so must find room for those it calls.
  const durable = services.some(({ interface: { operations } }) => Object.values(operations).some(isDurable));
  return {
    ...(chance(prng, 0.3) && { entityMemoryBytesMax: durable ? tightMemoryBytes : scarceMemoryBytes }),
    ...(chance(prng, 0.5) && { trimIntervalMs: 2_000 }),
    ...(chance(prng, 0.2) && { batchCommandsMax: 3 }),
    ...(chance(prng, 0.2) && forgetful),
    ...(chance(prng, 0.2) && { callsInFlightMax: 3, mailboxLengthMax: 2 }),
    ...(chance(prng, 0.3) && impatient),
    ...(chance(prng, 0.2) && { undurableBytesMax: littleUndurableBytes }),
  };
}

function isDurable(operation: AnyOperation): boolean {
  return operation.kind === "command" && operation.durable;
}
