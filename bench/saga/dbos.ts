/**
 * DBOS: a workflow of three steps, each of which does an upsert, on PostgreSQL, in the load's own process, so that no
 * hop is counted against it.
 */
import type { Run } from "../bench.ts";
import { openDbos } from "../dbos.ts";
import { serve as servePostgres } from "../durable/upsert.ts";
import { measureSagas } from "./load.ts";

export const serve: typeof servePostgres = servePostgres;

export const run: Run = (options) =>
  measureSagas(
    import.meta.url,
    async (url) => {
      const { addEach, close } = await openDbos(url);
      return { travel: ({ id, stops }) => addEach(id, stops), close };
    },
    options,
  );
