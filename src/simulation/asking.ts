/**
 * What clients ask for in a run, and when: drawn from the workload as the seed has it, or read from a list that an
 * earlier run wrote down. A run by its own whole list is that run again, byte for byte; with entries left out it is
 * the same run with less in it, because each operation has chance of its own.
 */
import { pick } from "../values/prng.ts";
import type { Behaviour, Client } from "./client.ts";
import type { ClientOperation, Request } from "./operation.ts";
import type { Workload } from "./scenario.ts";
import type { World } from "./world/world.ts";

/** One operation of one client. */
export interface PlannedOperation {
  /** The client, from 0. */
  readonly client: number;
  /** Its place among all that this client asked for when it was drawn, from 1: the name of its chance. */
  readonly turn: number;
  /** When it is asked for, ms after the nodes first served, to the microsecond; later if the one before is open. */
  readonly at: number;
  /** Asked for when all faults are over. */
  readonly calm?: true;
  readonly request: Request;
}

export interface Asking {
  /** Lets a client ask until `over`. */
  work(client: Client, index: number, behaviour: Behaviour, over: () => boolean): Promise<void>;
  /** The same after all faults. */
  calmWork(client: Client, index: number, behaviour: Behaviour, calm: CalmWork): Promise<void>;
  /** What has been asked for so far, in that order. */
  readonly asked: readonly PlannedOperation[];
}

interface CalmWork {
  readonly over: () => boolean;
  /** Something is wrong: nothing more is asked for. */
  readonly broken: () => boolean;
  readonly heard: (operation: ClientOperation) => void;
}

/**
 * Clients ask in bursts: only those who meet get in each other's way, and most that is worth while happens after a
 * fault, not within the thousandth operation before it. Pauses in a burst, and rests between two, are up to one of
 * these, ms.
 */
const pausesMaxMs = [5, 50, 300] as const;
const restsMaxMs = [1_000, 4_000, 8_000] as const;
const burstLengthMax = 12;
const calmPauseMaxMs = 300;

/** As the seed has it. */
export class DrawnAsking implements Asking {
  readonly asked: PlannedOperation[] = [];
  readonly #world: World;
  readonly #workload: Workload;
  readonly #startUs: number;
  readonly #turns = new Map<number, number>();

  constructor(world: World, workload: Workload) {
    this.#world = world;
    this.#workload = workload;
    this.#startUs = world.nowUs;
  }

  async work(client: Client, index: number, behaviour: Behaviour, over: () => boolean): Promise<void> {
    const { prng } = client;
    const restMaxMs = pick(prng, restsMaxMs);
    for (let [left, pauseMaxMs] = [0, 0]; !over(); left--) {
      await client.sleep(prng.number() * (left > 0 ? pauseMaxMs : restMaxMs));
      if (left <= 0) [left, pauseMaxMs] = [1 + prng.below(burstLengthMax), pick(prng, pausesMaxMs)];
      const { request, turn } = this.#draw(client, index, false);
      await client.perform(request, behaviour, turn);
    }
  }

  async calmWork(client: Client, index: number, behaviour: Behaviour, { over, heard }: CalmWork): Promise<void> {
    while (!over()) {
      await client.sleep(client.prng.number() * calmPauseMaxMs);
      const { request, turn } = this.#draw(client, index, true);
      heard(await client.perform(request, behaviour, turn));
    }
  }

  #draw(client: Client, index: number, calm: boolean): PlannedOperation {
    const turn = (this.#turns.get(index) ?? 0) + 1;
    this.#turns.set(index, turn);
    const at = (this.#world.nowUs - this.#startUs) / 1_000;
    const request = this.#workload(client.prng, index);
    const planned = { client: index, turn, at, ...(calm && { calm }), request } as PlannedOperation;
    this.asked.push(planned);
    return planned;
  }
}

/** As a list has it. */
export class ListedAsking implements Asking {
  readonly asked: PlannedOperation[] = [];
  readonly #startUs: number;
  readonly #listed: ReadonlyMap<number, readonly PlannedOperation[]>;

  constructor(world: World, operations: readonly PlannedOperation[]) {
    this.#startUs = world.nowUs;
    this.#listed = Map.groupBy(operations, ({ client }) => client);
  }

  /** Goes on past the end of the safety phase, as a client does that was waiting then. */
  async work(client: Client, index: number, behaviour: Behaviour): Promise<void> {
    for (const planned of this.#listed.get(index) ?? []) {
      if (planned.calm === true) continue;
      await client.sleepUntil(this.#startUs + Math.round(planned.at * 1_000));
      this.asked.push(planned);
      await client.perform(planned.request, behaviour, planned.turn);
    }
  }

  async calmWork(client: Client, index: number, behaviour: Behaviour, { broken, heard }: CalmWork): Promise<void> {
    for (const planned of this.#listed.get(index) ?? []) {
      if (planned.calm !== true) continue;
      await client.sleepUntil(this.#startUs + Math.round(planned.at * 1_000));
      if (broken()) return;
      this.asked.push(planned);
      heard(await client.perform(planned.request, behaviour, planned.turn));
    }
  }
}
