/**
 * The place of a store on disk: made when it is new, and refused with one sentence when SQLite could not work
 * there, before SQLite would say so in its own words (or, on a network file system, not say so at all).
 */
import { accessSync, closeSync, constants, fsyncSync, mkdirSync, openSync, statfsSync, statSync } from "node:fs";
import { dirname } from "node:path";
import { SynodError } from "../../errors.ts";

/** Creates the store's folder and checks that SQLite can keep its files there. */
export function preparePlace(path: string): void {
  const folder = dirname(path);
  createFolder(folder, path);
  const network = networkFileSystem(statfsSync(folder).type);
  if (network !== undefined) {
    throw refusal(`${path} lies on ${network}, where SQLite's locks cannot be trusted: choose a local disk`);
  }
  const file = statSync(path, { throwIfNoEntry: false });
  if (file?.isDirectory()) throw refusal(`${path} is a directory: name a file in it, such as ${path}/store.db`);
  if (file !== undefined && !file.isFile()) throw refusal(`${path} is not a file: choose another path for the store`);
  if (file !== undefined && !isWritable(path)) {
    throw refusal(`${path} is read-only: make it writable for this user, or choose another path`);
  }
  if (!isWritable(folder)) {
    throw refusal(`${path} needs two more files beside it, but ${folder} is read-only: make it writable`);
  }
}

function createFolder(folder: string, path: string): void {
  try {
    const first = mkdirSync(folder, { recursive: true });
    if (first !== undefined) syncParents(folder, first);
  } catch (cause) {
    const code = cause instanceof Error && "code" in cause ? ` (${String(cause.code)})` : "";
    throw refusal(`${path} cannot be created, because its folder cannot${code}: choose another path`, cause);
  }
}

/** A new folder survives a power failure only when the folder that names it has been synced. */
function syncParents(folder: string, first: string): void {
  if (process.platform === "win32") return;
  for (let created = folder; created.length >= first.length; created = dirname(created)) {
    const parent = openSync(dirname(created), "r");
    try {
      fsyncSync(parent);
    } finally {
      closeSync(parent);
    }
  }
}

function isWritable(path: string): boolean {
  try {
    accessSync(path, constants.R_OK | constants.W_OK);
    return true;
  } catch {
    return false;
  }
}

/** Magic numbers of statfs(2); only Linux has them. */
const networkFileSystems: Readonly<Record<number, string>> = {
  26985: "NFS",
  20859: "SMB",
  4283649346: "CIFS",
  4266872130: "SMB",
  1397113167: "AFS",
  1799439955: "AFS",
  1937076805: "Coda",
  22092: "NCP",
  16914839: "9P",
  12805120: "Ceph",
  198183888: "Lustre",
  18225520: "GFS2",
  1952539503: "OCFS2",
};

/** The name of a network file system by its number in statfs; undefined for a local one or one that hides it. */
export function networkFileSystem(type: number, platform: string = process.platform): string | undefined {
  return platform === "linux" ? networkFileSystems[type >>> 0] : undefined;
}

function refusal(message: string, cause?: unknown): SynodError {
  return new SynodError("failed_precondition", message, { cause });
}
