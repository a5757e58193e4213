/** Measures the HTTP server of this process with a load from another one. */
import { fork } from "node:child_process";
import { fileURLToPath } from "node:url";
import type { Measured, RunOptions } from "../bench.ts";
import { counterKeys } from "../counter.ts";
import { processorDetail, processorMicroseconds } from "../processor-time.ts";
import { httpVariant } from "./bench.ts";
import type { FromLoad, HttpLoad } from "./load-process.ts";

const connections = 64;
export const httpKeys: readonly string[] = counterKeys(1_000);
/** A load that is busier than this may have been what held the rate down. */
const loadBusyMax = 0.9;

interface Mark {
  readonly processor: number;
  readonly utilization: ReturnType<typeof performance.eventLoopUtilization>;
}

type Ended = Extract<FromLoad, { kind: "ended" }>;

export async function measureHttp(port: number, options: RunOptions): Promise<Measured> {
  const { request, answer } = httpVariant(options.variant);
  const { settleMs, measureMs } = options;
  const load: HttpLoad = { port, connections, settleMs, measureMs, requests: httpKeys.map(request), answer };
  let begun = note();
  const { completed, perSecond, busy } = await loaded(load, () => {
    begun = note();
  });
  const ended = note();
  const serverBusy = performance.eventLoopUtilization(ended.utilization, begun.utilization).utilization;
  return {
    value: perSecond,
    details: [
      processorDetail("request", begun.processor, ended.processor, completed),
      { name: "server's event loop busy", unit: "of 1", value: serverBusy },
      { name: "load's event loop busy", unit: "of 1", value: busy },
    ],
    doubt: busy > loadBusyMax && busy > serverBusy ? "the load was busier than the server" : undefined,
  };
}

function note(): Mark {
  return { processor: processorMicroseconds(), utilization: performance.eventLoopUtilization() };
}

/** Runs the load in a process of its own; rejects when it fails. */
function loaded(load: HttpLoad, onBegun: () => void): Promise<Ended> {
  const process = fork(fileURLToPath(new URL("./load-process.ts", import.meta.url)), { execArgv: [] });
  const ended = new Promise<Ended>((resolve, reject) => {
    process.on("message", (message: FromLoad) => {
      if (message.kind === "begun") onBegun();
      else if (message.kind === "ended") resolve(message);
      else reject(new Error(message.message));
    });
    process.on("error", reject);
    process.on("exit", (code) => reject(new Error(`the process of the load ended (${code})`)));
  });
  process.send(load);
  return ended.finally(() => process.kill());
}
