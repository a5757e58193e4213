/**
 * The operator of a simulated system: looks now and then at what is parked, and has it tried again, at whichever node
 * answers. So what was parked for a fault goes on when the fault is over, and what is tried again under faults is
 * under test too.
 */
import type { MemoryDatabase } from "../adapters/memory/database.ts";
import { pick } from "../values/prng.ts";
import type { Machine } from "./machine.ts";
import { nameOfThing, type PendingThing, pendingThings } from "./pending.ts";
import type { World } from "./world/world.ts";

/** Between two looks, ms. */
const lookMs = 1_500;
/** Things that are tried again after one look. */
const retriesPerLookMax = 20;

export interface OperatorOptions {
  readonly world: World;
  readonly database: MemoryDatabase;
  readonly machines: readonly Machine[];
}

export class Operator {
  readonly #options: OperatorOptions;
  /** How often something was tried again. */
  retries = 0;

  constructor(options: OperatorOptions) {
    this.#options = options;
  }

  start(): void {
    const { world, database } = this.#options;
    const parked = pendingThings(database, 0).filter((thing) => thing.parked !== null);
    for (const thing of parked.slice(0, retriesPerLookMax)) this.#retry(thing);
    world.after(lookMs, () => this.start());
  }

  #retry(thing: PendingThing): void {
    const { world, machines } = this.#options;
    const serving = machines.filter(({ running, process }) => running !== null && process?.alive);
    const prng = world.prng(`operator/${++this.retries}`);
    if (serving.length === 0 || thing.kind === "timer") return;
    const { process, running } = pick(prng, serving);
    if (process === null || running === null) return;
    const id = `${thing.shard.service}/${thing.shard.number}/${thing.number}`;
    world.trace.add("operator", "retries", `${nameOfThing(thing)} at ${process.name}`);
    // Whoever does not own it now, or not any more, says so; it is tried again after the next look.
    process.deliver(() => void running.operate(id, "retry").catch(() => {}));
  }
}
