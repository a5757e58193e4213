/** Starts workers: threads that run seeds, or cases, of one scenario. */
import { Worker } from "node:worker_threads";
import type { WorkerTask } from "./worker.ts";

/** Flags of Node that say what is loaded, with `=` or with their value behind them. */
const loadingFlag = /^(?:-C|--conditions|-r|--require|--import|--loader|--experimental-loader)(?:=|$)/;

export function startWorker(task: WorkerTask): Worker {
  // Without `execArgv` it inherits the flags of the process, also those that may not be given to a worker.
  if (!import.meta.url.endsWith(".ts"))
    return new Worker(new URL("./worker.js", import.meta.url), { workerData: task });
  return new Worker(new URL("./worker.ts", import.meta.url), {
    workerData: task,
    execArgv: [...loadingFlags(process.execArgv), "--conditions=synod-source"],
  });
}

function loadingFlags(flags: readonly string[]): string[] {
  return flags.flatMap((flag, index) => {
    if (!loadingFlag.test(flag)) return [];
    return flag.includes("=") ? [flag] : [flag, ...flags.slice(index + 1, index + 2)];
  });
}
