/**
 * The file by which commands find a running system and prove that they may talk to it. It lies beside the
 * store and only its owner can read it. A supervisor that was killed leaves it behind; whether somebody
 * still answers there is for the reader to find out.
 */
import { randomBytes } from "node:crypto";
import { chmod, mkdir, readFile, rename, rm, writeFile } from "node:fs/promises";
import { dirname } from "node:path";

export interface AdminFile {
  readonly system: string;
  readonly url: string;
  readonly token: string;
  /** Process id of the supervisor. */
  readonly pid: number;
}

export const adminFileEnding = ".admin.json";

export function makeToken(): string {
  return randomBytes(32).toString("base64url");
}

/** Written aside and moved into place, so that no reader sees half of it. */
export async function writeAdminFile(path: string, file: AdminFile): Promise<void> {
  await mkdir(dirname(path), { recursive: true });
  const aside = `${path}.${process.pid}.new`;
  await writeFile(aside, `${JSON.stringify(file)}\n`, { mode: 0o600 });
  await chmod(aside, 0o600);
  await rename(aside, path);
}

/** `undefined` when there is none, or nothing that could be one. */
export async function readAdminFile(path: string): Promise<AdminFile | undefined> {
  try {
    const file = JSON.parse(await readFile(path, "utf8")) as Partial<AdminFile>;
    const { system, url, token, pid } = file;
    if (typeof system !== "string" || typeof url !== "string" || typeof token !== "string") return undefined;
    return { system, url, token, pid: Number(pid) };
  } catch {
    return undefined;
  }
}

export async function removeAdminFile(path: string): Promise<void> {
  await rm(path, { force: true });
}
