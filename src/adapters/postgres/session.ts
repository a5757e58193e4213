/**
 * A session with the primary for one long transaction: a backup that reads everything at one moment, a restore that writes
 * all or nothing. Unlike a {@link Connection} it is never made again, because what was lost with it cannot be.
 */
import { Client } from "pg";
import { SynodError } from "../../errors.ts";
import { messageOf, storeError } from "./failures.ts";
import type { PostgresLocation } from "./location.ts";
import { quoted } from "./schema.ts";
import { serverFault } from "./server.ts";

const connectMaxMs = 2_000;

export interface Session {
  /** Of several statements, the rows of the last one. Rejects with {@link SynodError}. */
  ask(text: string, values?: readonly unknown[]): Promise<readonly Readonly<Record<string, unknown>>[]>;
  close(): Promise<void>;
}

/** Begins a transaction in the store's schema. */
export async function beginSession(location: PostgresLocation, begin: string): Promise<Session> {
  const client = await connect(location);
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
  const session: Session = { ask, close: async () => void (await client.end().catch(() => undefined)) };
  try {
    await ask(`${begin}; SET LOCAL search_path = ${quoted(location.schema)}, pg_temp`);
    return session;
  } catch (error) {
    await session.close();
    throw error;
  }
}

/** The first of the hosts that is the primary. */
async function connect(location: PostgresLocation): Promise<Client> {
  const reasons: string[] = [];
  for (const server of location.servers) {
    const client = new Client({
      connectionString: server,
      connectionTimeoutMillis: connectMaxMs,
      application_name: "synod snapshot",
    });
    client.on("error", () => {});
    try {
      await client.connect();
      const fault = await serverFault(client, location);
      if (fault === undefined) return client;
      reasons.push(fault.reason);
    } catch (error) {
      reasons.push(messageOf(error));
    }
    await client.end().catch(() => undefined);
  }
  throw new SynodError("unavailable", `${location.name} cannot be reached: ${[...new Set(reasons)].join("; ")}`);
}
