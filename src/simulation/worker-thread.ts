/** Starts workers: threads that run seeds, or cases, of one scenario. */
import { Worker } from "node:worker_threads";
import type { WorkerTask } from "./worker.ts";

export function startWorker(task: WorkerTask): Worker {
  const fromSource = import.meta.url.endsWith(".ts");
  return new Worker(new URL(fromSource ? "./worker.ts" : "./worker.js", import.meta.url), {
    workerData: task,
    execArgv: [...process.execArgv, ...(fromSource ? ["--conditions=synod-source"] : [])],
  });
}
