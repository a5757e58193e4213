/**
 * DBOS: a workflow for each command, with one step that does the upsert, on PostgreSQL. It is called in the load's
 * own process, so that no hop between a client and the service is counted against it.
 */
import { randomUUID } from "node:crypto";
import type { Run } from "../bench.ts";
import { openDbos } from "../dbos.ts";
import { measureDurable } from "./load.ts";
import { serve as servePostgres } from "./upsert.ts";

export const serve: typeof servePostgres = servePostgres;

export const run: Run = (options) =>
  measureDurable(
    import.meta.url,
    async (url) => {
      const { addEach, close } = await openDbos(url);
      return { add: async (key) => (await addEach(randomUUID(), [key]))[0]!, close };
    },
    options,
  );
