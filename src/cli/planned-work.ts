/** `synod drain` and `synod restart`: planned work on a running system, said node by node. */
import type { AdminTarget } from "../admin/target.ts";
import { SynodError } from "../errors.ts";
import { exitCodes, UsageError } from "./exit.ts";
import { onInterrupt } from "./interrupt.ts";
import { findRunning, type WhichSystem } from "./running.ts";

export interface PlannedWorkOptions extends WhichSystem {
  readonly json: boolean;
}

type Done = "drained" | "restarted";

export async function drain(node: string, options: PlannedWorkOptions): Promise<void> {
  const { client } = await findRunning(options);
  await work(client, "drained", [node], options);
}

export async function restart(
  node: string | undefined,
  options: PlannedWorkOptions & { readonly rolling: boolean },
): Promise<void> {
  if ((node === undefined) !== options.rolling) {
    throw new UsageError("Name one node, or say --rolling for all of them.");
  }
  const { client, report } = await findRunning(options);
  if (node !== undefined) return await work(client, "restarted", [node], options);
  // Who drained a node meant it to stay down.
  for (const { id } of report.nodes.filter(({ state }) => state === "drained")) {
    say(options, { event: "skipped", node: id }, `${id} is drained: it is left as it is`);
  }
  const nodes = report.nodes.filter(({ state }) => state !== "drained").map(({ id }) => id);
  await work(client, "restarted", nodes, options);
}

/** One node after the other; the first that fails ends the round, and the others go on serving. */
async function work(
  client: AdminTarget,
  done: Done,
  nodes: readonly string[],
  options: PlannedWorkOptions,
): Promise<void> {
  let next = 0;
  const untouched = (): string => {
    const rest = nodes.slice(next);
    return rest.length === 0 ? "" : ` Not ${done}: ${rest.join(", ")}.`;
  };
  const leave = (): void => {
    // What the supervisor has begun it brings to its end.
    process.stderr.write(`synod: Interrupted: ${nodes[next - 1]} is still being ${done}.${untouched()}\n`);
    process.exit(exitCodes.failed);
  };
  onInterrupt({ first: leave, again: leave });
  for (const id of nodes) {
    next++;
    const started = performance.now();
    try {
      await (done === "drained" ? client.drain(id) : client.restart(id));
    } catch (error) {
      if (nodes.length === 1 || !(error instanceof Error)) throw error;
      const message = `${id} was not ${done}: ${error.message}${/[.!?]$/.test(error.message) ? "" : "."}${untouched()}`;
      throw new SynodError("aborted", message, { cause: error });
    }
    const seconds = (performance.now() - started) / 1_000;
    say(options, { event: done, node: id, seconds }, `${id} ${done} in ${seconds.toFixed(1)} s`);
  }
}

function say({ json }: PlannedWorkOptions, event: Record<string, unknown>, sentence: string): void {
  process.stdout.write(`${json ? JSON.stringify(event) : sentence}\n`);
}
