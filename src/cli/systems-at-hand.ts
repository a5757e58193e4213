/** Systems that a command measures or strikes: one that runs in this folder, or a place for one that is started for it. */
import { mkdir, mkdtemp, readdir, rm } from "node:fs/promises";
import { join } from "node:path";
import { adminFileEnding, readAdminFile } from "../admin/admin-file.ts";
import { adminClient } from "../admin/client.ts";
import type { AdminTarget, SystemReport } from "../admin/target.ts";
import { defaultFolder } from "../host/store-location.ts";

/** The system of this folder whose HTTP adapter answers there; undefined when there is none. */
export async function systemAt(
  url: URL,
): Promise<{ readonly client: AdminTarget; readonly report: SystemReport } | undefined> {
  const names = (await readdir(defaultFolder).catch(() => [])).filter((name) => name.endsWith(adminFileEnding));
  for (const name of names) {
    const file = await readAdminFile(join(defaultFolder, name));
    if (file === undefined) continue;
    const client = adminClient(file);
    const report = await client.report().catch(() => undefined);
    // A node on its own tells of itself only.
    if (report?.supervisorPid === null) continue;
    if (report?.http != null && new URL(report.http).host === url.host) return { client, report };
  }
  return undefined;
}

/** A store of its own for a system that is started for a while; removed at the end of its scope. */
export async function passingStore(what: string): Promise<{ readonly store: string } & AsyncDisposable> {
  await mkdir(defaultFolder, { recursive: true });
  const folder = await mkdtemp(join(defaultFolder, `${what}-`));
  return {
    store: `sqlite:${join(folder, "store.db")}`,
    [Symbol.asyncDispose]: () => rm(folder, { recursive: true, force: true }),
  };
}
