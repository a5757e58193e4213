/**
 * A system that a command starts for itself and ends with: under a supervisor of its own, on free ports, on a store that is removed at
 * the end unless another one is given, and heard only when something is wrong.
 */
import { createLog } from "../adapters/log/pino.ts";
import { type SupervisedPlace, Supervisor, type SupervisorOptions } from "../host/supervisor.ts";
import { passingStore } from "./systems-at-hand.ts";

export interface PassingSystem {
  readonly supervisor: Supervisor;
  readonly place: SupervisedPlace;
  /** Where its adapters answer. */
  readonly urls: readonly string[];
  /** Stops it and removes what it left; also to be called when what its owner does with it fails. */
  readonly end: () => Promise<void>;
}

export interface PassingOptions extends Pick<SupervisorOptions, "systemFile" | "nodes" | "measured" | "drills"> {
  /** What it is for: its folder is called so. */
  readonly purpose: string;
  /** Instead of a store of its own. */
  readonly store: string | undefined;
  /** Whether Ctrl-C ends it and the command at once, from its start until its end. */
  readonly endsAtInterrupt: boolean;
}

const drainMs = 5_000;

export async function startPassing({
  purpose,
  store,
  endsAtInterrupt,
  ...conduct
}: PassingOptions): Promise<PassingSystem> {
  const own = await passingStore(purpose);
  const nodeLog = { format: "text", level: "error" } as const;
  const supervisor = new Supervisor({
    ...conduct,
    drainMs,
    port: 0,
    store: store ?? own.store,
    log: createLog({ ...nodeLog, name: "supervisor" }),
    nodeLog,
    quietStdout: true,
  });
  const stop = async (): Promise<void> => {
    await supervisor.stop(drainMs);
    await own[Symbol.asyncDispose]();
  };
  const interrupted = (): void => void stop().then(() => process.exit(130));
  const signals = endsAtInterrupt ? (["SIGINT", "SIGTERM"] as const) : [];
  const end = async (): Promise<void> => {
    for (const signal of signals) process.off(signal, interrupted);
    await stop();
  };
  try {
    for (const signal of signals) process.once(signal, interrupted);
    const place = await supervisor.prepare();
    return { supervisor, place, urls: await supervisor.start(), end };
  } catch (error) {
    await end();
    throw error;
  }
}
