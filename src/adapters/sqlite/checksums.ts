/** The checksums of rows: written with them, and compared when they are read again. */
import type { CallRecord, EntityRow } from "../../ports/store.ts";
import { checksum } from "../../values/hash.ts";

export function entityChecksum(service: string, key: string, { version, stateVersion, state }: EntityRow): number {
  return checksum(service, key, version, stateVersion, state);
}

export function recordChecksum(service: string, { id, inputHash, reply, finishedAt, keyTime }: CallRecord): number {
  return checksum(service, id, inputHash, reply, finishedAt ?? "", keyTime ?? "");
}
