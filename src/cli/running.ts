/** Finds the running system that a command is meant for, by the admin files that supervisors leave. */
import { readdir } from "node:fs/promises";
import { join } from "node:path";
import { type AdminFile, adminFileEnding, readAdminFile } from "../admin/admin-file.ts";
import { adminClient, NobodyAnswers } from "../admin/client.ts";
import type { AdminTarget, SystemReport } from "../admin/target.ts";
import { besideStore, defaultFolder, parseStoreUrl, type StoreLocation, storeName } from "../host/store-location.ts";
import { NothingRunsError, UsageError } from "./exit.ts";

export interface WhichSystem {
  /** Store URL of the system; without it the systems of this folder are looked at. */
  readonly store?: string;
  readonly system?: string;
}

export interface FoundSystem {
  readonly client: AdminTarget;
  readonly report: SystemReport;
}

/** The one running system that fits, or a sentence that says what to do. */
export async function findRunning(which: WhichSystem): Promise<FoundSystem> {
  const location = which.store === undefined ? undefined : parseStoreUrl(which.store, which.system ?? "");
  const paths = location === undefined ? await filesHere() : await filesBeside(location, which.system);
  const files = (await Promise.all(paths.map(readAdminFile))).filter((file) => file !== undefined);
  const named = files.filter(({ system }) => which.system === undefined || system === which.system);
  const found = (await Promise.all(named.map(tryToTalk)))
    .filter((system) => system !== undefined)
    .filter(({ report }) => location === undefined || report.store === storeName(location));
  const [first, second] = found;
  if (first && second) {
    const names = found.map(({ report }) => `${report.system} (${report.store})`).join(", ");
    throw new UsageError(`Several systems run here, ${names}: choose one with --system or --store.`);
  }
  if (first) return first;
  const where = location === undefined ? `${defaultFolder} of this folder` : storeName(location);
  const what = which.system ? `System ${which.system} does not run` : "No system runs";
  throw new NothingRunsError(`${what} (looked beside ${where}): start one with \`synod up SYSTEM.ts\`.`);
}

async function filesHere(): Promise<string[]> {
  const names = await readdir(defaultFolder).catch(() => []);
  return names.filter((name) => name.endsWith(adminFileEnding)).map((name) => join(defaultFolder, name));
}

/** Only a file's path says where its supervisor's file lies: that of a server has the system's name in it. */
async function filesBeside(location: StoreLocation, system: string | undefined): Promise<string[]> {
  if (location.kind !== "sqlite" && system === undefined) return await filesHere();
  return [`${besideStore(location, system ?? "")}${adminFileEnding}`];
}

/** A supervisor that was killed leaves its file behind. */
async function tryToTalk(file: AdminFile): Promise<FoundSystem | undefined> {
  const client = adminClient(file);
  try {
    return { client, report: await client.report() };
  } catch (error) {
    if (error instanceof NobodyAnswers) return undefined;
    throw error;
  }
}
