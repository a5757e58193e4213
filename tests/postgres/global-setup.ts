/** One server for all files of a run of the tests: started before the first, stopped after the last. */
import { type PostgresServer, startServer } from "./server.ts";

let server: PostgresServer | undefined;

export async function globalSetup(): Promise<void> {
  server = await startServer();
  process.env.SYNOD_TEST_POSTGRES = server.url;
}

export async function globalTeardown(): Promise<void> {
  await server?.[Symbol.asyncDispose]();
}
