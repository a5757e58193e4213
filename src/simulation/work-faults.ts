/**
 * Faults that durable work is there for: other code between two attempts, and an outage of everything for longer than
 * replies are remembered. They are planned apart from the others, with chance of their own, for seeds in which they
 * mean something.
 */
import { chance, type Prng, pick } from "../values/prng.ts";
import { amountOf, completeBuild } from "./builds.ts";
import { type Fault, shuffled } from "./faults.ts";
import { between } from "./world/world.ts";

/** How many of the seeds have other code in some of their nodes. */
const codeChangesShare = 0.4;
/** Times that nodes are given another build, in one run. */
const codeChangesMax = 3;
/** Between two nodes, ms: either the next one has it before work has moved, or long after. */
const codeGapsMaxMs = [200, 3_000] as const;

/** Some nodes come back with another build, one after the other; a few times, each with one of its own. */
export function planCodeChanges(prng: Prng, nodes: readonly string[], durationMs: number): readonly Fault[] {
  if (!chance(prng, codeChangesShare)) return [];
  const faults: Fault[] = [];
  let at = between(prng, 0, durationMs / 2);
  for (let left = 1 + prng.below(codeChangesMax); left > 0; left--) {
    const build = prng.below(completeBuild + 1);
    const gapMaxMs = pick(prng, codeGapsMaxMs);
    for (const name of shuffled(prng, nodes).slice(0, 1 + prng.below(nodes.length))) {
      // A node that leaves hands over what it does; one that is killed is waited for until it does something.
      const amount = amountOf(build, chance(prng, 0.3));
      const lastsMs = Math.round(between(prng, 500, 5_000));
      if (at < durationMs) faults.push({ kind: "newCode", at: Math.round(at), lastsMs, nodes: [name], amount });
      at += between(prng, 0, gapMaxMs);
    }
    at += between(prng, 0, durationMs / codeChangesMax);
  }
  return faults;
}

/** How many have an outage, of the seeds whose window is short enough for it. */
const outagesShare = 0.6;
/** An outage lasts this often the window. */
const outageMin = 1.2;
const outageMax = 3;
/** A window of more than this share of a run is not waited for. */
const windowShareMax = 0.25;

/** Once, everything is down for longer than replies are remembered. */
export function planOutage(
  prng: Prng,
  nodes: readonly string[],
  { durationMs, retentionMs }: { readonly durationMs: number; readonly retentionMs: number },
): readonly Fault[] {
  if (retentionMs > durationMs * windowShareMax || !chance(prng, outagesShare)) return [];
  const lastsMs = Math.round(retentionMs * between(prng, outageMin, outageMax));
  const at = Math.round(between(prng, 0, durationMs * (1 - windowShareMax)));
  return [{ kind: "outage", at, lastsMs, nodes: [...nodes], amount: 0 }];
}
