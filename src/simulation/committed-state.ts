/** What is in the store of a run, as invariants see it. */
import type { MemoryDatabase } from "../adapters/memory/database.ts";
import type { AnyInterface } from "../service/model.ts";
import type { CommittedState } from "./scenario.ts";

export function committedState({ services }: MemoryDatabase): CommittedState {
  return {
    all: <State>({ name }: AnyInterface) => {
      const states = new Map<string, State>();
      for (const { entities } of services.get(name) ?? []) {
        for (const [key, { state }] of entities) states.set(key, JSON.parse(state));
      }
      return states;
    },
  };
}
