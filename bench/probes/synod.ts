/** The system at rest, without probes, with them, and without them again: code that is still being compiled must not count as either. */
import { readdirSync, readFileSync } from "node:fs";
import { availableParallelism } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { createLog } from "../../src/adapters/log/pino.ts";
import { type Measured, meterFor, stopMeasured } from "../../src/cli/supervised-target.ts";
import { Supervisor } from "../../src/host/supervisor.ts";
import type { Run } from "../bench.ts";

const nodes = 3;
const drainMs = 5_000;
/** After a start, and after the probers' start: code is compiled and connections are made. */
const restMs = 8_000;
/** After the probers' end: what they left to do is done. */
const calmMs = 1_000;
/** A tick of the kernel's accounts: `USER_HZ` is 100 wherever Node runs on Linux. */
const tickMs = 10;

export const run: Run = async ({ measureMs, folder }) => {
  const log = createLog({ format: "text", level: "error", name: "supervisor" });
  const supervisor = new Supervisor({
    systemFile: fileURLToPath(new URL("./system.ts", import.meta.url)),
    ...{ drainMs, nodes, port: 0, log, nodeLog: { format: "text", level: "error" }, quietStdout: true },
    store: `sqlite:${join(folder, "store.db")}`,
  });
  const measured: Measured = { meter: undefined };
  try {
    const place = await supervisor.prepare();
    const urls = await supervisor.start();
    await rest(restMs);
    const before = await busyPartWhile(measureMs);
    measured.meter = meterFor(supervisor, place, urls, { log, drills: false });
    await rest(restMs);
    const probed = await busyPartWhile(measureMs);
    await stopMeasured(measured);
    await rest(calmMs);
    const quiet = (before + (await busyPartWhile(measureMs))) / 2;
    return {
      value: 100 * (1 - Math.max(0, probed - quiet)),
      details: [
        { name: "busy at rest", unit: "%", value: 100 * quiet },
        { name: "busy while probed", unit: "%", value: 100 * probed },
      ],
    };
  } finally {
    await stopMeasured(measured);
    await supervisor.stop(drainMs);
  }
};

/** The part of the machine's processor time that this process and all that it started take. */
async function busyPartWhile(ms: number): Promise<number> {
  const [before, began] = [busyMs(), performance.now()];
  await rest(ms);
  return (busyMs() - before) / (performance.now() - began) / availableParallelism();
}

function busyMs(): number {
  const all = readdirSync("/proc").flatMap((name) => (/^\d+$/.test(name) ? (accountOf(name) ?? []) : []));
  const children = Map.groupBy(all, ({ parent }) => parent);
  const treeMs = (pid: number): number =>
    (children.get(pid) ?? []).reduce((sum, child) => sum + child.ms + treeMs(child.pid), 0);
  return treeMs(process.pid) + all.find(({ pid }) => pid === process.pid)!.ms;
}

/** proc(5): after the name in parentheses stand the state, the parent and, as the 12th and 13th, user and system time. */
function accountOf(pid: string): { readonly pid: number; readonly parent: number; readonly ms: number } | undefined {
  try {
    const text = readFileSync(`/proc/${pid}/stat`, "latin1");
    const fields = text.slice(text.lastIndexOf(")") + 2).split(" ");
    return { pid: Number(pid), parent: Number(fields[1]), ms: (Number(fields[11]) + Number(fields[12])) * tickMs };
  } catch {
    // It has ended meanwhile.
    return undefined;
  }
}

function rest(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}
