/** What a command goes by: its flags, then the environment (both from Commander), then the system file's settings. */

import type { TlsFiles } from "../adapters/tcp/identity.ts";
import type { SystemSettings } from "../service/settings.ts";
import { UsageError } from "./exit.ts";

/** The settings as flags and environment gave them. */
export type GivenSettings = { readonly [Name in keyof SystemSettings]: string | undefined };

/** What the system file says is filled in where nothing else is said. */
export function settle(given: GivenSettings, fromFile: SystemSettings = {}): SystemSettings {
  const said = Object.entries(given).filter(([, value]) => value !== undefined);
  return { ...fromFile, ...Object.fromEntries(said) };
}

/** The setting, or a sentence that says how to give it. */
export function required(settings: SystemSettings, name: keyof SystemSettings, flag: string): string {
  const value = settings[name];
  if (value !== undefined) return value;
  const ways = `${flag}, SYNOD_${flag.slice(2).replaceAll("-", "_").toUpperCase()}, or \`settings: { ${name} }\``;
  throw new UsageError(`Say ${flag.slice(2)}: by ${ways} in the system file.`);
}

/** The certificate files: all three or none. */
export function tlsFiles({ tlsCert, tlsKey, tlsCa }: SystemSettings): TlsFiles | undefined {
  if (tlsCert === undefined && tlsKey === undefined && tlsCa === undefined) return undefined;
  if (tlsCert !== undefined && tlsKey !== undefined && tlsCa !== undefined) {
    return { cert: tlsCert, key: tlsKey, ca: tlsCa };
  }
  throw new UsageError("A node's certificate needs all of --tls-cert, --tls-key and --tls-ca.");
}
