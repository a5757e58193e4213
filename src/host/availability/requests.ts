/**
 * Good and bad requests from the nodes' meters: good is answered correctly and in time (an error that the operation
 * declares is such an answer), being turned away is bad, and what is the caller's own fault is neither.
 */
import type { NodeMeters } from "../../admin/target.ts";
import type { Counts } from "../../availability/rollups.ts";
import { callersFaults, isStatusCode } from "../../errors.ts";
import type { OperationFigures } from "../../ports/meters.ts";

export interface Since {
  readonly services: ReadonlyMap<string, Counts>;
  /** ms. */
  readonly keyTimes: Counts;
}

interface Totals {
  readonly good: number;
  readonly bad: number;
}

/** Remembers what every node had counted at the last look; a node that counts less has started again. */
export class RequestCounts {
  readonly #before = new Map<string, Totals>();

  since(nodes: readonly NodeMeters[], services: readonly string[]): Since {
    const found = new Map<string, Counts>();
    for (const { node, operations } of nodes) {
      for (const service of services) {
        const own = operations.filter((figures) => figures.service === service);
        const more = this.#more(`${node} ${service}`, totalsOf(own));
        const sum = found.get(service) ?? { good: 0, bad: 0 };
        if (more.good + more.bad > 0) found.set(service, { good: sum.good + more.good, bad: sum.bad + more.bad });
      }
    }
    const times = nodes.map(({ node, status }) => {
      const { upMs, downMs } = status.keyUptime;
      return this.#more(`${node} keys`, { good: upMs, bad: downMs });
    });
    const sum = (of: (counts: Counts) => number): number => times.reduce((total, counts) => total + of(counts), 0);
    return { services: found, keyTimes: { good: sum(({ good }) => good), bad: sum(({ bad }) => bad) } };
  }

  #more(name: string, now: Totals): Counts {
    const before = this.#before.get(name) ?? { good: 0, bad: 0 };
    this.#before.set(name, now);
    if (now.good < before.good || now.bad < before.bad) return now;
    return { good: now.good - before.good, bad: now.bad - before.bad };
  }
}

function totalsOf(operations: readonly OperationFigures[]): Totals {
  let [good, bad] = [0, 0];
  for (const { answered, shed } of operations) {
    for (const [code, count] of Object.entries(answered)) {
      if (code === "ok" || !isStatusCode(code)) good += count;
      else if (!callersFaults.has(code)) bad += count;
    }
    // Those that were turned away at the door were never answered as calls.
    const turnedAway = Object.values(shed).reduce((sum, count) => sum + count, 0);
    bad += Math.max(0, turnedAway - (answered.resource_exhausted ?? 0));
  }
  return { good, bad };
}
