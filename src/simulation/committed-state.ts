/** What is in the store of a run, as invariants see it. */
import type { MemoryDatabase } from "../adapters/memory/database.ts";
import type { AnyInterface } from "../service/model.ts";
import type { CommittedState } from "./scenario.ts";

export function committedState({ services }: MemoryDatabase): CommittedState {
  return {
    pending: ({ name }: AnyInterface) => {
      let count = 0;
      for (const { pending } of services.get(name) ?? []) count += pending.inbox.size + pending.outbox.size;
      return count;
    },
    all: <State>({ name }: AnyInterface) => {
      const states = new Map<string, State>();
      for (const { entities } of services.get(name) ?? []) {
        for (const [key, { state }] of entities) states.set(key, JSON.parse(state));
      }
      return states;
    },
  };
}
