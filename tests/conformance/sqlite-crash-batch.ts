/** What the program that dies at every step commits. */
import type { CommitBatch } from "../../src/ports/store.ts";

export const crashService = "account";
export const crashKeys = ["a", "b"];

/** Rows and records in two shards, all of one version. */
export function crashBatch(version: number): CommitBatch {
  return {
    incarnation: 1,
    shards: [0, 1].map((number) => ({
      shard: { service: crashService, number },
      epoch: 1,
      entities: crashKeys.map((key) => ({
        key,
        expectedVersion: version - 1,
        version,
        stateVersion: version,
        state: JSON.stringify(version),
        records: [{ id: `${key}-${version}`, inputHash: "", reply: "{}", finishedAt: 1, keyTime: version }],
      })),
    })),
  };
}
