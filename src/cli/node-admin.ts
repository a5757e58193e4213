/**
 * The admin API of `synod node`: on loopback only, and never without a token. A port that was asked for and is taken ends
 * the start; the usual one may be taken by another node of this machine, so then a free one does.
 */
import {
  givenToken,
  makeToken,
  nodeAdminFile,
  readAdminFile,
  removeAdminFile,
  writeAdminFile,
} from "../admin/admin-file.ts";
import { type AdminServer, adminPortDefault, startAdminServer } from "../admin/server.ts";
import type { AdminTarget } from "../admin/target.ts";
import { besideStore, type StoreLocation } from "../host/store-location.ts";
import type { Log } from "../ports/log.ts";
import { UsageError } from "./exit.ts";

export interface NodeAdminOptions {
  readonly node: string;
  readonly system: string;
  readonly store: StoreLocation;
  /** `off`, a port, or undefined when nobody has said one. */
  readonly port: string | undefined;
  readonly target: AdminTarget;
  readonly log: Log;
}

export interface NodeAdmin {
  /**
   * Lets commands of this machine find it, once the node's name is its own; resolves with its URL. Null, with a word in the
   * log, when nobody can know its token, for want of a file and of one in the environment: then it has ended.
   */
  publish(): Promise<string | null>;
  /** Answers what was asked, and takes the file away again. */
  close(): Promise<void>;
}

/** Undefined when there is to be none, or, with a word in the log, when none was asked for and none is possible. */
export async function startNodeAdmin(options: NodeAdminOptions): Promise<NodeAdmin | undefined> {
  const port = portOf(options.port);
  if (port === "off") return undefined;
  const token = makeToken();
  const server = await listen(options, token, port);
  if (server === undefined) return undefined;
  const { node, system, store, log } = options;
  const path = nodeAdminFile(besideStore(store, system), node);
  return {
    publish: async () => {
      try {
        await writeAdminFile(path, { system, url: server.url, token, pid: process.pid });
        return server.url;
      } catch (error) {
        const reason = { reason: error instanceof Error ? error.message : String(error) };
        if (givenToken() !== undefined) {
          log.info(
            "commands find the admin API by --admin and SYNOD_ADMIN_TOKEN only: its file cannot be written",
            reason,
          );
          return server.url;
        }
        log.warn(
          "there is no admin API: the file for its token cannot be written, and SYNOD_ADMIN_TOKEN says none",
          reason,
        );
        await server.close();
        return null;
      }
    },
    close: async () => {
      if ((await readAdminFile(path))?.token === token) await removeAdminFile(path);
      await server.close();
    },
  };
}

function portOf(text: string | undefined): number | "off" | undefined {
  if (text === undefined || text === "off") return text;
  const port = Number(text);
  if (/^\d+$/.test(text) && port <= 65_535) return port;
  throw new UsageError(`The admin port ${JSON.stringify(text)} is none: give a number from 0 to 65535, or off.`);
}

async function listen(
  { target, log }: NodeAdminOptions,
  token: string,
  asked: number | undefined,
): Promise<AdminServer | undefined> {
  if (asked !== undefined) return await startAdminServer({ port: asked, token, target });
  try {
    const usual = startAdminServer({ port: adminPortDefault, token, target });
    return await usual.catch(() => startAdminServer({ port: 0, token, target }));
  } catch (error) {
    log.warn(`there is no admin API: ${error instanceof Error ? error.message : String(error)}`);
    return undefined;
  }
}
