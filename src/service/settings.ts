/** What a system file may say of where and how its nodes run. */
import { checkMembers, definitionError } from "./definition.ts";

/**
 * Settings of the nodes, each under the name of the flag of `synod up` and `synod node` that it stands for. A flag goes
 * before the environment (`SYNOD_STORE` for `store`), and the environment before these. Paths count from where the
 * command is run.
 *
 * @example
 * ```ts
 * import type { SystemSettings } from "synod";
 *
 * const settings: SystemSettings = { store: "sqlite:data/bank.db" };
 * console.assert(settings.listen === undefined);
 * ```
 */
export interface SystemSettings {
  /** Where state lives: `sqlite:PATH` or `postgres://…`. */
  readonly store?: string;
  /** Of `synod node`: `HOST:PORT` for links from other nodes. */
  readonly listen?: string;
  /** Of `synod node`: the `HOST:PORT` at which other nodes find this one, where it is another than `listen`. */
  readonly advertise?: string;
  /** PEM files with this node's certificate, its key, and the authorities that certify nodes. */
  readonly tlsCert?: string;
  readonly tlsKey?: string;
  readonly tlsCa?: string;
  /** Of `synod node`: the port of its admin API, on loopback; `0` takes a free one, `off` has none. */
  readonly adminPort?: string;
}

const names: readonly string[] = ["store", "listen", "advertise", "tlsCert", "tlsKey", "tlsCa", "adminPort"];

export function checkSettings(settings: SystemSettings, subject: string): void {
  checkMembers(settings, names, `the settings of ${subject}`);
  for (const [name, value] of Object.entries(settings)) {
    if (value === undefined || (typeof value === "string" && value !== "")) continue;
    throw definitionError(`the setting ${name} of ${subject} is a text, such as it would be after its flag`);
  }
  if (settings.store?.startsWith("memory:")) {
    throw definitionError(`${subject} cannot settle for a store in memory: say \`synod up --store memory:\` each time`);
  }
}
