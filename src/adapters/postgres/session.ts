/**
 * A session with the primary for one long transaction: a backup that reads everything at one moment, a restore that writes
 * all or nothing. Unlike a `Connection` it is never made again, because what was lost with it cannot be.
 */
import { storeError } from "./failures.ts";
import { hangUp } from "./goodbye.ts";
import type { PostgresLocation } from "./location.ts";
import { Primary } from "./primary.ts";
import { quoted } from "./schema.ts";

export interface Session {
  /** Of several statements, the rows of the last one. Rejects with {@link SynodError}. */
  ask(text: string, values?: readonly unknown[]): Promise<readonly Readonly<Record<string, unknown>>[]>;
  close(): Promise<void>;
}

/**
 * Begins a transaction in the store's schema, at the newest primary of all hosts: a session has no lookouts and is not
 * fenced, so a former primary that lives on would not be found out.
 */
export async function beginSession(
  location: PostgresLocation,
  begin: string,
  primary: Primary = new Primary(location, undefined),
): Promise<Session> {
  const { client } = await primary.connectNewest("snapshot");
  let lost: Error | undefined;
  client.on("error", (error) => (lost = error));
  const ask: Session["ask"] = async (text, values) => {
    if (lost !== undefined) throw storeError(lost, location.name);
    try {
      const result = await client.query(values === undefined ? { text } : { text, values: [...values] });
      return (Array.isArray(result) ? result.at(-1) : result).rows;
    } catch (error) {
      throw storeError(error, location.name);
    }
  };
  const session: Session = { ask, close: () => hangUp(client) };
  try {
    await ask(`${begin}; SET LOCAL search_path = ${quoted(location.schema)}, pg_temp`);
    return session;
  } catch (error) {
    await session.close();
    throw error;
  }
}
