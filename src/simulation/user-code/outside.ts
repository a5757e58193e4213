/**
 * The outside world, of which a run has none: network, files, processes, and what differs from one machine to the next.
 * Whoever reaches for it is told so, and the run with him: an error that he catches would otherwise hide that less was
 * simulated than he thinks.
 */
import type { Place } from "./place.ts";
import { atPlaces, type Doing, type Replacement, readAtPlaces } from "./replacement.ts";
import { userLine, withStacks } from "./user-line.ts";

/** Thrown at code that reaches for what a run does not have. */
class NoOutsideWorldError extends Error {
  override readonly name = "NoOutsideWorldError";
}

const advice = {
  io: "A run has no outside world: put it behind a stateless interface, and `replace` that in the scenario.",
  machine: "What the real machine says differs from run to run: put it behind a stateless interface and `replace` it.",
  chance: "Its chance does not come from the seed: put it behind a stateless interface and `replace` it.",
  thread: "A run cannot wait for another thread in it: use the function whose name ends in Sync.",
  ending: "A run ends a process by its faults: throw an error instead.",
} as const;

type Advice = keyof typeof advice;

/** Tells of it, and throws. */
export function refuse(place: Place, sentence: string): never {
  // The place in the file comes on a line of its own: it differs from machine to machine, and the trace must not.
  const error = new NoOutsideWorldError(
    `user code ${sentence}\n    at ${userLine(withStacks(() => new Error())) ?? "a package"}`,
  );
  place.refused(error.message);
  throw error;
}

export function refusal(called: string, kind: Advice): Doing {
  return (place) => refuse(place, `calls ${called}. ${advice[kind]}`);
}

/** What modules may do while they are loaded. */
function refusalOnceLoaded(called: string, kind: Advice): Doing {
  const refusing = refusal(called, kind);
  return (place, args, real) => (place.loads > 0 ? real() : refusing(place, args, real));
}

/** Names of functions and classes of Node's modules, by what is wrong with them in a run. */
const refused: Readonly<Record<string, { readonly names: readonly string[] | "all"; readonly advice: Advice }>> = {
  "node:child_process": { names: "all", advice: "io" },
  "node:cluster": { names: ["fork", "setupPrimary"], advice: "io" },
  "node:dgram": { names: ["createSocket", "Socket"], advice: "io" },
  "node:dns": { names: "all", advice: "io" },
  "node:dns/promises": { names: "all", advice: "io" },
  "node:http": { names: ["request", "get"], advice: "io" },
  "node:https": { names: ["request", "get"], advice: "io" },
  "node:http2": { names: ["connect"], advice: "io" },
  "node:inspector": { names: ["open"], advice: "io" },
  "node:net": { names: ["connect", "createConnection"], advice: "io" },
  "node:tls": { names: ["connect"], advice: "io" },
  "node:worker_threads": { names: ["Worker", "MessageChannel", "BroadcastChannel"], advice: "io" },
  "node:zlib": {
    names:
      "createDeflate createInflate createDeflateRaw createInflateRaw createGzip createGunzip createUnzip createBrotliCompress createBrotliDecompress createZstdCompress createZstdDecompress".split(
        " ",
      ),
    advice: "thread",
  },
};

/** The same, but allowed while modules are loaded. */
const refusedOnceLoaded: typeof refused = {
  "node:fs": { names: "all", advice: "io" },
  "node:fs/promises": { names: "all", advice: "io" },
  "node:os": { names: ["freemem", "loadavg", "uptime"], advice: "machine" },
  "node:perf_hooks": { names: ["monitorEventLoopDelay", "eventLoopUtilization"], advice: "machine" },
  "node:v8": { names: ["getHeapStatistics", "getHeapSpaceStatistics"], advice: "machine" },
};

/** Writing to what is open already; output.ts has these. */
const printing = new Set(["write", "writeSync", "writev", "writevSync"]);

function functionsOf(module: object, names: readonly string[] | "all"): string[] {
  if (names !== "all") return names.filter((name) => name in module);
  return Object.keys(module).filter((name) => {
    if (!/^[a-z]/.test(name) || printing.has(name)) return false;
    return typeof (module as Readonly<Record<string, unknown>>)[name] === "function";
  });
}

function refusalsIn(table: typeof refused, refusing: typeof refusal): Replacement[] {
  return Object.entries(table).flatMap(([specifier, { names, advice: kind }]) => {
    const module = process.getBuiltinModule(specifier) as object;
    const shown = specifier.slice("node:".length).replace("/", ".");
    return functionsOf(module, names).map((name) =>
      atPlaces(module, name, refusing(`${shown}.${name}${/^[A-Z]/.test(name) ? "" : "()"}`, kind)),
    );
  });
}

const globals = ["fetch", "WebSocket", "EventSource", "MessageChannel", "BroadcastChannel"];
const processEnds = ["exit", "abort", "kill", "chdir"];
const processReadings = [
  "memoryUsage",
  "cpuUsage",
  "threadCpuUsage",
  "resourceUsage",
  "availableMemory",
  "constrainedMemory",
];
/** They would listen to the real process, for as long as it lives. */
const processListeners = ["on", "once", "addListener", "prependListener", "prependOnceListener"];

export function outsideReplacements(): Replacement[] {
  const net = process.getBuiltinModule("node:net");
  const os = process.getBuiltinModule("node:os");
  // The exports of this module are not live, so that the class cannot be replaced, only what it does.
  const { DatabaseSync } = process.getBuiltinModule("node:sqlite");
  return [
    ...refusalsIn(refused, refusal),
    ...refusalsIn(refusedOnceLoaded, refusalOnceLoaded),
    // What every client and every server of a package comes to in the end.
    atPlaces(net.Socket.prototype, "connect", refusal("Socket.connect()", "io")),
    atPlaces(net.Server.prototype, "listen", refusal("Server.listen()", "io")),
    ...["exec", "prepare", "open"].map((name) =>
      atPlaces(DatabaseSync.prototype, name, refusal(`DatabaseSync.${name}()`, "io")),
    ),
    ...globals.map((name) => atPlaces(globalThis, name, refusal(name === "fetch" ? "fetch()" : name, "io"))),
    ...processEnds.map((name) => atPlaces(process, name, refusal(`process.${name}()`, "ending"))),
    // The function has this one written on it.
    atPlaces(process.memoryUsage, "rss", refusalOnceLoaded("process.memoryUsage.rss()", "machine")),
    ...processReadings.map((name) => atPlaces(process, name, refusalOnceLoaded(`process.${name}()`, "machine"))),
    readAtPlaces(process, "pid", ({ pid }) => pid),
    atPlaces(os, "hostname", ({ name }) => name),
    ...processListeners.map((name) => atPlaces(process, name, () => process)),
    atPlaces(Atomics, "wait", refusal("Atomics.wait()", "thread")),
    atPlaces(Atomics, "waitAsync", refusal("Atomics.waitAsync()", "thread")),
  ];
}
