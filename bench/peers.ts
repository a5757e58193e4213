/**
 * Programs that Synod is measured beside and that nothing else needs: they have a package of their own in
 * `bench/peers`, which is installed when a bench first wants it.
 */
import { execFileSync } from "node:child_process";
import { existsSync, readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { delimiter, dirname } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";

const folder = fileURLToPath(new URL("./peers/", import.meta.url));

/** Installs them unless they are there, each in the version that its package asks for. */
export function installPeers(): void {
  if (areInstalled()) return;
  console.error("Installing what Synod is measured beside into bench/peers: about 500 MB, once.");
  const env = {
    ...process.env,
    // By this Node: under an older one npm silently takes older packages.
    PATH: `${dirname(process.execPath)}${delimiter}${process.env.PATH}`,
    // One of them would report its installation to a company.
    SCARF_ANALYTICS: "false",
  };
  execFileSync("npm", ["install", "--no-audit", "--no-fund"], { cwd: folder, env, stdio: ["ignore", 2, "inherit"] });
}

function areInstalled(): boolean {
  const { dependencies } = readJson("package.json") as { readonly dependencies: Readonly<Record<string, string>> };
  return Object.entries(dependencies).every(([name, version]) => {
    const path = `node_modules/${name}/package.json`;
    return existsSync(`${folder}${path}`) && (readJson(path) as { readonly version: string }).version === version;
  });
}

function readJson(path: string): unknown {
  return JSON.parse(readFileSync(`${folder}${path}`, "utf8"));
}

/** One of them, as CommonJS or ES module. */
export async function peer<T>(name: string): Promise<T> {
  const resolve = createRequire(new URL("./peers/package.json", import.meta.url)).resolve;
  const module = (await import(pathToFileURL(resolve(name)).href)) as { default?: T } & T;
  return module.default ?? module;
}
