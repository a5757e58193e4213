/**
 * Programs that Synod is measured beside and that nothing else needs: they have a package of their own in
 * `bench/peers`, which is installed when a bench first wants it.
 */
import { execFileSync } from "node:child_process";
import { existsSync } from "node:fs";
import { createRequire } from "node:module";
import { fileURLToPath } from "node:url";

const folder = fileURLToPath(new URL("./peers/", import.meta.url));

/** Installs them unless they are there. */
export function installPeers(): void {
  if (existsSync(new URL("./peers/node_modules", import.meta.url))) return;
  console.error("Installing what Synod is measured beside into bench/peers.");
  execFileSync("npm", ["install", "--no-audit", "--no-fund"], { cwd: folder, stdio: ["ignore", "ignore", "inherit"] });
}

/** One of them, as CommonJS or ES module. */
export async function peer<T>(name: string): Promise<T> {
  const resolve = createRequire(new URL("./peers/package.json", import.meta.url)).resolve;
  const module = (await import(resolve(name))) as { default?: T } & T;
  return module.default ?? module;
}
