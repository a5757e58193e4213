/**
 * Backups as files: lines of JSON. The first says what the file is and whose, each further one is a row under its kind, and
 * the last has the number of rows of each kind and the SHA-256 of all that stands before it, so that a file that was cut
 * off or changed is told from a whole one. The format does not depend on the kind of store (docs/decisions/0011).
 *
 *     {"synod":"backup","format":1,"takenAt":1795000000000,"facts":{"system":"bank","cluster":1,…}}
 *     {"shard":{"service":"account","number":0,"epoch":3,…}}
 *     {"entity":{"key":"alice","version":7,"state":"{\"balance\":500}",…}}
 *     {"end":{"rows":{"shard":64,"entity":1,…},"sha256":"…"}}
 *
 * A file is written under another name, synced, and renamed: whoever sees its name sees all of it. It holds the store's
 * secret, so that only its owner may read it.
 */
import { createHash, type Hash } from "node:crypto";
import { createReadStream, existsSync } from "node:fs";
import { open, rename, rm } from "node:fs/promises";
import { dirname } from "node:path";
import { SynodError } from "../errors.ts";
import type { SnapshotFacts, SnapshotKind, SnapshotRow } from "../ports/snapshot.ts";
import { snapshotKinds } from "../ports/snapshot.ts";

/** The format that this code writes, and the newest that it reads. */
const formatVersion = 1;
/** A row is at most a state with its limit raised, escaped twice; more is no line of ours. */
const lineBytesMax = 256 * 1024 * 1024;
const readBytes = 1024 * 1024;
const batchRowsMax = 500;

export interface BackupHeader {
  /** Ms since 1970, by the clock of whoever took it. */
  readonly takenAt: number;
  readonly facts: SnapshotFacts;
}

type RowCounts = Record<SnapshotKind, number>;

export interface WrittenBackup {
  readonly bytes: number;
  readonly sha256: string;
}

/** Writes rows to a file that must not be there yet. Nothing of it is left when the rows end with an error. */
export async function writeBackup(
  path: string,
  header: BackupHeader,
  rows: AsyncIterable<readonly SnapshotRow[]>,
): Promise<WrittenBackup> {
  if (existsSync(path)) throw refusal(`${path} is there already: choose another name, or move it away`);
  const temporary = `${path}.${process.pid}.tmp`;
  try {
    const written = await writeLines(temporary, header, rows);
    await rename(temporary, path);
    await syncFolder(dirname(path));
    return written;
  } catch (error) {
    await rm(temporary, { force: true });
    throw error;
  }
}

async function writeLines(
  path: string,
  { takenAt, facts }: BackupHeader,
  rows: AsyncIterable<readonly SnapshotRow[]>,
): Promise<WrittenBackup> {
  const file = await open(path, "wx", 0o600);
  const hash = createHash("sha256");
  const counts = noRows();
  let bytes = 0;
  const write = async (text: string): Promise<void> => {
    bytes += Buffer.byteLength(text);
    await file.writeFile(text);
  };
  try {
    const begin = `${JSON.stringify({ synod: "backup", format: formatVersion, takenAt, facts })}\n`;
    hash.update(begin);
    await write(begin);
    for await (const batch of rows) {
      let text = "";
      for (const { kind, row } of batch) {
        counts[kind] += 1;
        text += `${JSON.stringify({ [kind]: row })}\n`;
      }
      hash.update(text);
      await write(text);
    }
    const sha256 = hash.digest("hex");
    await write(`${JSON.stringify({ end: { rows: counts, sha256 } })}\n`);
    await file.sync();
    return { bytes, sha256 };
  } finally {
    await file.close();
  }
}

/** A renamed file survives a power failure only when the folder that names it has been synced. */
async function syncFolder(folder: string): Promise<void> {
  if (process.platform === "win32") return;
  const handle = await open(folder, "r");
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}

export interface OpenBackup extends BackupHeader {
  /** All rows; raises `data_loss` when the file is not whole, at its end at the latest. Can be read once. */
  rows(): AsyncGenerator<readonly SnapshotRow[]>;
}

/** Opens a backup. Rejects with one sentence when the file is none, or one of a newer Synod. */
export async function openBackup(path: string): Promise<OpenBackup> {
  if (!existsSync(path)) throw new SynodError("not_found", `There is no backup ${path}.`);
  const hash = createHash("sha256");
  const lines = linesOf(path);
  const first = await lines.next();
  if (first.done) throw refusal(`${path} is empty: it is no backup of Synod`);
  const header = readHeader(path, first.value);
  hash.update(first.value).update("\n");
  return { ...header, rows: () => rowsOf(path, lines, hash) };
}

function readHeader(path: string, line: Buffer): BackupHeader {
  const header = parsed(line) as { synod?: unknown; format?: unknown; takenAt: number; facts: SnapshotFacts } | null;
  if (header?.synod !== "backup" || typeof header.format !== "number") {
    throw refusal(`${path} is no backup of Synod: give a file that \`synod backup\` has written`);
  }
  if (header.format > formatVersion) {
    throw refusal(`${path} has format ${header.format}, and this Synod knows ${formatVersion}: use a newer Synod`);
  }
  return { takenAt: header.takenAt, facts: header.facts };
}

async function* rowsOf(
  path: string,
  lines: AsyncGenerator<Buffer>,
  hash: Hash,
): AsyncGenerator<readonly SnapshotRow[]> {
  const counts = noRows();
  let batch: SnapshotRow[] = [];
  let number = 1;
  for await (const line of lines) {
    number += 1;
    const entry = Object.entries((parsed(line) as Record<string, unknown> | null) ?? {})[0];
    if (entry?.[0] === "end") {
      if (batch.length > 0) yield batch;
      checkEnd(path, entry[1] as Partial<BackupEnd> | null, counts, hash.digest("hex"));
      const after = await lines.next();
      if (!after.done) throw damaged(path, `it goes on behind its end, in line ${number + 1}`);
      return;
    }
    const kind = snapshotKinds.find((known) => known === entry?.[0]);
    if (kind === undefined) throw damaged(path, `line ${number} is none of a backup`);
    hash.update(line).update("\n");
    counts[kind] += 1;
    batch.push({ kind, row: entry![1] } as SnapshotRow);
    if (batch.length < batchRowsMax) continue;
    yield batch;
    batch = [];
  }
  throw damaged(path, `it breaks off after line ${number}`);
}

interface BackupEnd {
  readonly rows: RowCounts;
  readonly sha256: string;
}

function checkEnd(path: string, end: Partial<BackupEnd> | null, counts: RowCounts, sha256: string): void {
  const written = end?.rows ?? undefined;
  if (written === undefined) throw damaged(path, "its last line does not say what was written");
  for (const kind of snapshotKinds) {
    if (counts[kind] === written[kind]) continue;
    throw damaged(path, `it has ${counts[kind]} rows of kind ${kind}, and was written with ${written[kind]}`);
  }
  if (sha256 !== end?.sha256) throw damaged(path, "its content does not match its checksum");
}

/** Lines without their ends. A last line that is not ended is none: it was cut off. */
async function* linesOf(path: string): AsyncGenerator<Buffer> {
  let rest: Buffer[] = [];
  let restBytes = 0;
  for await (const chunk of createReadStream(path, { highWaterMark: readBytes }) as AsyncIterable<Buffer>) {
    let from = 0;
    for (let end = chunk.indexOf(10); end >= 0; end = chunk.indexOf(10, from)) {
      yield Buffer.concat([...rest, chunk.subarray(from, end)]);
      rest = [];
      restBytes = 0;
      from = end + 1;
    }
    rest.push(chunk.subarray(from));
    restBytes += chunk.length - from;
    if (restBytes > lineBytesMax) throw damaged(path, `it has a line of more than ${lineBytesMax} bytes`);
  }
}

function parsed(line: Buffer): unknown {
  try {
    return JSON.parse(line.toString("utf8"));
  } catch {
    return null;
  }
}

function noRows(): RowCounts {
  return Object.fromEntries(snapshotKinds.map((kind) => [kind, 0])) as RowCounts;
}

function damaged(path: string, why: string): SynodError {
  return new SynodError("data_loss", `${path} is damaged (${why}): use another backup`);
}

function refusal(message: string): SynodError {
  return new SynodError("failed_precondition", message);
}
