/** Whether somebody keeps the store locked, so that nobody else can write: what no other failure of a store may be taken for. */
import { LockedError } from "../adapters/sqlite/failures.ts";
import type { Store } from "../ports/store.ts";

/** A write that changes nothing: it waits for its turn like every other, and gives up when none comes. */
export async function isLocked(store: Pick<Store, "endLease">): Promise<boolean> {
  return await store.endLease({ node: "", incarnation: 0 }).then(
    () => false,
    (error: unknown) => error instanceof LockedError,
  );
}
