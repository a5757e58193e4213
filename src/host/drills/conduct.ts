/** What makes a node take part in drills: its ports are faulty on order. A node that does not take part has the plain ones. */
import { type FaultOrder, slowStoreDelayMs } from "../../drill/fault.ts";
import { SynodError } from "../../errors.ts";
import type { Network } from "../../ports/network.ts";
import type { Store } from "../../ports/store.ts";
import { CuttableNetwork, SlowableStore } from "./faulty-ports.ts";

export class DrillConduct {
  #network: CuttableNetwork | undefined;
  #store: SlowableStore | undefined;

  network(network: Network): Network {
    this.#network = new CuttableNetwork(network);
    return this.#network;
  }

  store(store: Store): Store {
    this.#store = new SlowableStore(store);
    return this.#store.store;
  }

  /** What the node does to itself; processes are killed and stopped by the supervisor. */
  suffer({ kind, lastsMs }: FaultOrder): void {
    if (kind === "cut") this.#network?.cut();
    else if (kind === "slow-store") this.#store?.slow(slowStoreDelayMs, lastsMs);
    else throw new SynodError("invalid_argument", `${kind} is the supervisor's to do`);
  }
}
