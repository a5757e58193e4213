/** Whose store a schema is, and of which form: a new one gets its tables and functions, an older one is brought up to date. */
import { randomBytes } from "node:crypto";
import { DatabaseError } from "pg";
import { SynodError } from "../../errors.ts";
import type { StoreIdentity } from "../../ports/store.ts";
import { briefCommit, commitFunctions, settingsOfWrites } from "./commit-sql.ts";
import type { Connection } from "./connection.ts";
import { lossError } from "./failures.ts";
import { leaseFunctions, outlastedLeases } from "./leases-sql.ts";
import type { PostgresLocation } from "./location.ts";
import { lossFunctions } from "./losses-sql.ts";
import { firstTables, formerIncarnations, timerCounts } from "./tables.ts";
import { countedPages, upkeepFunctions } from "./upkeep-sql.ts";
import { countedTimers, workFunctions } from "./work-sql.ts";

/** Those that the store calls; the rest are called by these, under their settings. */
const writing = ["join_member", "renew", "end_lease", "claim", "release", "commit_batch", "trim_shard"] as const;
const forOperators = ["accept_loss"] as const;
const reading = ["view_json", "read_rows"] as const;
export type StoreFunction = (typeof writing)[number] | (typeof reading)[number];

/** What makes each form out of the one before: the n-th makes form n + 1. Functions are those of this code from the start. */
const migrations: readonly string[] = [
  [firstTables, leaseFunctions, lossFunctions, workFunctions, commitFunctions, upkeepFunctions].join(""),
  [timerCounts, countedTimers, countedPages].join(""),
  [formerIncarnations, outlastedLeases].join(""),
  briefCommit,
];
/** The form of the tables and functions that this code knows. */
export const schemaVersion: number = migrations.length;

/** How long creating or upgrading may take, and looking. */
const prepareMaxMs = 30_000;
/** How often it is tried again when somebody else creates the schema at the same moment. */
const attemptsMax = 5;
/** What PostgreSQL says to the second of two who create the same thing. */
const createdMeanwhile = ["23505", "42P06", "42P07", "42723", "42710"];

export interface StoreCreation {
  readonly system: string;
  /** Taken when the store is new; an old one keeps its own. */
  readonly shardsPerService: number;
}

interface Meta {
  readonly schema: number;
  readonly system: string;
  readonly cluster: number;
  readonly shardsPerService: number;
  readonly secret: string;
  /** What is known to be missing that was acknowledged. */
  readonly lost: string | null;
}

/** Creates the schema when it is new, and says whose store it is; refuses one that is not ours, or has lost commits. */
export async function prepareSchema(
  connection: Connection,
  location: PostgresLocation,
  creation: StoreCreation,
): Promise<StoreIdentity> {
  const meta = await preparedMeta(connection, location, creation);
  if (meta.lost !== null) throw lossError(location.name, meta.lost);
  const { cluster, shardsPerService } = meta;
  const secret = new Uint8Array(Buffer.from(meta.secret, "hex"));
  return { system: meta.system, cluster, shardsPerService, secret };
}

/** The same for who replaces all that is in the store: then it does not matter what is missing there. */
export async function prepareToReplace(
  connection: Connection,
  location: PostgresLocation,
  creation: StoreCreation,
): Promise<void> {
  await preparedMeta(connection, location, creation);
}

async function preparedMeta(
  connection: Connection,
  location: PostgresLocation,
  creation: StoreCreation,
): Promise<Meta> {
  const { schema } = location;
  for (let attempt = 1; ; attempt++) {
    const meta = await lookUp(connection, schema);
    const isOld = meta !== undefined && meta.schema < schemaVersion && meta.system === creation.system;
    if (meta !== undefined && !isOld) {
      refuseForeign(meta, creation.system, `schema ${schema} of ${location.name}`);
      return meta;
    }
    const text = meta === undefined ? creationText(schema, creation) : upgradeText(schema, meta.schema);
    try {
      await connection.ask({ text, answerMaxMs: prepareMaxMs });
    } catch (error) {
      const isRace = error instanceof DatabaseError && createdMeanwhile.includes(error.code ?? "");
      if (!isRace || attempt >= attemptsMax) throw creationFailure(error, location);
    }
  }
}

/** Undefined when there is no store in the schema. */
async function lookUp(connection: Connection, schema: string): Promise<Meta | undefined> {
  const found = await connection.ask({
    text: "SELECT to_regclass($1) IS NOT NULL AS there",
    values: [`${quoted(schema)}.meta`],
    answerMaxMs: prepareMaxMs,
  });
  if (found[0]?.there !== true) return undefined;
  const rows = await connection.ask({
    text: `SELECT json_build_object('schema', schema, 'system', system, 'cluster', cluster, 'shardsPerService',
      shards_per_service, 'secret', encode(secret, 'hex'), 'lost', lost) AS meta FROM ${quoted(schema)}.meta`,
    answerMaxMs: prepareMaxMs,
  });
  return rows[0]?.meta as Meta | undefined;
}

/** Raises when the store is not one of the system, or of a form that this code does not know. */
export function refuseForeign(meta: Pick<Meta, "schema" | "system">, system: string, place: string): void {
  if (meta.schema > schemaVersion) {
    throw refusal(`${place} has form ${meta.schema}, and this Synod knows ${schemaVersion}: use a newer Synod`);
  }
  if (meta.system !== system) {
    throw refusal(`${place} is the store of the system "${meta.system}", not of "${system}": choose another schema`);
  }
}

/** Whether what nodes build on is what it was when the store was opened; else they must open it anew. */
export async function isReplaced(connection: Connection, schema: string, identity: StoreIdentity): Promise<boolean> {
  const meta = await lookUp(connection, schema);
  const secret = Buffer.from(identity.secret).toString("hex");
  return meta?.secret !== secret || meta.shardsPerService !== identity.shardsPerService;
}

/** One transaction, as one text: all of it, or nothing. */
function creationText(schema: string, { system, shardsPerService }: StoreCreation): string {
  const secret = randomBytes(32).toString("hex");
  return [
    // Asked first, because whoever may not create schemas may not say IF NOT EXISTS either.
    `DO $$ BEGIN IF to_regnamespace(${literal(quoted(schema))}) IS NULL THEN CREATE SCHEMA ${quoted(schema)}; END IF; END $$;`,
    `SET LOCAL ${pathTo(schema)};`,
    ...migrations,
    functionSettings(schema),
    `INSERT INTO meta (schema, system, cluster, shards_per_service, secret, timeline, incarnations, revision)
     VALUES (${schemaVersion}, ${literal(system)}, 1, ${Math.trunc(shardsPerService)}, '\\x${secret}',
       left(pg_walfile_name(pg_current_wal_insert_lsn()), 8), 0, 0);`,
  ].join("\n");
}

/**
 * One transaction too. Whoever comes second finds the form raised, which is told as if the same thing had been created
 * meanwhile. Nodes of the older form that are at work go on: they know less, and what they call is still there.
 */
function upgradeText(schema: string, from: number): string {
  return [
    `SET LOCAL ${pathTo(schema)};`,
    `DO $$ BEGIN
       UPDATE meta SET schema = ${schemaVersion} WHERE schema = ${Math.trunc(from)};
       IF NOT FOUND THEN RAISE unique_violation; END IF;
     END $$;`,
    ...migrations.slice(from),
    functionSettings(schema),
  ].join("\n");
}

/** Those that are replaced lose what was set for them. */
function functionSettings(schema: string): string {
  const path = pathTo(schema);
  const settings = (name: string, list: readonly string[]): string =>
    `ALTER FUNCTION ${name} ${list.map((setting) => `SET ${setting}`).join(" ")};`;
  return [
    ...[...writing, ...forOperators].map((name) => settings(name, [path, ...settingsOfWrites])),
    ...reading.map((name) => settings(name, [path, "enable_seqscan = off", "jit = off"])),
  ].join("\n");
}

function pathTo(schema: string): string {
  return `search_path = ${quoted(schema)}, pg_temp`;
}

function creationFailure(error: unknown, { schema, name }: PostgresLocation): unknown {
  if (!(error instanceof DatabaseError)) return error;
  const advice =
    error.code === "42501"
      ? `let its user create the schema ${schema}, or create it for that user (CREATE SCHEMA ${schema} AUTHORIZATION …)`
      : "see what the server says";
  return refusal(`the store cannot be created in ${name} (${error.message}): ${advice}`);
}

/** A name of SQL, whatever is in it. */
export function quoted(name: string): string {
  return `"${name.replaceAll('"', '""')}"`;
}

function literal(text: string): string {
  return `'${text.replaceAll("'", "''")}'`;
}

function refusal(message: string): SynodError {
  return new SynodError("failed_precondition", message);
}
