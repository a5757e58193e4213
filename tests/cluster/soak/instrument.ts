/**
 * What each process of a cluster under the soak loads before anything else (`--import`, through NODE_OPTIONS): its links
 * go through the fault proxy, its wall clock is one that can be set, and a defect may be put into it. So the runtime has
 * no switch for any of this: what is not started with this file cannot be tampered with.
 */
import { Socket } from "node:net";
import { basename, join } from "node:path";
import { argv, env } from "node:process";
import { isMainThread } from "node:worker_threads";
import { type Instrumentation, instrumentationVariable, linkAddressOf } from "./instrumentation.ts";

const settings = JSON.parse(env[instrumentationVariable] ?? "{}") as Partial<Instrumentation>;
/** The node that this process is; the supervisor is none. */
const node = /^node-process\.[jt]s$/.test(basename(argv[1] ?? "")) ? nodeOf(argv[2]) : undefined;

if (settings.defect !== undefined) await (await import("./breaks.ts")).breaks[settings.defect]!.install();
if (node !== undefined && isMainThread) {
  // libfaketime looks for the variable each time that it reads the file.
  if (settings.clocks !== undefined) env.FAKETIME_TIMESTAMP_FILE = join(settings.clocks, node);
  if (settings.proxyPort !== undefined) dialThrough(settings.proxyPort, node, settings.ownAddresses === true);
}

function nodeOf(text: string | undefined): string {
  return (JSON.parse(text ?? "{}") as { readonly node: string }).node;
}

type Place = { readonly host: string; readonly port: number };

/** A node process dials other nodes, as an object says it, and a store's server, whose client says a port and a host. */
function dialThrough(proxyPort: number, from: string, ownAddress: boolean): void {
  const dial = Socket.prototype.connect as (this: Socket, ...words: readonly unknown[]) => Socket;
  const instrumented = function (this: Socket, place: Place | number, ...rest: readonly unknown[]): Socket {
    if (typeof place === "number") return dial.call(this, place, ...rest);
    const { host, port } = place;
    const local = ownAddress ? { localAddress: linkAddressOf(from) } : {};
    dial.call(this, { host: "127.0.0.1", port: proxyPort, ...local });
    this.write(`${JSON.stringify({ from, to: `${host}:${port}`, host, port })}\n`);
    return this;
  };
  Socket.prototype.connect = instrumented as typeof Socket.prototype.connect;
}
