/** What the program that dies at every step commits. */
import type { CommitBatch } from "../../src/ports/store.ts";
import { sessionRecordId } from "../../src/values/ids.ts";

export const crashService = "account";
export const crashKeys = ["a", "b"];
const crashSession = "node";

/** Rows and records in two shards, all of one version; what is older is settled by a floor. */
export function crashBatch(version: number): CommitBatch {
  return {
    incarnation: 1,
    shards: [0, 1].map((number) => ({
      shard: { service: crashService, number },
      epoch: 1,
      entities: crashKeys.map((key, at) => ({
        key,
        expectedVersion: version - 1,
        version,
        stateVersion: version,
        state: JSON.stringify(version),
        records: [
          { id: `${key}-${version}`, inputHash: "", reply: "{}", finishedAt: 1, keyTime: version },
          { id: crashCall(version, at), inputHash: "", reply: "{}", finishedAt: null, keyTime: null },
        ],
        work: null,
      })),
      // The calls of the version before are settled.
      floors: [{ session: crashSession, floor: version * crashKeys.length, open: [] }],
      sessionNext: null,
      progress: null,
    })),
  };
}

/** The record of the call by which the session changed the key at that place to that version. */
export function crashCall(version: number, at: number): string {
  return sessionRecordId(crashSession, version * crashKeys.length + at);
}
