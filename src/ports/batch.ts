/**
 * The form of a commit batch, as code: what every store refuses for good, before it looks at its rows.
 *
 * A store that took such a batch would keep something other than what it was given (a lone surrogate becomes
 * U+FFFD in UTF-8, PostgreSQL knows no NUL), or would have to guess what was meant.
 */
import { SynodError } from "../errors.ts";
import { isSessionName } from "../values/ids.ts";
import { isCount, isText } from "./form.ts";
import {
  type CallRecord,
  type CommitBatch,
  compareShards,
  type EntityChange,
  type SessionFloor,
  type ShardChanges,
} from "./store.ts";
import { numbersFault, progressFault, workFault } from "./work-form.ts";

/** Why no store takes this batch, now or later; undefined when its form is right. */
export function batchFault(batch: CommitBatch): SynodError | undefined {
  let before: ShardChanges | undefined;
  for (const changes of batch.shards) {
    if (before !== undefined && compareShards(before.shard, changes.shard) >= 0) {
      return refusal(changes, "does not stand in ascending order, once");
    }
    before = changes;
    const fault = shardFault(changes);
    if (fault !== undefined) return refusal(changes, fault);
  }
  return undefined;
}

function refusal({ shard }: ShardChanges, fault: string): SynodError {
  return new SynodError("invalid_argument", `no store takes this batch: ${shard.service}/${shard.number} ${fault}`);
}

function shardFault(changes: ShardChanges): string | undefined {
  if (!isText(changes.shard.service)) return "has a name with NUL or a lone surrogate";
  const keys = new Set<string>();
  const ids = new Set<string>();
  let records = 0;
  for (const entity of changes.entities) {
    const fault = entityFault(entity) ?? (entity.work === null ? undefined : workFault(entity.key, entity.work));
    if (fault !== undefined) return `${fault}, key ${JSON.stringify(entity.key)}`;
    keys.add(entity.key);
    for (const record of entity.records) {
      const fault = recordFault(record);
      if (fault !== undefined) return `${fault}, key ${JSON.stringify(entity.key)}`;
      ids.add(record.id);
      records++;
    }
  }
  const floorFault = changes.floors.map(floorFaultOf).find((fault) => fault !== undefined);
  if (floorFault !== undefined) return floorFault;
  const sessions = new Set(changes.floors.map(({ session }) => session));
  if (sessions.size !== changes.floors.length) return "names a session twice";
  if (keys.size !== changes.entities.length) return "names a key twice";
  if (ids.size !== records) return "records an id twice";
  if (changes.sessionNext !== null && !isCount(changes.sessionNext)) return "has a sessionNext that is no count";
  return (changes.progress === null ? undefined : progressFault(changes.progress)) ?? numbersFault(changes);
}

function entityFault({ key, expectedVersion, version, stateVersion, state }: EntityChange): string | undefined {
  if (!isText(key) || (state !== null && !isText(state))) return "has text with NUL or a lone surrogate";
  if (!isCount(expectedVersion) || !isCount(version) || !isCount(stateVersion)) return "has a version that is no count";
  if (state === null ? version !== expectedVersion && version !== 0 : version <= expectedVersion) {
    return `cannot go from version ${expectedVersion} to ${version} ${state === null ? "without" : "with"} a state`;
  }
  return undefined;
}

function recordFault({ id, inputHash, reply, finishedAt, keyTime }: CallRecord): string | undefined {
  if (!isText(id) || !isText(inputHash) || !isText(reply)) return "has a record with NUL or a lone surrogate";
  if (finishedAt === null && keyTime !== null) return "has a timed record without finishedAt";
  if (finishedAt !== null && !Number.isSafeInteger(finishedAt))
    return "has a record whose finishedAt is no whole number of ms";
  if (keyTime !== null && !Number.isSafeInteger(keyTime)) return "has a record whose keyTime is no whole number of ms";
  return undefined;
}

function floorFaultOf({ session, floor, open }: SessionFloor): string | undefined {
  if (!isSessionName(session)) return `has a session that cannot be called ${JSON.stringify(session)}`;
  const ascending = open.every((number, index) => isCount(number) && (index === 0 || open[index - 1]! < number));
  if (!isCount(floor) || !ascending || (open.at(-1) ?? -1) >= floor)
    return "has a floor with open numbers out of order";
  return undefined;
}
