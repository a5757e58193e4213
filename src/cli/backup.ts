/** `synod backup`, `synod restore` and `synod verify`: a store as a file, back again, and whether it is in order. */
import { randomInt } from "node:crypto";
import { existsSync } from "node:fs";
import { dirname } from "node:path";
import { Check, type CheckReport } from "../backup/check.ts";
import { openBackup, writeBackup } from "../backup/file.ts";
import { SynodError } from "../errors.ts";
import { openSnapshot, restoreStore } from "../host/snapshots.ts";
import { parseStoreUrl, type StoreLocation, storeName } from "../host/store-location.ts";
import { loadSystem } from "../host/system-file.ts";
import type { SnapshotRow } from "../ports/snapshot.ts";
import { isName } from "../values/ids.ts";
import { exitCodes, UsageError } from "./exit.ts";
import { told } from "./rows-progress.ts";
import { bytes, counted } from "./table.ts";

export interface StoreCommandOptions {
  readonly store?: string;
  readonly json: boolean;
}

export interface RestoreCommandOptions extends StoreCommandOptions {
  readonly overwrite: boolean;
  readonly damaged: boolean;
}

export interface VerifyOptions extends StoreCommandOptions {
  /** A file to look at instead of a store. */
  readonly backup?: string;
}

/** Far above what a system gives out in its life; the rest tells two restores of one backup apart. */
const jumpMin = 2 ** 32;

interface Place {
  readonly system: string;
  readonly location: StoreLocation;
}

/** The store of a system that is named by its file, or by its name. */
async function placeOf(word: string, { store }: StoreCommandOptions): Promise<Place> {
  if (isName(word) && !existsSync(word)) return { system: word, location: parseStoreUrl(store, word) };
  const { name, settings } = await loadSystem(word);
  return { system: name, location: parseStoreUrl(store ?? settings?.store, name) };
}

/** Looks at rows on their way. */
async function* checked(
  rows: AsyncIterable<readonly SnapshotRow[]>,
  check: Check,
): AsyncGenerator<readonly SnapshotRow[]> {
  for await (const batch of rows) {
    for (const row of batch) check.add(row);
    yield batch;
  }
}

/** Exit code 1 when the store is damaged: what could be read is in the file all the same. */
export async function backup(word: string, file: string, options: StoreCommandOptions): Promise<number> {
  const { system, location } = await placeOf(word, options);
  const folder = dirname(file);
  if (!existsSync(folder)) {
    const message = `There is no folder ${folder} for the backup: make it, or choose another place.`;
    throw new SynodError("failed_precondition", message);
  }
  await using snapshot = await openSnapshot(location, system, folder);
  const check = new Check(snapshot.facts);
  const rows = told(checked(snapshot.rows(), check), "backing up", snapshot.shardsLength, options.json);
  const written = await writeBackup(file, { takenAt: Date.now(), facts: snapshot.facts }, rows);
  for (const fault of await snapshot.faults()) check.fault(fault);
  const report = check.end();
  const facts = { file, system, store: storeName(location), ...written };
  const size = `${counted(report.rows.entity, "state")} of ${storeName(location)} in ${file} (${bytes(written.bytes)})`;
  return say(options, report, facts, `Backed up ${size}.`);
}

/** Looks at the whole file before the store is touched. */
export async function restore(word: string, file: string, options: RestoreCommandOptions): Promise<number> {
  const { system, location } = await placeOf(word, options);
  const report = await reportOfFile(file, options.json);
  const { facts, takenAt, rows } = await openBackup(file);
  if (facts.system !== system) {
    throw new SynodError(
      "failed_precondition",
      `${file} is a backup of the system "${facts.system}", not of "${system}".`,
    );
  }
  if (report.faultsLength > 0 && !options.damaged) {
    const advice = "use another backup, or say --damaged to restore it as it is: damaged rows stay unreadable";
    throw new SynodError("data_loss", `${file} was taken of a damaged store (${faultsText(report)}): ${advice}`);
  }
  const jump = jumpMin + randomInt(jumpMin);
  const begun = await restoreStore(location, facts, told(rows(), "restoring", report.rows.shard, options.json), {
    overwrite: options.overwrite,
    jump,
  });
  const what = { file, system, store: storeName(location), takenAt, ...begun };
  const age = `as it was at ${new Date(takenAt).toISOString()} (cluster incarnation ${begun.cluster})`;
  return say(
    options,
    report,
    what,
    `Restored ${counted(report.rows.entity, "state")} into ${storeName(location)}, ${age}.`,
    true,
  );
}

/** Exit code 1 when something is wrong. */
export async function verify(word: string | undefined, options: VerifyOptions): Promise<number> {
  if ((word === undefined) === (options.backup === undefined)) {
    throw new UsageError("Say what to verify: a system, for its store, or --backup FILE.");
  }
  if (options.backup !== undefined) {
    const report = await reportOfFile(options.backup, options.json);
    return say(options, report, { file: options.backup }, `${options.backup} is whole: ${rowsText(report)}.`);
  }
  const { system, location } = await placeOf(word!, options);
  await using snapshot = await openSnapshot(location, system);
  const check = new Check(snapshot.facts);
  await readAll(told(checked(snapshot.rows(), check), "verifying", snapshot.shardsLength, options.json));
  for (const fault of await snapshot.faults()) check.fault(fault);
  const report = check.end();
  const store = storeName(location);
  return say(options, report, { system, store }, `${store} is in order: ${rowsText(report)}.`);
}

async function reportOfFile(file: string, quiet: boolean): Promise<CheckReport> {
  const { facts, rows } = await openBackup(file);
  const check = new Check(facts);
  await readAll(told(checked(rows(), check), `reading ${file}`, undefined, quiet));
  return check.end();
}

async function readAll(rows: AsyncIterable<unknown>): Promise<void> {
  for await (const _ of rows);
}

function say(
  { json }: StoreCommandOptions,
  report: CheckReport,
  facts: Readonly<Record<string, unknown>>,
  sentence: string,
  isAccepted = false,
): number {
  const ok = report.faultsLength === 0;
  if (json) process.stdout.write(`${JSON.stringify({ ok, ...facts, ...report })}\n`);
  else if (ok || "sha256" in facts || isAccepted) process.stdout.write(`${sentence}\n`);
  if (!ok && !json) {
    for (const fault of report.faults) process.stderr.write(`damaged: ${fault}\n`);
    const more = report.faultsLength - report.faults.length;
    const rest = more > 0 ? ` (${more} more are not shown)` : "";
    process.stderr.write(`synod: ${report.faultsLength} faults were found${rest}.\n`);
  }
  return ok || isAccepted ? exitCodes.done : exitCodes.failed;
}

function faultsText({ faults, faultsLength }: CheckReport): string {
  return faultsLength === 1 ? faults[0]! : `${faults[0]}, and ${faultsLength - 1} more`;
}

function rowsText({ rows }: CheckReport): string {
  const { shard, entity, record, item, message, timer } = rows;
  const state = [
    counted(shard, "shard"),
    counted(entity, "state"),
    `${record} recorded ${record === 1 ? "reply" : "replies"}`,
  ];
  return [...state, counted(item, "durable command"), counted(message, "message"), counted(timer, "timer")].join(", ");
}
