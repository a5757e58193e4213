/** What is in the store of a run, as invariants see it. */
import type { MemoryDatabase } from "../adapters/memory/database.ts";
import type { AnyInterface } from "../service/model.ts";
import type { CommittedState } from "./scenario.ts";
import type { StateShapes } from "./state-shapes.ts";

/** States are in the shape of the newest release. */
export function committedState({ services }: MemoryDatabase, shapes: StateShapes): CommittedState {
  return {
    pending: ({ name }: AnyInterface) => {
      let count = 0;
      for (const { pending } of services.get(name) ?? []) {
        const { inbox, outbox, timers } = pending;
        // A message that leaves later rests among the timers until it is due.
        count += inbox.size + outbox.size + timers.messages;
      }
      return count;
    },
    all: <State>({ name }: AnyInterface) => {
      const states = new Map<string, State>();
      for (const { entities } of services.get(name) ?? []) {
        for (const [key, { state, stateVersion }] of entities) {
          states.set(key, JSON.parse(shapes.text(name, key, stateVersion, state)));
        }
      }
      return states;
    },
  };
}
