/** Finds the running system that a command is meant for: by the admin files of this folder, or where --admin says. */
import { readdir } from "node:fs/promises";
import { basename, dirname, join } from "node:path";
import { type AdminFile, adminFileEnding, givenToken, readAdminFile } from "../admin/admin-file.ts";
import { adminClient, NobodyAnswers } from "../admin/client.ts";
import { toSynodError } from "../errors.ts";
import { besideStore, defaultFolder, parseStoreUrl, type StoreLocation, storeName } from "../host/store-location.ts";
import { NothingRunsError, UsageError } from "./exit.ts";
import { type FoundSystem, together } from "./nodes-here.ts";

export interface WhichSystem {
  /** Store URL of the system; without it the systems of this folder are looked at. */
  readonly store?: string;
  readonly system?: string;
  /** URL of the admin API, which no file has to name then. */
  readonly admin?: string;
}

/** The one running system that fits, or a sentence that says what to do. */
export async function findRunning(which: WhichSystem): Promise<FoundSystem> {
  const location = which.store === undefined ? undefined : parseStoreUrl(which.store, which.system ?? "");
  const paths = location === undefined ? await filesHere() : await filesBeside(location, which.system);
  const files = (await Promise.all(paths.map(readAdminFile))).filter((file) => file !== undefined);
  if (which.admin !== undefined) return await findAt(which.admin, which.system, files);
  const named = files.filter(({ system }) => which.system === undefined || system === which.system);
  const { answering, silent } = await talkToAll(named);
  const found = answering.filter(({ report }) => location === undefined || report.store === storeName(location));
  // What does not answer may be what was meant, if it is another system and nobody has said which store.
  const mayBeMeant = ({ file }: SilentSystem): boolean =>
    location === undefined && !found.some(({ report }) => report.system === file.system);
  const systems = new Set([
    ...found.map(({ report }) => `${report.system} (${report.store})`),
    ...silent.filter(mayBeMeant).map(({ file }) => `${file.system} (does not answer)`),
  ]);
  if (systems.size > 1) {
    const names = [...systems].join(", ");
    throw new UsageError(`Several systems run here, ${names}: choose one with --system or --store.`);
  }
  if (found.length === 0 && silent[0] !== undefined) throw silent[0].error;
  for (const { file, error } of silent) {
    process.stderr.write(`synod: ${file.url} (process ${file.pid}) is left out: ${toSynodError(error).message}\n`);
  }
  if (found.length > 0) return together(found);
  const where = location === undefined ? `${defaultFolder} of this folder` : storeName(location);
  const what = which.system ? `System ${which.system} does not run` : "No system runs";
  throw new NothingRunsError(`${what} (looked beside ${where}): start one with \`synod up SYSTEM.ts\`.`);
}

/** The system at that URL, with the token of the environment or of the file that names the URL. */
async function findAt(text: string, system: string | undefined, files: readonly AdminFile[]): Promise<FoundSystem> {
  const { origin } = adminUrl(text);
  const known = files.find((file) => originOf(file.url) === origin);
  const token = givenToken() ?? known?.token;
  if (token === undefined) {
    throw new UsageError(`No admin file here names ${origin}: say the token of that admin API as SYNOD_ADMIN_TOKEN.`);
  }
  const found = await tryToTalk({ system: system ?? "", url: origin, token, pid: 0 });
  if (found === undefined) {
    throw new NothingRunsError(
      `Nobody answers at ${origin} who knows the token: is it an admin API, and the token its own?`,
    );
  }
  if (system === undefined || found.report.system === system) return found;
  throw new NothingRunsError(`At ${origin} runs ${found.report.system}, not ${system}.`);
}

/** The token would be readable on its way to anywhere but this machine. */
function adminUrl(text: string): URL {
  const url = URL.canParse(text) ? new URL(text) : undefined;
  if (url?.protocol === "http:" && ["127.0.0.1", "localhost"].includes(url.hostname)) return new URL(originOf(text));
  throw new UsageError(
    `${JSON.stringify(text)} is no admin API of this machine: give a URL such as http://127.0.0.1:9470, to which \`ssh -L 9470:127.0.0.1:9470 HOST\` or \`kubectl port-forward POD 9470\` may lead.`,
  );
}

function originOf(url: string): string {
  return new URL(url).origin.replace("//localhost", "//127.0.0.1");
}

async function filesHere(): Promise<string[]> {
  const names = await readdir(defaultFolder).catch(() => []);
  return names.filter((name) => name.endsWith(adminFileEnding)).map((name) => join(defaultFolder, name));
}

/** Only a file's path says where the admin files lie: those of a server have the system's name in them. */
async function filesBeside(location: StoreLocation, system: string | undefined): Promise<string[]> {
  if (location.kind !== "sqlite" && system === undefined) return await filesHere();
  const beside = besideStore(location, system ?? "");
  const names = await readdir(dirname(beside)).catch(() => []);
  // Of a supervisor, and of nodes on their own, whose names stand in between.
  const wanted = names.filter((name) => name.startsWith(`${basename(beside)}.`) && name.endsWith(adminFileEnding));
  return wanted.map((name) => join(dirname(beside), name));
}

/** Who is there and does not answer as it should, with what it did instead. */
interface SilentSystem {
  readonly file: AdminFile;
  readonly error: unknown;
}

/** A node that hangs is no reason to ask none of the others. */
async function talkToAll(
  files: readonly AdminFile[],
): Promise<{ readonly answering: readonly FoundSystem[]; readonly silent: readonly SilentSystem[] }> {
  const silent: SilentSystem[] = [];
  const talks = files.map((file) => tryToTalk(file).catch((error: unknown) => void silent.push({ file, error })));
  const answering = (await Promise.all(talks)).filter((system) => system !== undefined);
  return { answering, silent };
}

/** Who was killed leaves its file behind. */
async function tryToTalk(file: AdminFile): Promise<FoundSystem | undefined> {
  const client = adminClient(file);
  try {
    return { client, report: await client.report() };
  } catch (error) {
    if (error instanceof NobodyAnswers) return undefined;
    throw error;
  }
}
