/**
 * Alerts on how fast an error budget burns (Google, "The Site Reliability Workbook", chapter 5, multiwindow and
 * multi-burn-rate): a long window says that it matters, a short one that it still goes on.
 */
import type { Counts } from "./rollups.ts";

export interface BurnRule {
  /** Times as fast as the budget lasts for its month. */
  readonly rate: number;
  readonly longMs: number;
  readonly shortMs: number;
  readonly words: string;
}

const hourMs = 3_600_000;

const burnRules: readonly BurnRule[] = [
  { rate: 14.4, longMs: hourMs, shortMs: hourMs / 12, words: "14.4 times, over 1 h and 5 min" },
  { rate: 6, longMs: 6 * hourMs, shortMs: hourMs / 2, words: "6 times, over 6 h and 30 min" },
  { rate: 1, longMs: 72 * hourMs, shortMs: 6 * hourMs, words: "as fast as it may at most, over 3 d and 6 h" },
];

/** What was counted of a series in the last so many ms. */
export type WindowOf = (windowMs: number) => Counts;

export interface Burning {
  readonly rule: BurnRule;
  /** In the long window. */
  readonly burnRate: number;
}

/** The rules that fire, the fastest first. */
function burning(window: WindowOf, objective: number): readonly Burning[] {
  return burnRules.flatMap((rule) => {
    const [long, short] = [burnRate(window(rule.longMs), objective), burnRate(window(rule.shortMs), objective)];
    return long >= rule.rate && short >= rule.rate ? [{ rule, burnRate: long }] : [];
  });
}

/** 1: the budget would be used up exactly when its time is over. */
function burnRate({ good, bad }: Counts, objective: number): number {
  return good + bad === 0 ? 0 : bad / (good + bad) / (1 - objective);
}

export interface AlertChange {
  readonly series: string;
  readonly kind: "firing" | "over";
  readonly rule: BurnRule;
  readonly burnRate: number;
}

/** Remembers what fires, so that each alert is told when it begins and when it is over, and not in between. */
export class Alerts {
  readonly #firing = new Map<string, AlertChange>();

  look(series: string, window: WindowOf, objective: number): readonly AlertChange[] {
    const now = burning(window, objective);
    const changes: AlertChange[] = [];
    for (const rule of burnRules) {
      const name = `${series} ${rule.rate}`;
      const found = now.find((one) => one.rule === rule);
      const was = this.#firing.get(name);
      if (found !== undefined && was === undefined) {
        const change = { series, kind: "firing", ...found } as const;
        this.#firing.set(name, change);
        changes.push(change);
      }
      if (found === undefined && was !== undefined) {
        this.#firing.delete(name);
        changes.push({ ...was, kind: "over" });
      }
    }
    return changes;
  }

  get firing(): readonly AlertChange[] {
    return [...this.#firing.values()];
  }
}
