/** A small simulated system without weather, whose clients are asked by hand. */
import type { Client } from "../../src/simulation/client.ts";
import { Cluster } from "../../src/simulation/cluster.ts";
import type { Request } from "../../src/simulation/operation.ts";
import { loadScenario, runCode } from "../../src/simulation/scenario-file.ts";
import { replaceSurroundings } from "../../src/simulation/user-code/install.ts";
import { fairWeather } from "../../src/simulation/weather.ts";

/** Until an answer comes, simulated ms. */
const answerMs = 20_000;

export interface SmallSystem extends AsyncDisposable {
  readonly cluster: Cluster;
  ask(operation: string, input?: unknown, key?: string): Promise<unknown>;
}

/** The system that a file declares, for its only service; each process has modules of its own. */
export async function startSystem(
  file: URL,
  options: { readonly nodes?: number; readonly seed?: number; readonly keepTrace?: boolean } = {},
): Promise<SmallSystem> {
  const { nodes = 1, seed = 1, keepTrace = false } = options;
  const giveBack = replaceSurroundings();
  const { scenario, code } = await runCode(await loadScenario(file));
  const { system } = scenario;
  const weather = fairWeather();
  const cluster = new Cluster({ seed, system, code, nodes, weather, shardsPerService: 4, limits: {}, keepTrace });
  if (!(await cluster.start())) throw new Error(`it does not serve: ${JSON.stringify(cluster.judge.violations)}`);
  const client = cluster.client();
  const service = system.services[0]!.interface.name;
  return {
    cluster,
    ask: (operation, input, key = "a") => answer(cluster, client, { service, key, operation, input }),
    [Symbol.asyncDispose]: async () => giveBack(),
  };
}

async function answer(cluster: Cluster, client: Client, request: Request): Promise<unknown> {
  const asked = client.perform(request, { timeoutMs: answerMs, attemptsMax: 1, answerLost: 0 }, 1);
  if (!(await cluster.until(asked, answerMs))) throw new Error(`${request.operation} was not answered`);
  const { reply } = await asked;
  if (reply?.ok !== true) throw new Error(`${request.operation} was answered ${JSON.stringify(reply)}`);
  return reply.output === undefined ? undefined : JSON.parse(reply.output);
}
