/** DBOS in this process: a workflow whose steps are upserts of counters. */
import { Step } from "./counter.ts";
import { countersTable, openPool, type Pool, upsertCounter } from "./durable/upsert.ts";
import { peer } from "./peers.ts";

/** One step for each key; answers the counts. */
type AddEach = (keys: readonly string[], by: number) => Promise<readonly number[]>;

interface Dbos {
  setConfig(config: object): void;
  registerWorkflow(workflow: AddEach, options: { readonly name: string }): AddEach;
  runStep(step: () => Promise<number>, options: { readonly name: string }): Promise<number>;
  withNextWorkflowID<Value>(id: string, callback: () => Promise<Value>): Promise<Value>;
  launch(): Promise<void>;
  shutdown(): Promise<void>;
}

interface Registered {
  readonly dbos: Dbos;
  readonly addEach: AddEach;
}

export interface OpenDbos {
  /** `id`: of the workflow, which runs once under it. */
  addEach(id: string, keys: readonly string[]): Promise<readonly number[]>;
  close(): Promise<void>;
}

let pool: Pool | undefined;
/** Workflows are registered once in the life of a process. */
let registered: Registered | undefined;

async function register(): Promise<Registered> {
  const { DBOS: dbos } = await peer<{ DBOS: Dbos }>("@dbos-inc/dbos-sdk");
  const addEach: AddEach = async (keys, by) => {
    const counts: number[] = [];
    for (const key of keys) counts.push(await dbos.runStep(() => upsertCounter(pool!, key, by), { name: "upsert" }));
    return counts;
  };
  return { dbos, addEach: dbos.registerWorkflow(addEach, { name: "addEach" }) };
}

export async function openDbos(url: string): Promise<OpenDbos> {
  pool = await openPool(url);
  await pool.query(countersTable);
  registered ??= await register();
  const { dbos, addEach } = registered;
  dbos.setConfig({ name: "bench", systemDatabaseUrl: url, logLevel: "error" });
  await dbos.launch();
  return {
    addEach: (id, keys) => dbos.withNextWorkflowID(id, () => addEach(keys, Step.parse({ by: 1 }).by)),
    close: async () => {
      await dbos.shutdown();
      await pool!.end();
    },
  };
}
