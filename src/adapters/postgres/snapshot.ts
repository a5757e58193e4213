/**
 * A whole store at one moment: everything is read in one transaction that sees what was committed when it began
 * (REPEATABLE READ), while nodes go on. Such a transaction keeps dead rows from being vacuumed for as long as it lasts.
 */
import { SynodError } from "../../errors.ts";
import type { SnapshotFacts, SnapshotKind, SnapshotRow, SnapshotShard, StoreSnapshot } from "../../ports/snapshot.ts";
import type { PostgresLocation } from "./location.ts";
import { refuseForeign, schemaVersion } from "./schema.ts";
import { beginSession, type Session } from "./session.ts";

/** Rows of one page: with states of 256 KiB they are 50 MB. */
const pageRowsMax = 200;

/** Rejects with one sentence when there is no such store. */
export async function openPostgresSnapshot(location: PostgresLocation, system: string): Promise<StoreSnapshot> {
  const session = await beginSession(location, "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY");
  try {
    const [there] = await session.ask("SELECT to_regclass('meta') IS NOT NULL AS there");
    const place = `schema ${location.schema} of ${location.name}`;
    if (there?.there !== true) throw new SynodError("not_found", `There is no store in ${place}.`);
    const [found] = await session.ask(
      `SELECT schema AS form, json_build_object('system', system, 'cluster', cluster, 'shardsPerService', shards_per_service,
         'secret', encode(secret, 'hex'), 'incarnations', incarnations, 'revision', revision,
         'epochMax', (SELECT coalesce(max(epoch), 0) FROM shards)) AS facts FROM meta`,
    );
    const facts = found!.facts as SnapshotFacts;
    refuseForeign({ schema: found!.form as number, system: facts.system }, system, place);
    if ((found!.form as number) < schemaVersion) {
      const advice =
        "start a node with this Synod, which brings it up to date, or take its backup with the older Synod";
      throw new SynodError("failed_precondition", `${place} is a store of an older Synod: ${advice}`);
    }
    const shards = await shardsOf(session);
    return {
      facts,
      shardsLength: shards.length,
      rows: () => rowsOf(session, shards),
      faults: async () => [...(await strayFaults(session)), ...(await leaseFaults(session))],
      [Symbol.asyncDispose]: () => session.close(),
    };
  } catch (error) {
    await session.close();
    throw error;
  }
}

interface NumberedShard {
  readonly id: number;
  readonly shard: SnapshotShard;
}

async function shardsOf(session: Session): Promise<readonly NumberedShard[]> {
  const rows = await session.ask(
    `SELECT id, json_build_object('service', service, 'number', number, 'epoch', epoch, 'stateVersion', state_version,
       'watermark', watermark, 'timedRecords', timed_records, 'sessionNext', session_next) AS shard
     FROM shards ORDER BY service, number`,
  );
  return rows as unknown as readonly NumberedShard[];
}

type Content = readonly [kind: Exclude<SnapshotKind, "shard">, table: string, columns: string, order: string];

/** What rests in a shard, in the order of a snapshot. */
const contents: readonly Content[] = [
  ["floor", "floors", "session, floor, open", "session"],
  [
    "entity",
    "entities",
    `key, version, state_version AS "stateVersion", state, checksum,
     trunc(extract(epoch FROM updated_at) * 1000)::bigint AS "updatedAt"`,
    "key",
  ],
  [
    "record",
    "records",
    'id, input_hash AS "inputHash", reply, finished_at AS "finishedAt", key_time AS "keyTime", checksum',
    "id",
  ],
  [
    "item",
    "inbox",
    `number, key, operation, input, id, input_hash AS "inputHash", key_time AS "keyTime", call_session AS "callSession",
     call_number AS "callNumber", principal, request, traceparent, accepted_at AS "acceptedAt", checksum, attempts, parked,
     holds_turn AS "holdsTurn", progress_checksum AS "progressChecksum"`,
    "number",
  ],
  ["entry", "journal", 'item, id, name, input_hash AS "inputHash", outcome, checksum', "item, place"],
  [
    "message",
    "outbox",
    `number, key, target_service AS service, target_key AS target, operation, input, principal, request, traceparent,
     sent_at AS "sentAt", checksum, attempts, parked, progress_checksum AS "progressChecksum"`,
    "number",
  ],
  [
    "timer",
    "timers",
    `key, name, generation, due_at AS "dueAt", target_service AS service, target_key AS target, operation, input, principal,
     request, traceparent, t.checksum, coalesce(c.attempts, 0) AS attempts, c.checksum AS "countChecksum"`,
    "key, name",
  ],
];

const countedTimers = "timers t LEFT JOIN timer_counts c USING (shard, key, name, generation)";

async function* rowsOf(session: Session, shards: readonly NumberedShard[]): AsyncGenerator<readonly SnapshotRow[]> {
  const filled = new Map<string, ReadonlySet<unknown>>();
  for (const [, table] of contents) {
    const rows = await session.ask(`SELECT DISTINCT shard FROM ${table}`);
    filled.set(table, new Set(rows.map(({ shard }) => shard)));
  }
  for (const { id, shard } of shards) {
    yield [{ kind: "shard", row: shard }];
    for (const content of contents) if (filled.get(content[1])!.has(id)) yield* contentOf(session, id, content);
  }
}

/** Through a cursor, so that a page is in memory and not the whole shard. */
async function* contentOf(
  session: Session,
  shard: number,
  [kind, table, columns, order]: Content,
): AsyncGenerator<readonly SnapshotRow[]> {
  // As JSON, in which numbers are numbers: the driver gives those of 64 bits as text.
  await session.ask(`DECLARE page NO SCROLL CURSOR FOR SELECT row_to_json(found) AS row
    FROM (SELECT ${columns} FROM ${table === "timers" ? countedTimers : table} WHERE shard = ${Math.trunc(shard)} ORDER BY ${order}) found`);
  for (;;) {
    const rows = await session.ask(`FETCH ${pageRowsMax} FROM page`);
    if (rows.length > 0) yield rows.map(({ row }) => ({ kind, row }) as SnapshotRow);
    if (rows.length < pageRowsMax) break;
  }
  await session.ask("CLOSE page");
}

async function strayFaults(session: Session): Promise<readonly string[]> {
  const faults: string[] = [];
  for (const [, table] of contents) {
    const [found] = await session.ask(
      `SELECT count(*)::integer AS strays FROM ${table} t WHERE NOT EXISTS (SELECT 1 FROM shards s WHERE s.id = t.shard)`,
    );
    if (found!.strays !== 0) faults.push(`${found!.strays} rows of ${table} belong to no shard`);
  }
  return faults;
}

async function leaseFaults(session: Session): Promise<readonly string[]> {
  const [found] = await session.ask(
    "SELECT count(*)::integer AS owned FROM shards WHERE owner IS NOT NULL AND owner NOT IN (SELECT incarnation FROM members)",
  );
  return found!.owned === 0 ? [] : [`${found!.owned} shards have an owner who is no member`];
}
