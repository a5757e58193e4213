/**
 * A handler is any program whose calls depend on nothing but the outcomes that it was given. However its attempts are
 * cut short, and whatever was durable by then, every attempt lets the same calls leave.
 */
import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import type { JournalEntry } from "../../ports/work.ts";
import { type AttemptEffect, DurableAttempt, type Remembered } from "./attempt.ts";

/** After each outcome, and at the start, so many calls of these sorts. */
type Program = readonly (readonly Remembered[])[];

/** What outlives attempts: the journal, and what callees remember or the outside world saw. */
class World {
  journal: readonly JournalEntry[] = [];
  /** By id: the input under which a call left first. */
  readonly left = new Map<string, string>();
  readonly #replies = new Map<string, string>();
  #asked = 0;

  /** A keyed command says the same for ever; everything else something new each time. */
  answer(id: string, remembered: Remembered): string {
    this.#asked += 1;
    const reply = remembered === "callee" ? (this.#replies.get(id) ?? `r${this.#asked}`) : `r${this.#asked}`;
    this.#replies.set(id, reply);
    return reply;
  }
}

interface Made {
  readonly id: string;
  readonly remembered: Remembered;
  readonly input: string;
}

class Attempt {
  readonly #world: World;
  readonly #program: Program;
  readonly #core: DurableAttempt;
  readonly #calls: Made[] = [];
  readonly #asked: number[] = [];
  #writes: { readonly write: number; readonly entries: readonly JournalEntry[] }[] = [];
  #turns = 0;
  #seen: string[] = [];
  #lastDelivered = -1;
  over = false;

  constructor(world: World, program: Program) {
    this.#world = world;
    this.#program = program;
    this.#core = new DurableAttempt(world.journal);
    this.#issue(program[0] ?? []);
  }

  /** Something that can happen next does; false when nothing can. */
  happen(pick: number): boolean {
    const events = [
      ...(this.#writes.length > 0 ? [() => this.#written()] : []),
      ...this.#asked.map((call) => () => this.#answered(call)),
      ...(this.#turns > 0 ? [() => this.#turned()] : []),
    ];
    const event = events[pick % Math.max(1, events.length)];
    event?.();
    return event !== undefined;
  }

  #written(): void {
    const write = this.#writes.shift()!;
    const journal = new Map(this.#world.journal.map((entry) => [entry.id, entry]));
    for (const entry of write.entries) journal.set(entry.id, entry);
    this.#world.journal = [...journal.values()];
    this.#perform(this.#core.step({ kind: "written", write: write.write }));
    assert.deepEqual(
      this.#core.durable.toSorted(byId),
      this.#world.journal.toSorted(byId),
      "the next attempt knows what is durable",
    );
  }

  #answered(call: number): void {
    this.#asked.splice(this.#asked.indexOf(call), 1);
    const { id, remembered } = this.#calls[call]!;
    this.#perform(this.#core.step({ kind: "answered", call, outcome: this.#world.answer(id, remembered) }));
  }

  #turned(): void {
    this.#turns -= 1;
    this.#perform(this.#core.step({ kind: "turned" }));
  }

  #issue(sorts: readonly Remembered[]): void {
    for (const remembered of sorts) {
      const call = this.#calls.length;
      const id = `${call}`;
      // What it sends depends on all that it has seen.
      const input = this.#seen.join(",");
      this.#calls.push({ id, remembered, input });
      this.#perform(this.#core.step({ kind: "issue", call, id, name: id, inputHash: input, remembered }));
    }
  }

  #perform(effects: readonly AttemptEffect[]): void {
    for (const effect of effects) {
      switch (effect.kind) {
        case "write":
          this.#writes.push(effect);
          break;
        case "leave": {
          const { id, input } = this.#calls[effect.call]!;
          assert.equal(this.#world.left.get(id) ?? input, input, "whatever leaves again is the same");
          if (effect.first) assert.ok(!this.#world.left.has(id), "what is said to leave first has never left");
          this.#world.left.set(id, input);
          this.#asked.push(effect.call);
          break;
        }
        case "deliver":
          assert.equal(effect.call, this.#lastDelivered + 1, "in the order of issue");
          this.#lastDelivered = effect.call;
          this.#seen = [...this.#seen, effect.outcome];
          this.#issue(this.#program[effect.call + 1] ?? []);
          if (this.#lastDelivered === this.#calls.length - 1) this.#perform(this.#core.step({ kind: "ended" }));
          break;
        case "turn":
          this.#turns += 1;
          assert.equal(this.#turns, 1, "one turn is asked for at a time");
          break;
        case "finish":
          this.over = true;
          break;
        default:
          assert.fail(`${effect.kind}: the program changed its mind`);
      }
    }
  }
}

function byId(a: JournalEntry, b: JournalEntry): number {
  return a.id < b.id ? -1 : 1;
}

const sort = fc.constantFrom<Remembered>("callee", "soon", "now");
const program: fc.Arbitrary<Program> = fc
  .array(fc.array(sort, { maxLength: 3 }), { minLength: 1, maxLength: 6 })
  .map((rest) => [["callee" as const], ...rest]);
const attempts = fc.array(fc.array(fc.nat(1_000), { maxLength: 30 }), { maxLength: 5 });

test("however attempts are cut short, all let the same calls leave, and one that is left alone finishes", () => {
  fc.assert(
    fc.property(program, attempts, (steps, cuts) => {
      const world = new World();
      for (const picks of cuts) {
        const attempt = new Attempt(world, steps);
        for (const pick of picks) attempt.happen(pick);
      }
      const last = new Attempt(world, steps);
      for (let left = 1_000; !last.over; left--) {
        assert.ok(left > 0 && last.happen(left), "it does not come to an end");
      }
    }),
    { numRuns: 500 },
  );
});
