/**
 * The scenario's own code: what clients ask for, and what must hold. A mistake in it is no defect of Synod, and no
 * finding about the system: it is told as what it is, with the name of the invariant and the line.
 */
import { quoted } from "../service/definition.ts";
import type { AnyOperation, AnyService } from "../service/model.ts";
import type { Prng } from "../values/prng.ts";
import type { Violation } from "./judge.ts";
import type { Request } from "./operation.ts";
import type { CommittedState, Invariant, Workload } from "./scenario.ts";
import { userLine, withStacks } from "./user-code/user-line.ts";

/** Thrown by what asks code of the scenario, in a sentence for whoever wrote it. */
export class ScenarioMistake extends Error {
  override readonly name = "ScenarioMistake";
}

export type Broken = Pick<Violation, "promise" | "text" | "invariant">;

/** As a report has it. */
export function mistakeIn({ message }: ScenarioMistake): Broken {
  return { promise: "sound scenario", text: message };
}

/** What is wrong: the invariant does not hold, or cannot say whether it does. */
export function brokenBy(invariant: Invariant, state: CommittedState): Broken | undefined {
  try {
    const words = brokenWords(invariant, state);
    return words === undefined ? undefined : { promise: "invariant", text: words, invariant: invariant.name };
  } catch (error) {
    if (error instanceof ScenarioMistake) return mistakeIn(error);
    throw error;
  }
}

function brokenWords({ name, holds }: Invariant, state: CommittedState): string | undefined {
  const said: unknown = blaming(`invariant ${quoted(name)}`, () => holds(state));
  if (said === true) return undefined;
  if (said === false) return name;
  if (typeof said === "string") return `${name}: ${said}`;
  const sentence = `holds of invariant ${quoted(name)} returned ${wordsFor(said)}: it must say true, false or a sentence, at once`;
  throw new ScenarioMistake(sentence);
}

/** Throws {@link ScenarioMistake} when that is nothing that can be asked for. */
export function askedBy(workload: Workload, prng: Prng, client: number): Request {
  const request: unknown = blaming("the workload", () => workload(prng, client));
  if (isRequest(request)) return request;
  throw new ScenarioMistake(
    `the workload returned ${wordsFor(request)}: it must return { service, key, operation, input }, with the names of a service and of an operation`,
  );
}

function isRequest(value: unknown): value is Request {
  if (typeof value !== "object" || value === null) return false;
  const { service, operation } = value as Partial<Request>;
  return typeof service === "string" && typeof operation === "string";
}

/** Throws {@link ScenarioMistake} when there is no such operation. */
export function operationAskedFor(services: ReadonlyMap<string, AnyService>, request: Request): AnyOperation {
  const { service, operation } = request;
  const operations = services.get(service)?.interface.operations;
  const found = operations?.[operation];
  if (found !== undefined) return found;
  const has =
    operations === undefined
      ? `it has ${[...services.keys()].join(", ")}`
      : `${service} has ${Object.keys(operations).join(", ")}`;
  throw new ScenarioMistake(`the workload asks for ${service}.${operation}, which the system has not: ${has}`);
}

function blaming<T>(who: string, run: () => T): T {
  try {
    return withStacks(run);
  } catch (error) {
    const words = error instanceof Error ? `${error.name}: ${error.message}` : String(error);
    const line = error instanceof Error ? userLine(error) : undefined;
    // On a line of its own: it differs from machine to machine, and the trace must not.
    const where = line === undefined ? "" : `\n    at ${line}`;
    throw new ScenarioMistake(`${who} threw ${words}${where}`, { cause: error });
  }
}

function wordsFor(returned: unknown): string {
  if (returned === undefined) return "nothing";
  if (!(returned instanceof Promise)) return typeof returned === "object" ? "an object" : String(returned);
  // It is told already; a rejection would be told once more, as one that nobody cares for.
  returned.catch(() => {});
  return "a promise";
}
