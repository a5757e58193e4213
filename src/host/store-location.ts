/**
 * Reads a store URL and opens the store there. A supervisor and its nodes each open a connection of their
 * own; a `memory:` store has no place that two processes could share, so it lives in its node.
 */
import { basename, dirname, join, resolve } from "node:path";
import { createMemoryDatabase, openMemoryStore } from "../adapters/memory/store.ts";
import { type PostgresLocation, readPostgresUrl } from "../adapters/postgres/location.ts";
import type { Patience } from "../adapters/postgres/patience.ts";
import { openSqliteStore } from "../adapters/sqlite/store.ts";
import { systemRandom } from "../adapters/system/random.ts";
import { SynodError } from "../errors.ts";
import type { Log } from "../ports/log.ts";
import type { Store } from "../ports/store.ts";

export type StoreLocation =
  | { readonly kind: "memory" }
  | { readonly kind: "sqlite"; readonly path: string }
  | (PostgresLocation & { readonly kind: "postgres"; readonly url: string });

/** Where the files of a system lie that are not told to lie elsewhere. */
export const defaultFolder = ".synod";

/** `sqlite:PATH`, `postgres://…` or `memory:`; without a URL `sqlite:.synod/NAME.db`. */
export function parseStoreUrl(url: string | undefined, system: string): StoreLocation {
  if (url === undefined) return { kind: "sqlite", path: resolve(defaultFolder, `${system}.db`) };
  const [scheme, rest = ""] = split(url);
  if (scheme === "memory" && rest === "") return { kind: "memory" };
  if (scheme === "sqlite" && rest !== "") return { kind: "sqlite", path: resolve(rest) };
  if (scheme === "sqlite") throw invalid(`The store URL "${url}" names no file: write sqlite:PATH.`);
  if (scheme === "postgres" || scheme === "postgresql") {
    return { kind: "postgres", url, ...readPostgresUrl(url, system) };
  }
  const choice = "write sqlite:PATH, postgres://…, or memory: for a store that ends with the process";
  throw invalid(`${harmless(url, scheme)} is no store URL: ${choice}.`);
}

/** By which another process finds the store; may hold a password. */
export function storeUrl(location: StoreLocation): string {
  if (location.kind === "postgres") return location.url;
  return location.kind === "memory" ? "memory:" : `sqlite:${location.path}`;
}

/** The store for people to read: never with a password. */
export function storeName(location: StoreLocation): string {
  return location.kind === "postgres" ? location.name : storeUrl(location);
}

export interface Opening {
  readonly log?: Log;
  /** Whether a server that cannot be reached is waited for. */
  readonly patience?: Patience;
}

/** How long a system that starts waits for the server of its store. */
export const storePatienceMs = 60_000;

/** A new connection to the store at that place; a `memory:` store is a new one each time. */
export async function openStore(location: StoreLocation, system: string, opening: Opening = {}): Promise<Store> {
  const { log, patience } = opening;
  if (location.kind === "memory") return openMemoryStore(createMemoryDatabase({ system, random: systemRandom }));
  if (location.kind === "sqlite") return await openSqliteStore({ path: location.path, system, ...(log && { log }) });
  const { openPostgresStore } = await postgresAdapter();
  return await openPostgresStore({ url: location.url, system, ...(log && { log }), ...(patience && { patience }) });
}

/** Loaded when it is wanted, because its client is there only where somebody has installed it. */
async function postgresAdapter(): Promise<typeof import("../adapters/postgres/store.ts")> {
  try {
    return await import("../adapters/postgres/store.ts");
  } catch (error) {
    const isMissing = error instanceof Error && "code" in error && error.code === "ERR_MODULE_NOT_FOUND";
    if (!isMissing) throw error;
    const message = "A store on PostgreSQL needs the package pg beside synod: run `npm install pg`.";
    throw new SynodError("failed_precondition", message, { cause: error });
  }
}

/** The path, without its ending, of the files that a supervisor keeps beside the store. */
export function besideStore(location: StoreLocation, system: string): string {
  if (location.kind === "memory") return resolve(defaultFolder, system);
  // Of the store's schema, because the same system may run on another store in this folder.
  if (location.kind === "postgres") return resolve(defaultFolder, location.schema);
  return join(dirname(location.path), basename(location.path).replace(/\.(db|sqlite3?)$/, ""));
}

/** Whatever it was meant to be, there may be a password in it, unless it is the name of something. */
function harmless(url: string, scheme: string): string {
  if (/^[\w./-]*$/.test(url)) return `"${url}"`;
  return /^[a-z+]+$/.test(scheme) ? `"${scheme}:…"` : "What was given";
}

function split(url: string): [scheme: string, rest?: string] {
  const colon = url.indexOf(":");
  return colon < 0 ? [""] : [url.slice(0, colon).toLowerCase(), url.slice(colon + 1)];
}

function invalid(sentence: string): SynodError {
  return new SynodError("invalid_argument", sentence);
}
