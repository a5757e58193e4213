/**
 * What a change may not become durable without. A durable command's call to an entity of the same node is carried out at
 * once, and travels in the commit of the journal's entry that announces it, or in a later one: a change that is there
 * without its entry would be one that no later attempt of the command has to stand by (decision 0016).
 */
import type { Load, Loads, Seat } from "./load.ts";

/** Shared by the progress that fulfils it and the changes that require it. The committer alone says how it stands. */
export interface Prerequisite {
  /** The entity, in the progress's own shard, whose earlier changes that progress builds on. */
  readonly key: string;
  /** `lost`: those changes were, or the progress was; it can come no more. */
  standing: "open" | "durable" | "lost";
}

/** The changes of this entity were lost: so is what was built on them, though it may travel on. */
export function loseThoseOf(key: string, { progress }: Load): void {
  for (const { fulfils } of progress) if (fulfils?.key === key) fulfils.standing = "lost";
}

/** The first seat that may not travel in these loads: what it requires is neither durable nor aboard. */
export function strandedIn(loads: Loads): { readonly load: Load; readonly seat: Seat } | undefined {
  let aboard: ReadonlySet<Prerequisite> | null = null;
  for (const load of loads.values()) {
    for (const seat of load.seats.values()) {
      if (seat.requires === null) continue;
      aboard ??= fulfilledBy(loads);
      for (const required of seat.requires) if (!isMet(required, aboard)) return { load, seat };
    }
  }
  return undefined;
}

/** What is missing and in none of these loads comes no more, because progress boards once; the rest is only not there yet. */
export function loseWhatIsGone({ requires }: Seat, all: readonly Loads[]): void {
  const open = (requires ?? []).filter(({ standing }) => standing === "open");
  for (const required of open) if (!all.some((loads) => fulfilledBy(loads).has(required))) required.standing = "lost";
}

function fulfilledBy(loads: Loads): ReadonlySet<Prerequisite> {
  const all = new Set<Prerequisite>();
  for (const { progress } of loads.values()) {
    for (const { fulfils } of progress) if (fulfils !== undefined) all.add(fulfils);
  }
  return all;
}

function isMet(required: Prerequisite, aboard: ReadonlySet<Prerequisite>): boolean {
  return required.standing === "durable" || (required.standing === "open" && aboard.has(required));
}
