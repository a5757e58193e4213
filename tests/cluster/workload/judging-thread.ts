/** The thread in which a history is judged while its clients go on. */
import { parentPort, workerData } from "node:worker_threads";
import type { HistoryEvent } from "../../../src/simulation/history.ts";
import { judge } from "./judgement.ts";

parentPort!.postMessage(judge(workerData as readonly HistoryEvent[]));
