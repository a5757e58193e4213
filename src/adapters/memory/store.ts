/**
 * The store port in memory: a real adapter that keeps the whole contract but durability beyond the process.
 * It is the model by which other stores are tested, and what simulation wraps.
 *
 * Requests are copied when they are made, applied later, one at a time, and answered after that: nothing
 * happens inside the caller's own turn, and no object is shared with the caller.
 */
import { SynodError } from "../../errors.ts";
import type { Store } from "../../ports/store.ts";
import { commit, read, trim } from "./changes.ts";
import type { MemoryDatabase } from "./database.ts";
import { claim, endLease, join, release, renew, view } from "./membership.ts";

export { createMemoryDatabase } from "./database.ts";

/** Opens a connection. Any number of them may be open on one database. */
export function openMemoryStore(database: MemoryDatabase): Store {
  let closed = false;

  const ask = async <Request, Answer>(
    apply: (database: MemoryDatabase, request: Request) => Answer,
    request: Request,
  ): Promise<Answer> => {
    if (closed) throw new SynodError("failed_precondition", "the connection to the store is closed");
    const copy = structuredClone(request);
    await null;
    return apply(database, copy);
  };

  return {
    identity: { ...database.identity, secret: database.identity.secret.slice() },
    join: (request) => ask(join, request),
    renew: (request) => ask(renew, request),
    claim: (request) => ask(claim, request),
    release: (request) => ask(release, request),
    endLease: (request) => ask(endLease, request),
    view: () => ask(view, undefined),
    read: (reads) => ask(read, reads),
    commit: (batch) => ask(commit, batch),
    trim: (request) => ask(trim, request),
    close: async () => {
      closed = true;
    },
  };
}
