/**
 * Random schedules of one mailbox with durable commands among the others. What must hold, whatever happens: one turn at
 * a time; nobody else has it while an accepted command is not finished, parked without it, or removed; what is in the
 * inbox is never said not to have happened, and is done in the end; each caller gets one answer.
 */
import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { Mailbox } from "./mailbox.ts";
import type { FailReason, MailboxEffect, MailboxInput } from "./messages.ts";

type Event =
  | { kind: "arrive"; id: string; durable: boolean; until: "acceptance" | "outcome" }
  | { kind: "finish" | "pause" | "resume" | "remove" | "depart" | "leave" }
  | { kind: "park"; holdsTurn: boolean }
  | { kind: "durable" | "expire" | "looked"; pick: number }
  | { kind: "rollBack"; pick: number; culprit: boolean };

interface Command {
  readonly token: number;
  readonly durable: boolean;
  /** The position of its acceptance, and of its result. */
  entered: number | null;
  finished: number | null;
}

/** What may be said of a command that is in the inbox. */
const ofAccepted: readonly FailReason[] = ["expired-unknown", "parked", "removed", "dropped-unknown"];

class World {
  readonly #mailbox = new Mailbox<Command>({ mailboxLengthMax: 5 });
  readonly #all: Command[] = [];
  #lastToken = 0;
  readonly #waiting = new Set<number>();
  readonly #looking: Command[] = [];
  #running: { readonly command: Command; readonly attempt: number } | null = null;
  /** Accepted commands that keep the turn. */
  #paused: Command | null = null;
  #parked: Command | null = null;
  #position = 0;
  #durable = 0;
  #departure = 0;
  left = false;
  done = 0;

  constructor() {
    this.#step({ kind: "loaded" });
  }

  happen(event: Event): void {
    switch (event.kind) {
      case "arrive":
        return this.#arrive(event);
      case "looked": {
        const [command] = this.#looking.splice(event.pick % Math.max(1, this.#looking.length), 1);
        if (command !== undefined) this.#step({ kind: "looked", token: command.token, answer: "absent" });
        return;
      }
      case "finish":
        return this.#finish();
      case "pause":
        return this.#pause();
      case "resume":
        if (this.#paused !== null && !this.left) this.#resume();
        return;
      case "park":
        return this.#park(event.holdsTurn);
      case "remove":
        return this.#remove();
      case "depart":
        if (this.#running === null) return;
        return this.#step({ kind: "depart", ...this.#turn(), departure: ++this.#departure });
      case "durable":
        return this.#becomeDurable(event.pick);
      case "rollBack":
        return this.#rollBack(event.pick, event.culprit);
      case "expire":
        if (this.#lastToken > 0) this.#step({ kind: "expire", token: 1 + (event.pick % this.#lastToken) });
        return;
      case "leave":
        if (this.left) return;
        this.left = true;
        return this.#step({ kind: "leave" });
    }
  }

  /** The world calms down: what is open ends well, and operators have parked commands removed. */
  settle(): void {
    for (let left = 1_000; this.#open; left--) {
      assert.ok(left > 0, "somebody starves");
      this.happen({ kind: "looked", pick: 0 });
      if (this.left && this.#paused !== null) this.#remove();
      this.happen({ kind: "resume" });
      this.happen({ kind: "finish" });
      this.happen({ kind: "durable", pick: Number.MAX_SAFE_INTEGER });
      if (this.#parked !== null) this.#remove();
    }
    assert.equal(this.#waiting.size, 0, "everybody was answered");
    assert.ok(this.#mailbox.idle);
  }

  get #open(): boolean {
    const kept = this.#paused !== null || this.#parked !== null;
    return kept || this.#running !== null || this.#position > this.#durable || this.#mailbox.queued > 0;
  }

  #arrive({ id, durable, until }: Extract<Event, { kind: "arrive" }>): void {
    if (this.left) return;
    const token = ++this.#lastToken;
    this.#waiting.add(token);
    const payload: Command = { token, durable, entered: null, finished: null };
    // What has ended is known by its record: the driver finds it before the mailbox is asked.
    const name = `${id}.${this.done}`;
    this.#all.push(payload);
    this.#step({ kind: "arrive", token, id: name, inputHash: "i", lookup: true, until, payload });
  }

  #turn(): { readonly token: number; readonly attempt: number } {
    const { command, attempt } = this.#running!;
    return { token: command.token, attempt };
  }

  #finish(): void {
    if (this.#running === null) return;
    const turn = this.#turn();
    this.#running = null;
    this.#step({ kind: "finished", ...turn, changed: true });
    this.done += 1;
  }

  #pause(): void {
    if (this.#running === null || this.#running.command.entered === null) return;
    const turn = this.#turn();
    this.#paused = this.#running.command;
    this.#running = null;
    this.#step({ kind: "paused", ...turn });
  }

  #resume(): void {
    const { token } = this.#paused!;
    this.#paused = null;
    this.#step({ kind: "resumed", token });
  }

  /** Only what is durably accepted is parked, durably. */
  #park(holdsTurn: boolean): void {
    const command = this.#paused;
    if (command === null || command.entered! > this.#durable) return;
    this.#paused = null;
    if (holdsTurn) this.#parked = command;
    this.#step({ kind: "parked", token: command.token, holdsTurn });
  }

  #remove(): void {
    const command = this.#paused ?? this.#parked;
    if (command === null || command.entered! > this.#durable) return;
    this.#paused = null;
    this.#parked = null;
    this.#step({ kind: "removed", token: command.token });
  }

  #becomeDurable(pick: number): void {
    if (this.#position === this.#durable) return;
    this.#durable += 1 + (pick % (this.#position - this.#durable));
    this.#step({ kind: "durable", position: this.#durable });
  }

  #rollBack(pick: number, culprit: boolean): void {
    if (this.#position === this.#durable) return;
    const through = this.#durable + 1 + (pick % (this.#position - this.#durable));
    // An acceptance that was not written never was.
    if (this.#paused !== null && this.#paused.entered! > this.#durable) this.#paused = null;
    this.#step({ kind: "rolledBack", through, culprit });
  }

  #step(input: MailboxInput<Command>): void {
    for (const effect of this.#mailbox.step(input)) this.#perform(effect);
  }

  #perform(effect: MailboxEffect<Command>): void {
    switch (effect.kind) {
      case "lookup":
        this.#looking.push(effect.payload);
        return;
      case "run":
        return this.#run(effect.payload, effect.attempt);
      case "enter":
        this.#position += 1;
        assert.equal(effect.position, this.#position);
        effect.payload.entered = this.#position;
        return;
      case "commit":
        this.#position += 1;
        assert.equal(effect.position, this.#position);
        effect.payload.finished = this.#position;
        return;
      case "accept":
        assert.ok(effect.payload.entered! <= this.#durable, "what is said to be accepted is durable");
        return this.#answered(effect.tokens);
      case "release":
        assert.ok(effect.payload.finished! <= this.#durable, "what is answered is durable");
        return this.#answered(effect.tokens);
      case "departed":
        assert.equal(this.#position, this.#durable, "a call leaves when its acceptance is durable");
        return;
      case "restore":
        this.#position = this.#durable;
        for (const command of this.#all) if ((command.entered ?? 0) > this.#durable) command.entered = null;
        return;
      case "abandon":
        // On leaving an accepted command keeps the turn; otherwise it is queued again, or void.
        if (this.left && this.#running?.command.entered != null) this.#paused = this.#running.command;
        this.#running = null;
        return;
      case "suspend":
        assert.ok(effect.payload.entered! <= this.#durable, "only what is in the inbox is kept");
        effect.payload.finished = null;
        this.#paused = effect.payload;
        return;
      case "fail":
        return this.#failed(effect.tokens, effect.reason);
      case "replay":
        assert.fail("nothing was recorded");
    }
  }

  #run(command: Command, attempt: number): void {
    assert.equal(this.#running, null, "one turn at a time");
    assert.equal(this.#paused ?? this.#parked, null, "an accepted command keeps the turn");
    this.#running = { command, attempt };
    if (!command.durable || command.entered !== null) return;
    this.#step({ kind: "accepted", token: command.token, attempt });
  }

  #answered(tokens: readonly number[]): void {
    for (const token of tokens) assert.ok(this.#waiting.delete(token), "each caller gets one answer");
  }

  #failed(tokens: readonly number[], reason: FailReason): void {
    const accepted = this.#paused ?? this.#running?.command;
    for (const token of tokens) {
      if (accepted?.token !== token || accepted.entered === null || accepted.entered > this.#durable) continue;
      assert.ok(ofAccepted.includes(reason), `what is in the inbox is said to be ${reason}`);
    }
    this.#answered(tokens);
  }
}

const pick = fc.nat(1_000);
const event: fc.Arbitrary<Event> = fc.oneof(
  {
    weight: 8,
    arbitrary: fc.record({
      kind: fc.constant("arrive"),
      id: fc.constantFrom("x", "y", "z"),
      durable: fc.boolean(),
      until: fc.constantFrom("acceptance", "outcome"),
    }),
  },
  { weight: 5, arbitrary: fc.record({ kind: fc.constantFrom("durable", "looked"), pick }) },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant("expire"), pick }) },
  { weight: 4, arbitrary: fc.record({ kind: fc.constant("finish") }) },
  { weight: 6, arbitrary: fc.record({ kind: fc.constantFrom("pause", "resume", "depart") }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant("remove") }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant("park"), holdsTurn: fc.boolean() }) },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant("rollBack"), pick, culprit: fc.boolean() }) },
) as fc.Arbitrary<Event>;
const schedule = fc.tuple(fc.array(event, { maxLength: 60, size: "max" }), fc.boolean());

test("whatever happens to durable commands, one turn is given at a time, and what was accepted is done or parked", () => {
  fc.assert(
    fc.property(schedule, ([events, leaves]) => {
      const world = new World();
      for (const one of events) world.happen(one);
      if (leaves) world.happen({ kind: "leave" });
      world.settle();
    }),
    { numRuns: 1_000 },
  );
});
