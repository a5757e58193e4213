/** The thread of the least programs: one transaction for each batch, synced to disk before it is answered. */
import { parentPort, workerData } from "node:worker_threads";
import { openDurable } from "../commands/durable-file.ts";

export interface Opening {
  readonly path: string;
  readonly epoch: number;
}

export interface Batch {
  readonly epoch: number;
  /** Key and state of every counter that changed, one after the other. */
  readonly states: readonly string[];
  /** Id, input and reply of every command that a repeat of would be told, one after the other. */
  readonly records: readonly string[];
}

const port = parentPort!;
const { path, epoch } = workerData as Opening;
const database = openDurable(path);
database.exec(`
  CREATE TABLE ownership (epoch INTEGER NOT NULL) STRICT;
  CREATE TABLE counters (key TEXT PRIMARY KEY, state TEXT NOT NULL) STRICT, WITHOUT ROWID;
  CREATE TABLE records (id TEXT PRIMARY KEY, input TEXT NOT NULL, reply TEXT NOT NULL) STRICT, WITHOUT ROWID;
`);
database.prepare("INSERT INTO ownership VALUES (?)").run(epoch);

const begin = database.prepare("BEGIN IMMEDIATE");
const commit = database.prepare("COMMIT");
const currentEpoch = database.prepare("SELECT epoch FROM ownership");
const put = database.prepare(
  "INSERT INTO counters VALUES (?, ?) ON CONFLICT (key) DO UPDATE SET state = excluded.state",
);
const record = database.prepare("INSERT INTO records VALUES (?, ?, ?)");

port.on("message", ({ epoch, states, records }: Batch) => {
  begin.run();
  if (currentEpoch.get()?.epoch !== epoch) throw new Error("the counters have another owner");
  for (let at = 0; at < states.length; at += 2) put.run(states[at]!, states[at + 1]!);
  for (let at = 0; at < records.length; at += 3) record.run(records[at]!, records[at + 1]!, records[at + 2]!);
  commit.run();
  port.postMessage("committed");
});
port.postMessage("open");
