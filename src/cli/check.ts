/** `synod check`: what a release would break while it comes in, before it does. */
import { readFile, writeFile } from "node:fs/promises";
import { dirname, join, relative } from "node:path";
import { loadSystem } from "../host/system-file.ts";
import { type Change, changesBetween } from "../upgrade/changes.ts";
import { lineOf } from "../upgrade/lines.ts";
import { formatLock, lockOf, parseLock } from "../upgrade/lock.ts";
import { exitCodes, UsageError } from "./exit.ts";

export interface CheckOptions {
  /** The lock to compare with; `true` stands for the one beside the system file. */
  readonly against?: string | true;
  /** Where to write the lock; `true` as above. */
  readonly write?: string | true;
  /** Names of breaking changes that are meant. */
  readonly allow: readonly string[];
  readonly json: boolean;
}

/** What the lock is called where nothing else is said. */
const lockFile = "synod.lock.json";

/** Exit code 1 if something breaks. Compares first and writes only what nothing speaks against. */
export async function check(systemFile: string, options: CheckOptions): Promise<number> {
  const { against, write } = options;
  if (against === undefined && write === undefined) {
    throw new UsageError(
      "Say what to do: --write keeps what the system promises now, --against LOCK compares with it.",
    );
  }
  const lock = lockOf(await loadSystem(systemFile));
  const place = (named: string | true): string => (named === true ? join(dirname(systemFile), lockFile) : named);
  if (against !== undefined) {
    const file = place(against);
    const text = await readLock(file);
    const changes = changesBetween(parseLock(text, file), lock);
    checkAllowed(options.allow, changes);
    const judged = changes.map((change) => ({ ...change, allowed: options.allow.includes(change.name) }));
    const refused = judged.some(({ weight, allowed }) => weight === "breaking" && !allowed);
    if (options.json) process.stdout.write(`${JSON.stringify({ ok: !refused, changes: judged }, undefined, 2)}\n`);
    else process.stdout.write(report(judged, { file: relative(".", file) || file, text }));
    if (refused) return exitCodes.failed;
  }
  if (write !== undefined) {
    const file = place(write);
    await writeFile(file, formatLock(lock));
    if (!options.json) process.stdout.write(`Wrote ${relative(".", file) || file}: keep it with the code.\n`);
  }
  return exitCodes.done;
}

async function readLock(file: string): Promise<string> {
  try {
    return await readFile(file, "utf8");
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "ENOENT") throw error;
    throw new UsageError(
      `There is no lock ${file}: write it from the released code with \`synod check SYSTEM --write\`.`,
    );
  }
}

function checkAllowed(allow: readonly string[], changes: readonly Change[]): void {
  const breaking = new Set(changes.filter(({ weight }) => weight === "breaking").map(({ name }) => name));
  const unused = allow.find((name) => !breaking.has(name));
  if (unused === undefined) return;
  throw new UsageError(`--allow ${unused}: nothing of that name breaks. Take it out, so that it hides nothing later.`);
}

type Judged = Change & { readonly allowed: boolean };

function report(changes: readonly Judged[], lock: { readonly file: string; readonly text: string }): string {
  if (changes.length === 0) return `Nothing has changed against ${lock.file}.\n`;
  const lines = changes.map((change) => lineOfChange(change, lock));
  const count = (weight: Change["weight"]): number => changes.filter((change) => change.weight === weight).length;
  const summary = `${count("breaking")} breaking, ${count("two steps")} in two steps, ${count("fine")} fine`;
  return `${lines.join("")}${summary}\n`;
}

function lineOfChange(change: Judged, { file, text }: { readonly file: string; readonly text: string }): string {
  const { name, steps, what, advice, weight, allowed } = change;
  const line = lineOf(text, steps);
  const place = line === undefined ? file : `${file}:${line}`;
  const label = allowed ? "allowed" : weight;
  return `${label.padEnd(9)}  ${place}  ${name}: ${what}\n           ${advice}\n`;
}
