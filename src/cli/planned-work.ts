/** `synod drain` and `synod restart`: planned work on a running system, said node by node. */
import { SynodError } from "../errors.ts";
import { UsageError } from "./exit.ts";
import { findRunning, type WhichSystem } from "./running.ts";

export interface PlannedWorkOptions extends WhichSystem {
  readonly json: boolean;
}

export async function drain(node: string, options: PlannedWorkOptions): Promise<void> {
  const { client } = await findRunning(options);
  await timed(node, "drained", options, () => client.drain(node));
}

export async function restart(
  node: string | undefined,
  options: PlannedWorkOptions & { readonly rolling: boolean },
): Promise<void> {
  if ((node === undefined) !== options.rolling)
    throw new UsageError("Name one node, or say --rolling for all of them.");
  const { client, report } = await findRunning(options);
  const nodes = node === undefined ? report.nodes.map(({ id }) => id) : [node];
  for (const [index, id] of nodes.entries()) {
    // A node that does not come back ends the round: the others go on serving.
    await timed(id, "restarted", options, () => client.restart(id)).catch((error: unknown) => {
      const rest = nodes.slice(index + 1);
      if (rest.length === 0) throw error;
      const reason = error instanceof Error ? error.message : String(error);
      throw new SynodError("aborted", `${id} was not restarted (${reason}); not tried: ${rest.join(", ")}`, {
        cause: error,
      });
    });
  }
}

async function timed(
  node: string,
  done: "drained" | "restarted",
  { json }: PlannedWorkOptions,
  work: () => Promise<void>,
): Promise<void> {
  const started = performance.now();
  await work();
  const seconds = (performance.now() - started) / 1_000;
  const line = json ? JSON.stringify({ event: done, node, seconds }) : `${node} ${done} in ${seconds.toFixed(1)} s`;
  process.stdout.write(`${line}\n`);
}
