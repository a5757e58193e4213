/** Mutations that show where the store is a server with standbys: rules S3 and S5, and one lane for each shard. */
import { Commits } from "../core/commits/commits.ts";
import { SynodError } from "../errors.ts";
import { Committer } from "../runtime/committer.ts";
import type { Prng } from "../values/prng.ts";
import { type Fault, shuffled } from "./faults.ts";
import { type Mutation, replaced } from "./mutation.ts";
import { Standby } from "./world/promotion.ts";
import { between } from "./world/world.ts";

export const serverMutations: readonly Mutation[] = [
  { name: "unknown-taken-for-failed", storeKind: "server", install: takesUnknownForFailed },
  { name: "shards-change-lanes", storeKind: "server", install: changesLanes },
  {
    name: "promotion-taken-for-restart",
    storeKind: "server",
    install: () => replaced(Standby.prototype, "beginAnew", () => () => {}),
    plan: promotionsAfterJoins,
  },
];

/**
 * An incarnation is given out twice only where a node has joined, and nobody has committed since, when the primary is lost: the
 * others stand still meanwhile, and another node joins next.
 */
function promotionsAfterJoins(prng: Prng, nodes: readonly string[], durationMs: number): readonly Fault[] {
  const faults: Fault[] = [];
  for (let at = 500; at < durationMs; at += 6_000) {
    const [first, second, ...others] = shuffled(prng, nodes);
    const lostAt = Math.round(at + 300 + between(prng, 0, 60));
    for (const name of others) faults.push({ kind: "pause", at, lastsMs: 3_200, nodes: [name], amount: 0 });
    faults.push({ kind: "crash", at, lastsMs: 300, nodes: [first!], amount: 1 });
    faults.push({ kind: "crash", at, lastsMs: 600, nodes: [second!], amount: 1 });
    faults.push({ kind: "storeFailover", at: lostAt, lastsMs: 2_600, nodes, amount: 1 });
  }
  return faults;
}

/** A commit of which nobody said what became of it counts as one that was not written. */
function takesUnknownForFailed(): () => void {
  return replaced(
    Commits.prototype,
    "step",
    (step) =>
      function (this: Commits, input) {
        if (input.kind !== "answered" || input.result.status !== "unknown") return step.call(this, input);
        const error = new SynodError("unavailable", "the connection to the store was lost");
        return step.call(this, { kind: "answered", result: { status: "failed", error } });
      },
  );
}

/** Each change takes whichever lane comes next. */
function changesLanes(): () => void {
  let changes = 0;
  return replaced(Committer.prototype, "laneOf", () => (_shard, lanes) => changes++ % lanes);
}
