/**
 * The timers of one entity, by their names: those that its commands set, and its messages that leave later. By them it is
 * known how many an entity has, without the store being asked each time that a handler sets one (guarantee G6).
 *
 * A guest list by the door. It is fetched when the entity comes into memory, together with its state, and from then on
 * kept by whoever lets people in and out: commands of the entity, whose changes may still be undone, and the shard, which
 * turns what is due into messages.
 */
import { invariant, SynodError } from "../../errors.ts";
import type { ShardId } from "../../ports/store.ts";
import type { EntityWork } from "../../ports/work.ts";
import type { AnyService } from "../../service/model.ts";
import type { Environment } from "../environment.ts";

/** What one name takes besides its characters: a string and a place in a set. */
const nameBytes = 64;

/** Whether there was a timer of that name before a change; said of every name that the change touches. */
export interface TouchedTimer {
  readonly name: string;
  wasSet: boolean;
}

export class EntityTimers {
  readonly #names = new Set<string>();
  #nameLength = 0;

  /** As of the last command that ran, whether or not its change is durable. */
  get size(): number {
    return this.#names.size;
  }

  get bytes(): number {
    return this.#names.size * nameBytes + this.#nameLength;
  }

  has(name: string): boolean {
    return this.#names.has(name);
  }

  /** Takes over what a command did. Returns what it was before. */
  apply({ timersSet = [], timersCleared = [] }: Partial<EntityWork>): readonly TouchedTimer[] {
    const touched: TouchedTimer[] = [];
    const touch = (name: string, isSet: boolean): void => {
      touched.push({ name, wasSet: this.has(name) });
      this.put(name, isSet);
    };
    for (const name of timersCleared) touch(name, false);
    for (const { name } of timersSet) touch(name, true);
    return touched;
  }

  put(name: string, isSet: boolean): void {
    if (isSet === this.has(name)) return;
    if (isSet) this.#names.add(name);
    else this.#names.delete(name);
    this.#nameLength += isSet ? name.length : -name.length;
  }
}

/** The names of an entity's timers, in the same reading of the store as its state; none for a service that never sends. */
export async function readTimerNames(
  { reader, limits }: Environment,
  service: AnyService,
  shard: ShardId,
  key: string,
): Promise<readonly string[]> {
  if (service.sends.length === 0) return [];
  // One that has more, from before there was a bound, gets no new ones until it has fewer.
  const result = await reader.read({ kind: "timersOf", shard, key, limit: limits.timersPerEntityMax });
  if (result.kind === "corrupt") throw result.error;
  invariant(result.kind === "timersOf", "names of timers are read as names of timers");
  return result.names;
}

export interface TimerRoomOptions {
  /** The entity's timers; null when it has none. */
  readonly timers: EntityTimers | null;
  /** The timer that runs the handler: it goes, unless the handler sets it anew. */
  readonly fired: string | undefined;
  readonly timersMax: number;
  /** How errors call the entity. */
  readonly entity: string;
}

/** What a handler does to its entity's timers, before anybody else sees it. */
export class TimerRoom {
  readonly #options: TimerRoomOptions;
  /** The last word on each name. */
  readonly #touched = new Map<string, boolean>();
  #delayed = 0;
  /** How many names it has added to those of the entity; counted when these were so many. */
  #added = 0;
  #countedAt: number;

  constructor(options: TimerRoomOptions) {
    this.#options = options;
    this.#countedAt = this.#size;
    if (options.fired !== undefined) this.#touch(options.fired, false);
  }

  /** Throws when that would be one too many. */
  set(name: string): void {
    if (!this.#isSet(name)) this.#bound();
    this.#touch(name, true);
  }

  cancel(name: string): void {
    this.#touch(name, false);
  }

  /** A message that leaves later has a name of its own. */
  delay(): void {
    this.#bound();
    this.#delayed += 1;
  }

  get #size(): number {
    return this.#options.timers?.size ?? 0;
  }

  #has(name: string): boolean {
    return this.#options.timers?.has(name) === true;
  }

  #isSet(name: string): boolean {
    return this.#touched.get(name) ?? this.#has(name);
  }

  #touch(name: string, isSet: boolean): void {
    this.#added += Number(isSet) - Number(this.#isSet(name));
    this.#touched.set(name, isSet);
  }

  #bound(): void {
    // While the handler waited, one that it has set anew may have gone.
    if (this.#countedAt !== this.#size) this.#count();
    const { timersMax, entity } = this.#options;
    if (this.#size + this.#added + this.#delayed < timersMax) return;
    const text = `${entity} has ${timersMax} timers and messages that leave later, the most that an entity may have`;
    const advice = "cancel those that are not needed, use one name again, or spread them over several keys";
    throw new SynodError("resource_exhausted", `${text}: ${advice}`);
  }

  #count(): void {
    this.#countedAt = this.#size;
    this.#added = 0;
    for (const [name, isSet] of this.#touched) this.#added += Number(isSet) - Number(this.#has(name));
  }
}
