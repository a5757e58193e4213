/**
 * What a server that was promoted holds of its primary. With synchronous standbys it has every commit that was
 * answered, and of those under way some. With asynchronous ones the end of the log may be missing; here never a commit
 * of state, which no store could give back, but what was said about members and owners since the last one: who joined,
 * what they claimed, how often they renewed. That is how an epoch or an incarnation goes backwards (rule S5).
 *
 * The first write on the new timeline begins anew, as the functions of the PostgreSQL adapter do: nobody writes under a
 * lease of before, and nothing that the old primary may have given out is given out again.
 */
import type { MemberRow, MemoryDatabase, ShardRow } from "../../adapters/memory/database.ts";
import type { Prng } from "../../values/prng.ts";
import type { StoreMethod } from "./store.ts";

/** By how much numbers are raised at least, and by chance once more at the most: the same as on PostgreSQL. */
const jumpOfATimeline = 2 ** 32;

/** Requests that change nothing but members and owners; everything else that writes is never lost. */
const ofOwnership: ReadonlySet<StoreMethod> = new Set(["join", "renew", "claim", "release", "endLease"]);

interface Ownership {
  readonly incarnations: number;
  readonly revision: number;
  readonly members: readonly MemberRow[];
  readonly owners: ReadonlyMap<ShardRow, { readonly owner: number | null; readonly epoch: number }>;
}

export class Standby {
  readonly #database: MemoryDatabase;
  /** Members and owners as they were after the last write that cannot be lost; null when nothing has changed since. */
  #confirmed: Ownership | null = null;

  constructor(database: MemoryDatabase) {
    this.#database = database;
  }

  /** Before a request is answered that writes. */
  follow(method: StoreMethod): void {
    if (ofOwnership.has(method)) this.#confirmed ??= ownershipOf(this.#database);
    else this.#confirmed = null;
  }

  /** The standby is the primary now. `lags`: it lacks the end of the log. */
  promote(prng: Prng, lags: boolean): void {
    if (lags && this.#confirmed !== null) restore(this.#database, this.#confirmed);
    this.#confirmed = null;
    this.beginAnew(jumpOfATimeline + prng.below(jumpOfATimeline));
  }

  beginAnew(jump: number): void {
    const database = this.#database;
    database.incarnations += jump;
    database.revision += jump;
    const members = [...database.members.values()];
    database.members.clear();
    for (const member of members) {
      const incarnation = member.incarnation + jump;
      database.members.set(incarnation, { ...member, incarnation, knownAs: member.knownAs ?? member.incarnation });
    }
    for (const row of rowsOf(database)) {
      if (row.owner !== null) row.owner += jump;
      row.epoch += jump;
      row.sessionNext += jump;
    }
  }
}

function ownershipOf(database: MemoryDatabase): Ownership {
  const { incarnations, revision } = database;
  const members = [...database.members.values()].map((member) => ({ ...member }));
  const owners = new Map(rowsOf(database).map((row) => [row, { owner: row.owner, epoch: row.epoch }]));
  return { incarnations, revision, members, owners };
}

function restore(database: MemoryDatabase, { incarnations, revision, members, owners }: Ownership): void {
  Object.assign(database, { incarnations, revision });
  database.members.clear();
  for (const member of members) database.members.set(member.incarnation, { ...member });
  // The shards of a service that joined since are new, and nobody owns them.
  for (const row of rowsOf(database)) Object.assign(row, owners.get(row) ?? { owner: null, epoch: 0 });
}

function rowsOf(database: MemoryDatabase): readonly ShardRow[] {
  return [...database.services.values()].flat();
}
