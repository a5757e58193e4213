/** Looks at who owns what while a release comes in: nobody may own a shard whose states are newer than his code. */
import { openSqliteStore } from "../../src/adapters/sqlite/store.ts";
import type { Store, View } from "../../src/ports/store.ts";

const lookMs = 20;

export class OwnershipWatch implements AsyncDisposable {
  readonly breaches: string[] = [];
  /** Views in which nodes with old and with new code were members. */
  mixed = 0;
  readonly #store: Store;
  readonly #looking: Promise<void>;
  #stopped = false;

  private constructor(store: Store) {
    this.#store = store;
    this.#looking = this.#look();
  }

  static async start(path: string): Promise<OwnershipWatch> {
    return new OwnershipWatch(await openSqliteStore({ path, system: "wallets" }));
  }

  async #look(): Promise<void> {
    while (!this.#stopped) {
      this.#judge(await this.#store.view());
      await new Promise((next) => setTimeout(next, lookMs));
    }
  }

  #judge({ members, shards }: View): void {
    const known = (incarnation: number, service: string): number =>
      members.find((member) => member.incarnation === incarnation)?.hosts.find((host) => host.service === service)
        ?.stateVersion ?? 0;
    if (new Set(members.map(({ incarnation }) => known(incarnation, "wallet"))).size > 1) this.mixed += 1;
    for (const { shard, owner, stateVersion } of shards) {
      if (owner !== null && known(owner, shard.service) < stateVersion)
        this.breaches.push(`${owner} owns ${shard.service}/${shard.number} of version ${stateVersion}`);
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#stopped = true;
    await this.#looking;
    await this.#store.close();
  }
}
