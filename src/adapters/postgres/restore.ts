/** Writing a snapshot into a store, in one transaction: afterwards the store is the snapshot's, or what it was. */
import { SynodError } from "../../errors.ts";
import type {
  RestoredFacts,
  RestoreOptions,
  SnapshotFacts,
  SnapshotKind,
  SnapshotRow,
  SnapshotShard,
} from "../../ports/snapshot.ts";
import { Connection } from "./connection.ts";
import type { PostgresLocation } from "./location.ts";
import { Primary } from "./primary.ts";
import { prepareToReplace } from "./schema.ts";
import { beginSession, type Session } from "./session.ts";

/** Rejects with one sentence, and leaves the store as it was, when it is not empty or the rows end with an error. */
export async function restorePostgres(
  location: PostgresLocation,
  facts: SnapshotFacts,
  rows: AsyncIterable<readonly SnapshotRow[]>,
  options: RestoreOptions,
): Promise<RestoredFacts> {
  const primary = new Primary(location, undefined);
  // Begun first, because it finds the newest primary for both of them; it sees what is committed meanwhile.
  const session = await beginSession(location, "BEGIN", primary);
  try {
    await prepare(primary, location, facts);
    await session.ask("SET LOCAL lock_timeout = '10s'");
    const begun = await begin(session, location, facts, options);
    const writer = new RowWriter(session, begun.epoch, options.jump);
    for await (const batch of rows) await writer.write(batch);
    await session.ask("COMMIT");
    return begun;
  } finally {
    // Without a COMMIT the server undoes all of it.
    await session.close();
  }
}

async function prepare(primary: Primary, location: PostgresLocation, facts: SnapshotFacts): Promise<void> {
  const connection = new Connection(primary, { role: "restore", name: location.name, log: undefined });
  try {
    await prepareToReplace(connection, location, facts);
  } finally {
    await connection.close();
  }
}

/** Empties the store and gives it the facts of the snapshot, with everything that counts raised above both. */
async function begin(
  session: Session,
  location: PostgresLocation,
  facts: SnapshotFacts,
  { overwrite, jump }: RestoreOptions,
): Promise<RestoredFacts> {
  await session.ask("SELECT 1 FROM meta FOR UPDATE");
  const [row] = await session.ask(
    `SELECT json_build_object('cluster', cluster, 'incarnations', incarnations, 'revision', revision,
       'epochMax', (SELECT coalesce(max(epoch), 0) FROM shards), 'entities', (SELECT count(*) FROM entities),
       'shards', (SELECT count(*) FROM shards)) AS now FROM meta`,
  );
  const now = row!.now as Record<"cluster" | "incarnations" | "revision" | "epochMax" | "entities" | "shards", number>;
  if (now.shards > 0 && !overwrite) {
    const where = `schema ${location.schema} of ${location.name}`;
    const advice = "restore into a new one, or say --overwrite to replace what is there";
    throw new SynodError(
      "failed_precondition",
      `${where} holds a store with ${now.entities === 1 ? "1 state" : `${now.entities} states`}: ${advice}`,
    );
  }
  await session.ask(
    "TRUNCATE members, witnesses, shards, entities, records, floors, inbox, journal, outbox, timers, timer_counts RESTART IDENTITY",
  );
  const cluster = Math.max(now.cluster, facts.cluster) + 1;
  const incarnations = Math.max(now.incarnations, facts.incarnations) + jump;
  const revision = Math.max(now.revision, facts.revision) + jump;
  await session.ask(
    `UPDATE meta SET cluster = $1, shards_per_service = $2, secret = decode($3, 'hex'), incarnations = $4,
       accepted_through = $4, revision = $5, lost = NULL`,
    [cluster, facts.shardsPerService, facts.secret, incarnations, revision],
  );
  return { cluster, epoch: Math.max(now.epochMax, facts.epochMax) + jump };
}

/** How rows of a kind, given as JSON in $1, go into a table under the shard $2. */
function insertion(
  table: string,
  columns: readonly (readonly [column: string, member: string, type: string])[],
): string {
  const names = columns.map(([column]) => column).join(", ");
  const members = columns.map(([, member]) => `"${member}"`).join(", ");
  const types = columns.map(([, member, type]) => `"${member}" ${type}`).join(", ");
  // Where places count the rows, they are to count them in their order.
  return `INSERT INTO ${table} (shard, ${names}) SELECT $2, ${members}
    FROM ROWS FROM (json_to_recordset($1::json) AS (${types})) WITH ORDINALITY AS given(${members}, ordinal) ORDER BY ordinal`;
}

const call = [
  ["principal", "principal", "text"],
  ["request", "request", "text"],
  ["traceparent", "traceparent", "text"],
] as const;

const insertions: Readonly<Record<Exclude<SnapshotKind, "shard" | "entity">, string>> = {
  floor: insertion("floors", [
    ["session", "session", "text"],
    ["floor", "floor", "bigint"],
    ["open", "open", "json"],
  ]),
  record: insertion("records", [
    ["id", "id", "text"],
    ["input_hash", "inputHash", "text"],
    ["reply", "reply", "text"],
    ["finished_at", "finishedAt", "bigint"],
    ["key_time", "keyTime", "bigint"],
    ["checksum", "checksum", "bigint"],
  ]),
  item: insertion("inbox", [
    ["number", "number", "bigint"],
    ["key", "key", "text"],
    ["operation", "operation", "text"],
    ["input", "input", "text"],
    ["id", "id", "text"],
    ["input_hash", "inputHash", "text"],
    ["key_time", "keyTime", "bigint"],
    ["call_session", "callSession", "text"],
    ["call_number", "callNumber", "bigint"],
    ...call,
    ["accepted_at", "acceptedAt", "bigint"],
    ["checksum", "checksum", "bigint"],
    ["attempts", "attempts", "bigint"],
    ["parked", "parked", "text"],
    ["holds_turn", "holdsTurn", "boolean"],
    ["progress_checksum", "progressChecksum", "bigint"],
  ]),
  entry: insertion("journal", [
    ["item", "item", "bigint"],
    ["id", "id", "text"],
    ["name", "name", "text"],
    ["input_hash", "inputHash", "text"],
    ["outcome", "outcome", "text"],
    ["checksum", "checksum", "bigint"],
  ]),
  message: insertion("outbox", [
    ["number", "number", "bigint"],
    ["key", "key", "text"],
    ["target_service", "service", "text"],
    ["target_key", "target", "text"],
    ["operation", "operation", "text"],
    ["input", "input", "text"],
    ...call,
    ["sent_at", "sentAt", "bigint"],
    ["checksum", "checksum", "bigint"],
    ["attempts", "attempts", "bigint"],
    ["parked", "parked", "text"],
    ["progress_checksum", "progressChecksum", "bigint"],
  ]),
  timer: insertion("timers", [
    ["key", "key", "text"],
    ["name", "name", "text"],
    ["generation", "generation", "bigint"],
    ["due_at", "dueAt", "bigint"],
    ["target_service", "service", "text"],
    ["target_key", "target", "text"],
    ["operation", "operation", "text"],
    ["input", "input", "text"],
    ...call,
    ["checksum", "checksum", "bigint"],
  ]),
};

const entityInsertion = `INSERT INTO entities (shard, key, version, state_version, state, checksum, updated_at)
  SELECT $2, key, version, "stateVersion", state, checksum, to_timestamp("updatedAt" / 1000.0)
  FROM json_to_recordset($1::json)
    AS given(key text, version bigint, "stateVersion" bigint, state text, checksum bigint, "updatedAt" bigint)`;

const countInsertion = `INSERT INTO timer_counts (shard, key, name, generation, attempts, checksum)
  SELECT $2, key, name, generation, attempts, "countChecksum"
  FROM json_to_recordset($1::json)
    AS given(key text, name text, generation bigint, attempts bigint, "countChecksum" bigint)
  WHERE "countChecksum" IS NOT NULL`;

class RowWriter {
  readonly #session: Session;
  readonly #epoch: number;
  readonly #jump: number;
  /** The id of the shard that rows go into. */
  #shard: unknown;

  constructor(session: Session, epoch: number, jump: number) {
    this.#session = session;
    this.#epoch = epoch;
    this.#jump = jump;
  }

  /** Runs of one kind go in one statement. */
  async write(batch: readonly SnapshotRow[]): Promise<void> {
    for (let from = 0; from < batch.length; ) {
      const { kind, row } = batch[from]!;
      let to = from + 1;
      if (kind === "shard") await this.#begin(row);
      else {
        while (to < batch.length && batch[to]!.kind === kind) to += 1;
        const rows = batch.slice(from, to).map((given) => given.row);
        const text = kind === "entity" ? entityInsertion : insertions[kind];
        const values = [JSON.stringify(rows.map(withTruth)), this.#shard];
        await this.#session.ask(text, values);
        if (kind === "timer") await this.#session.ask(countInsertion, values);
      }
      from = to;
    }
  }

  async #begin({ service, number, stateVersion, watermark, timedRecords, sessionNext }: SnapshotShard): Promise<void> {
    const [row] = await this.#session.ask(
      `INSERT INTO shards (service, number, epoch, state_version, watermark, timed_records, session_next)
       VALUES ($1, $2, $3, $4, $5, $6, $7) RETURNING id`,
      [service, number, this.#epoch, stateVersion, watermark, timedRecords, sessionNext + this.#jump],
    );
    this.#shard = row!.id;
  }
}

/** SQLite has numbers for what is true or not. */
function withTruth(row: SnapshotRow["row"]): object {
  return "holdsTurn" in row ? { ...row, holdsTurn: Boolean(row.holdsTurn) } : row;
}
