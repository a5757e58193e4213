import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import type { TimerRow } from "../ports/work.ts";
import { Ahead } from "./ahead.ts";
import type { Counters } from "./environment.ts";
import { EntityTimers, TimerRoom } from "./messages/entity-timers.ts";
import { absent } from "./snapshot.ts";

const names = ["a", "b", "c", "d"];
const name = fc.constantFrom(...names);
const nameList = fc.uniqueArray(name, { maxLength: 3 });

const row = (name: string): TimerRow => ({
  ...{ key: "k", name, generation: 1, dueAt: 0, service: null, target: null, operation: "ring", input: null },
  ...{ principal: "p", request: "r", traceparent: null, attempts: 0 },
});

/** A change of an entity, what became of those before, or a timer that the store has turned into a message. */
const deed = fc.oneof(
  fc.record({ kind: fc.constant("change" as const), set: nameList, cleared: nameList }),
  fc.record({ kind: fc.constant("durable" as const), part: fc.nat(3) }),
  fc.record({ kind: fc.constant("rolledBack" as const) }),
  fc.record({ kind: fc.constant("released" as const), name }),
);
type Deed = (typeof deed extends fc.Arbitrary<infer D> ? D : never) & object;

/** The durable names and the changes on top of them: replayed each time, and nothing is undone. */
class Model {
  durable: Set<string>;
  changes: { readonly set: readonly string[]; readonly cleared: readonly string[] }[] = [];

  constructor(found: readonly string[]) {
    this.durable = new Set(found);
  }

  executed(): string[] {
    const names = new Set(this.durable);
    for (const change of this.changes) apply(names, change);
    return [...names].sort();
  }
}

function apply(names: Set<string>, { set, cleared }: Model["changes"][number]): void {
  for (const name of cleared) names.delete(name);
  for (const name of set) names.add(name);
}

class Run {
  readonly #ahead = new Ahead({ undurableBytes: 0 } as Counters);
  readonly #model: Model;
  #position = 0;

  constructor(found: readonly string[]) {
    this.#model = new Model(found);
    this.#ahead.foundTimers(found);
  }

  perform(deed: Deed): void {
    const { changes, durable } = this.#model;
    switch (deed.kind) {
      case "change": {
        const change = { set: deed.set, cleared: deed.cleared.filter((name) => !deed.set.includes(name)) };
        changes.push(change);
        const work = { timersSet: change.set.map(row), timersCleared: change.cleared };
        const nothing = { snapshot: absent, record: null, bytes: 0, accepted: null, finished: null };
        this.#ahead.add({ ...nothing, position: ++this.#position, work });
        break;
      }
      case "durable": {
        const taken = changes.splice(0, deed.part);
        for (const change of taken) apply(durable, change);
        this.#ahead.take(this.#position - changes.length);
        break;
      }
      case "rolledBack":
        changes.length = 0;
        this.#ahead.forget();
        break;
      case "released":
        // The store releases only what is there.
        if (durable.delete(deed.name)) this.#ahead.timerReleased(deed.name);
    }
    this.#compare();
  }

  #compare(): void {
    const { timers } = this.#ahead;
    const known = names.filter((name) => timers?.has(name) === true);
    assert.deepEqual(known, this.#model.executed());
    assert.equal(timers?.size ?? 0, known.length);
    assert.equal(timers === null, known.length === 0, "nothing is held for an entity without timers");
    assert.equal(timers?.bytes ?? 0, known.length * 65);
  }
}

test("an entity's timers are what its changes have left, whatever is written, undone or released in between", () => {
  fc.assert(
    fc.property(nameList, fc.array(deed, { maxLength: 30 }), (found, deeds) => {
      const run = new Run(found);
      for (const deed of deeds) run.perform(deed);
    }),
    { numRuns: 1_000 },
  );
});

test("a handler is told that it is one too many exactly when its entity would have more than it may", () => {
  const act = fc.record({ kind: fc.constantFrom("set", "cancel", "delay", "released"), name });
  fc.assert(
    fc.property(nameList, fc.option(name), fc.integer({ min: 1, max: 4 }), fc.array(act), (found, fired, max, acts) => {
      const timers = new EntityTimers();
      for (const name of found) timers.put(name, true);
      const room = new TimerRoom({ timers, fired: fired ?? undefined, timersMax: max, entity: "e/k" });
      const touched = new Map<string, boolean>(fired === null ? [] : [[fired, false]]);
      let delayed = 0;
      const count = (extra: number): number => {
        const set = names.filter((name) => touched.get(name) ?? timers.has(name));
        return set.length + delayed + extra;
      };
      for (const { kind, name } of acts) {
        const isSet = touched.get(name) ?? timers.has(name);
        const grows = kind === "delay" || (kind === "set" && !isSet);
        const refused = grows && count(1) > max;
        if (kind === "released") timers.put(name, false);
        else if (kind === "cancel") room.cancel(name);
        else if (refused) assert.throws(() => (kind === "set" ? room.set(name) : room.delay()), /the most that/);
        else if (kind === "set") room.set(name);
        else room.delay();
        if (refused || kind === "released") continue;
        if (kind === "delay") delayed += 1;
        else touched.set(name, kind === "set");
      }
    }),
    { numRuns: 1_000 },
  );
});
