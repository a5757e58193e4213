/** A worker of a campaign: a thread that runs seeds, or cases, of one scenario, one after the other, and sends the results. */
import { parentPort, workerData } from "node:worker_threads";
import { invariant } from "../errors.ts";
import type { CaseOptions } from "./case.ts";
import { mutations } from "./mutations.ts";
import { loadPrinting } from "./scenario-file.ts";
import { simulate } from "./simulate.ts";
import { replaceSurroundings } from "./user-code/install.ts";

/** What a worker is started with. */
export interface WorkerTask {
  readonly file: string;
  readonly mutation: string | undefined;
}

// Before any package of the user is loaded, and for good: some keep the functions that they find.
replaceSurroundings();

const { file, mutation: name } = workerData as WorkerTask;
const port = parentPort;
invariant(port !== null, "a worker has a parent");

// Whoever started the worker has loaded the file, too, and printed that.
const scenario = await loadPrinting(file, () => {});
const mutation = mutations.find((one) => one.name === name);

port.on("message", (options: CaseOptions) => {
  void simulate({ ...options, scenario, ...(mutation && { mutation }) }).then((result) => port.postMessage(result));
});
port.postMessage("ready");
