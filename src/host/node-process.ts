/**
 * The main program of a node process, forked by a supervisor. It is the only process that runs the user's
 * code. It does what the supervisor says (messages.ts), and should the supervisor be gone it drains on its
 * own and ends, so that no node is left behind without anybody who knows of it.
 */
import { flushCompileCache } from "node:module";
import type { Server } from "node:net";
import { setPriority } from "node:os";
import { createLog, type LogOptions } from "../adapters/log/pino.ts";
import { tcpNetwork } from "../adapters/tcp/network.ts";
import { SynodError } from "../errors.ts";
import type { ConnectionHandle, ListenTarget } from "../ports/gateway.ts";
import type { Store } from "../ports/store.ts";
import { withoutLoadControl } from "../runtime/limits.ts";
import type { AnySystem } from "../service/model.ts";
import { doorsMs } from "./drain-time.ts";
import { DrillConduct } from "./drills/conduct.ts";
import { toErrorFacts } from "./error-facts.ts";
import { type HostedNode, hostNode, type PassOnOf } from "./hosted-node.ts";
import { tellLeftPromises } from "./left-promises.ts";
import { holdSocket, listenAddress } from "./listening-socket.ts";
import type { FromNode, Question, Questions, SystemFacts, ToNode } from "./messages.ts";
import { leaveOthersTheirHeap } from "./node-heap.ts";
import { withOwnServices } from "./own-services.ts";
import { serviceFacts } from "./service-facts.ts";
import { parseStoreUrl } from "./store-location.ts";
import { loadSystem } from "./system-file.ts";
import { within } from "./within.ts";

/** What the supervisor gives a node process on its command line, as JSON. */
export interface NodeProcessArguments {
  readonly node: string;
  readonly systemFile: string;
  /** For a drain that nobody asked for, because the supervisor is gone. */
  readonly drainMs: number;
  readonly log: Pick<LogOptions, "format" | "level">;
  /** How it is run to be measured; as in production when absent. */
  readonly measured?: MeasuredConduct;
  /** Whether it takes part in drills. */
  readonly drills?: boolean;
}

/** What differs in a node that is being measured. */
export interface MeasuredConduct {
  /** False: nothing is turned away before its deadline, to see what load control is for. */
  readonly loadControl: boolean;
  /** How far behind the load it stands when both want the same processor: 0 to 19, as `nice` has it. */
  readonly niceness: number;
}

const anyLoopbackPort = "127.0.0.1:0";

leaveOthersTheirHeap();
const settings = JSON.parse(process.argv[2] ?? "null") as NodeProcessArguments;
const log = createLog({ ...settings.log, name: settings.node });
const listen: ListenTarget[] = [];
const drill = settings.drills === true ? new DrillConduct() : undefined;
let system: AnySystem;
let hosted: HostedNode | undefined;
/** A start that is under way; never rejects. */
let starting: Promise<void> | undefined;
let stopping = false;
const givesUp = new AbortController();

// Ctrl-C reaches the whole process group: the supervisor decides what follows from it.
process.on("SIGINT", () => {});
process.on("SIGHUP", () => {});
// So may this; or it was sent to this node alone. Without a supervisor the node drains already.
process.on("SIGTERM", () => tell({ type: "terminated" }));
process.on("disconnect", () => void leaveAlone());
process.on("uncaughtException", (error) => fail(error));
tellLeftPromises(settings.systemFile, log);
process.on("message", (message: ToNode, handle?: Server) => {
  receive(message, handle).catch(fail);
});

// Before any thread is made: each takes it over from the one that makes it.
if (settings.measured) setPriority(settings.measured.niceness);
await load().catch(fail);

async function load(): Promise<void> {
  const declared = await loadSystem(settings.systemFile, (words) => log.warn(words));
  tell({ type: "loaded", system: factsOf(declared) });
  system = withOwnServices(declared, drill !== undefined);
}

async function receive(message: ToNode, handle: Server | undefined): Promise<void> {
  switch (message.type) {
    case "hold":
      return await holdSocket(handle!, message.host, message.port);
    case "listen": {
      const url = `http://${listenAddress(message.host, message.port)}`;
      listen[message.adapter] = { handle: handle!, url };
      return;
    }
    case "start":
      return await start(message.store, message.expectedMembers);
    case "refresh":
      return hosted?.node.refresh();
    case "ask":
      return await answer(message.id, message.question, message.ask);
    case "connection":
      return hosted?.adopt(message.adapter, handle as unknown as ConnectionHandle);
    case "drain":
      return await stop(message.drainMs, message.passOn ? passOn : undefined);
  }
}

async function start(storeText: string, expectedMembers: number): Promise<void> {
  const store = parseStoreUrl(storeText, system.name);
  const network = drill?.network(tcpNetwork()) ?? tcpNetwork();
  const opening = hostNode({
    node: settings.node,
    // The supervisor sees to it that no other process of its own has this name.
    nameIsOwn: true,
    system,
    store,
    // A store in this process's memory has no other members.
    ...(store.kind !== "memory" && { network: { network, listen: anyLoopbackPort } }),
    ...(drill && { faultyStore: (opened: Store) => drill.store(opened) }),
    expectedMembers,
    givesUp: givesUp.signal,
    log,
    adapters: system.adapters,
    listen,
    ...(settings.measured?.loadControl === false && { limits: withoutLoadControl }),
    onJoined: (incarnation) => tell({ type: "joined", incarnation }),
  });
  starting = opening.then(
    () => {},
    () => {},
  );
  hosted = await opening;
  tell({ type: "ready", urls: hosted.urls, address: hosted.node.status().address });
  // Now and not at the end, which may be a crash: what has been compiled need not be compiled again.
  flushCompileCache();
  const reason = await hosted.stopped;
  if (!stopping) fail(reason ?? new SynodError("internal", `${settings.node} stopped on its own`));
}

/** Drains, then ends the process. A start is finished first, so that the node can leave the membership in order. */
async function stop(drainMs: number, passOnOf?: PassOnOf): Promise<void> {
  if (stopping) return;
  stopping = true;
  givesUp.abort();
  const asked = performance.now();
  if (starting) await within(starting, drainMs);
  await hosted?.stop(Math.max(0, drainMs - (performance.now() - asked)), passOnOf);
  process.exit(0);
}

/**
 * The supervisor is gone, and all nodes notice it at the same instant. So the doors first: as long as a node has calls
 * inside, it takes over what those that are done leave behind. Nodes that all drain at once would have nobody to give
 * their shards to, and each call for one of them would wait until the drain is over, while nobody answers at the address.
 */
async function leaveAlone(): Promise<void> {
  if (stopping) return;
  log.warn("the supervisor is gone: draining");
  const started = performance.now();
  await hosted?.closeDoors(doorsMs(settings.drainMs));
  await stop(Math.max(0, settings.drainMs - (performance.now() - started)));
}

/** Gives idle connections to the supervisor, which gives them to a node that stays. */
function passOn(adapter: number): (connection: ConnectionHandle) => Promise<void> {
  return (connection) =>
    new Promise((resolve) => {
      const gone = (): void => {
        connection.close();
        resolve();
      };
      const message: FromNode = { type: "connection", adapter };
      if (process.connected) process.send!(message, connection as unknown as Server, {}, gone);
      else gone();
    });
}

async function answer(id: number, question: Question, ask: unknown): Promise<void> {
  try {
    tell({ type: "answer", id, answer: await answers[question](ask as never) });
  } catch (thrown) {
    tell({ type: "refusal", id, error: toErrorFacts(thrown) });
  }
}

const answers: { [Q in Question]: (ask: Questions[Q]["ask"]) => Promise<Questions[Q]["answer"]> } = {
  status: async () => serving().node.status(),
  meters: async () => serving().meters(),
  counts: async () => serving().counts(),
  inspect: ({ service, key }) => serving().node.inspect(service, key),
  call: (call) => serving().node.gateway.call(call),
  work: (query) => serving().node.work(query),
  workDetails: ({ id }) => serving().node.workDetails(id),
  operate: async ({ id, action }) => {
    await serving().node.operate(id, action);
    return null;
  },
  ping: async () => null,
  suffer: async (order) => {
    drill?.suffer(order);
    return null;
  },
  closeDoors: async ({ drainMs }) => {
    await hosted?.closeDoors(drainMs);
    return null;
  },
};

function serving(): HostedNode {
  if (!hosted) throw new SynodError("unavailable", `${settings.node} does not serve yet`);
  return hosted;
}

/** Says why, and ends the process: what is left is the supervisor's to clean up. */
function fail(thrown: unknown): void {
  const message: FromNode = { type: "failed", error: toErrorFacts(thrown) };
  const end = (unheard: Error | null): void => {
    // Whoever finds a node that has ended without a supervisor has nothing but the log.
    if (unheard) log.error(`${settings.node} has failed, and its supervisor is gone`, { error: thrown });
    process.exit(1);
  };
  if (process.connected) process.send!(message, end);
  else end(new Error("the supervisor is gone"));
}

/** What a supervisor does not hear that has just died is nobody's loss: `disconnect` follows. */
function tell(message: FromNode): void {
  if (process.connected) process.send!(message, () => {});
}

function factsOf(system: AnySystem): SystemFacts {
  const { name, adapters, settings, availability } = system;
  return {
    name,
    store: settings?.store,
    ...(availability && { availability }),
    adapters: adapters.map((adapter) => ({ name: adapter.name, ...adapter.address })),
    services: serviceFacts(system),
  };
}
