/**
 * Good and bad requests from the nodes' meters: good is answered correctly and in time (an error that the operation
 * declares is such an answer), being turned away is bad, and what is the caller's own fault is neither. The nodes add up
 * themselves, because they are asked every few seconds for as long as the system runs.
 */
import type { Counts } from "../../availability/rollups.ts";
import { callersFaults, isStatusCode } from "../../errors.ts";
import type { AnswerFigures } from "../../ports/meters.ts";

/** What one node counted since its process started. */
export interface NodeCounts {
  readonly node: string;
  /** By service. */
  readonly requests: Readonly<Record<string, Counts>>;
  /** ms in which keys were up and down. */
  readonly keyTimes: Counts;
}

export interface Since {
  readonly services: ReadonlyMap<string, Counts>;
  /** ms. */
  readonly keyTimes: Counts;
}

const none: Counts = { good: 0, bad: 0 };

export function nodeCounts(
  node: string,
  figures: readonly AnswerFigures[],
  { upMs, downMs }: { readonly upMs: number; readonly downMs: number },
): NodeCounts {
  const requests: Record<string, Counts> = {};
  for (const operation of figures) {
    requests[operation.service] = sumOf(requests[operation.service] ?? none, countsOf(operation));
  }
  return { node, requests, keyTimes: { good: upMs, bad: downMs } };
}

/** Remembers what every node had counted at the last look; a node that counts less has started again. */
export class RequestCounts {
  readonly #before = new Map<string, Counts>();

  since(nodes: readonly NodeCounts[], services: readonly string[]): Since {
    const found = new Map<string, Counts>();
    for (const { node, requests } of nodes) {
      for (const service of services) {
        const more = this.#more(`${node} ${service}`, requests[service] ?? none);
        if (more.good + more.bad > 0) found.set(service, sumOf(found.get(service) ?? none, more));
      }
    }
    const times = nodes.map(({ node, keyTimes }) => this.#more(`${node} keys`, keyTimes));
    return { services: found, keyTimes: times.reduce(sumOf, none) };
  }

  #more(name: string, now: Counts): Counts {
    const before = this.#before.get(name) ?? none;
    this.#before.set(name, now);
    if (now.good < before.good || now.bad < before.bad) return now;
    return { good: now.good - before.good, bad: now.bad - before.bad };
  }
}

function sumOf(one: Counts, other: Counts): Counts {
  return { good: one.good + other.good, bad: one.bad + other.bad };
}

function countsOf({ answered, shed }: AnswerFigures): Counts {
  let [good, bad] = [0, 0];
  for (const [code, count] of Object.entries(answered)) {
    if (code === "ok" || !isStatusCode(code)) good += count;
    else if (!callersFaults.has(code)) bad += count;
  }
  // Those that were turned away at the door were never answered as calls.
  const turnedAway = Object.values(shed).reduce((sum, count) => sum + count, 0);
  return { good, bad: bad + Math.max(0, turnedAway - (answered.resource_exhausted ?? 0)) };
}
