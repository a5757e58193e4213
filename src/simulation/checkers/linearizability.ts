/**
 * Is a history linearizable (guarantee G2)? Each key is an object of its own, and a history is linearizable
 * exactly if each of its objects is (Herlihy and Wing, 1990), so keys are searched one by one.
 *
 * A search that hits a bound has shown nothing: the verdict is `undecided`, and counts as a failure.
 */
import type { Operation } from "../operations.ts";
import { explain } from "./explain.ts";
import type { Model } from "./model.ts";
import { type Item, itemOf, layOut } from "./problem.ts";
import { type SearchLimits, search } from "./search.ts";
import { type Finding, findingsMax, indent, type Verdict } from "./verdict.ts";

export interface LinearizabilityOptions {
  /** Bounds of the search for one key: configurations kept at a time (about 300 bytes each), and seen in all. */
  readonly configurationsMax?: number | undefined;
  readonly configurationsTotalMax?: number | undefined;
  /** Asked now and then; true ends the check: `() => performance.now() > end`. */
  readonly expired?: (() => boolean) | undefined;
}

const configurationsMaxDefault = 1_000_000;
const configurationsTotalMaxDefault = 20_000_000;
/** What the search by depth may spend: plenty where there is an order, little where there is none. */
const depthFirstBase = 20_000;
const depthFirstPerOperation = 32;

/** Checks operations against a model, key by key; operations in the order of their invocations. */
export function checkLinearizability<State>(
  operations: readonly Operation[],
  model: Model<State>,
  options: LinearizabilityOptions = {},
): Verdict {
  const limits = {
    configurationsMax: options.configurationsMax ?? configurationsMaxDefault,
    configurationsTotalMax: options.configurationsTotalMax ?? configurationsTotalMaxDefault,
    expired: options.expired,
  };
  const findings: Finding[] = [];
  let [broken, undecided] = [false, false];
  for (const [key, ofKey] of Map.groupBy(operations, (operation) => operation.key)) {
    const result = checkKey(key, ofKey, model, limits);
    broken ||= result.status === "broken";
    undecided ||= result.status === "undecided";
    if (result.finding !== undefined && findings.length < findingsMax) findings.push(result.finding);
  }
  const status = broken ? "broken" : undecided ? "undecided" : "holds";
  return { promise: "linearizable", status, operations: operations.length, findings };
}

function checkKey<State>(
  key: string | null,
  operations: readonly Operation[],
  model: Model<State>,
  limits: Omit<SearchLimits, "depthFirstMax">,
): { readonly status: Verdict["status"]; readonly finding?: Finding } {
  const items = operations.map((operation) => itemOf(operation, model)).filter((item): item is Item => !!item);
  const problem = layOut(items, model);
  const start = { state: model.init(key), placed: new Set<Operation>() };
  const depthFirstMax = depthFirstBase + depthFirstPerOperation * items.length;
  const result = search(problem, model, [start], { ...limits, depthFirstMax });
  const subject = key === null ? `the ${model.name}` : `the ${model.name} ${JSON.stringify(key)}`;
  switch (result.status) {
    case "linearizable":
      return { status: "holds" };
    case "undecided":
      return {
        status: "undecided",
        finding: { key, text: `${subject}, ${items.length} operations: ${result.reason}` },
      };
    case "impossible": {
      const { text, core } = explain(problem, model, result, limits.expired);
      const finding = { key, text: `${subject} is not linearizable:\n${indent(text)}`, operations: core };
      return { status: "broken", finding };
    }
  }
}
