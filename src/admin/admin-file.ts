/**
 * The file by which commands find a running system and prove that they may talk to it. It lies beside the
 * store and only its owner can read it. A supervisor, or a node on its own, that was killed leaves it behind;
 * whether somebody still answers there is for the reader to find out.
 */
import { randomBytes } from "node:crypto";
import { chmod, mkdir, readFile, rename, rm, writeFile } from "node:fs/promises";
import { dirname } from "node:path";
import { SynodError } from "../errors.ts";

export interface AdminFile {
  readonly system: string;
  readonly url: string;
  readonly token: string;
  /** Of the process that answers: the supervisor, or the node on its own. */
  readonly pid: number;
}

export const adminFileEnding = ".admin.json";

/** What an operator may say the token is, so that whoever scrapes several nodes needs one only. */
const tokenVariable = "SYNOD_ADMIN_TOKEN";
/** As long as nobody guesses it, and of characters that a header carries. */
const tokenForm = /^[\x21-\x7e]{16,256}$/;

/** The token that the environment says; undefined when it says none. */
export function givenToken(): string | undefined {
  const given = process.env[tokenVariable];
  if (given === undefined || given === "") return undefined;
  if (tokenForm.test(given)) return given;
  const wanted = "16 to 256 characters of ASCII without spaces, such as `openssl rand -base64 32` prints";
  throw new SynodError("invalid_argument", `${tokenVariable} is no admin token: give ${wanted}`);
}

/** The token that the environment says, or one that nobody can guess. */
export function makeToken(): string {
  return givenToken() ?? randomBytes(32).toString("base64url");
}

/** Of `synod node` on its own, beside that of a supervisor and those of other nodes on the same store. */
export function nodeAdminFile(beside: string, node: string): string {
  return `${beside}.${node}${adminFileEnding}`;
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
