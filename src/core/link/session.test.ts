/**
 * The session as a whole, under random histories: two of them joined by a wire that may hold frames back,
 * and lose all of them when it is cut. What each side says about a call must be true at the other side.
 */
import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { defaultLinkLimits } from "./limits.ts";
import type { Hello, LinkInput, ReceivedFrame, SentFrame } from "./messages.ts";
import { step, wakeAt } from "./session.ts";
import { createLinkSession, type LinkSession } from "./state.ts";

interface Call {
  readonly id: number;
  readonly deadline: number;
  readonly bytes: number;
  readonly priority: number;
}

interface Types {
  readonly call: Call;
  readonly inbound: { kind: "call"; number: number; remainingMs: number; bytes: number; id: number };
  readonly reply: number;
}

type Name = "dialler" | "acceptor";

const limits = {
  ...defaultLinkLimits,
  callsMax: 3,
  callBytesMax: 100,
  queueLengthMax: 5,
  queueBytesMax: 400,
  frameBytesMax: 1_200,
};

class World {
  now = 0;
  readonly sessions: Readonly<Record<Name, LinkSession<Types>>>;
  readonly wire: Readonly<Record<Name, SentFrame<Types>[]>> = { dialler: [], acceptor: [] };
  cut = false;
  /** What became of each call, by id. */
  readonly made: Set<number> = new Set();
  readonly outcomes: Map<number, "replied" | "sent" | "not sent"> = new Map();
  readonly delivered: Map<number, number> = new Map();
  /** Delivered calls by number, until they are answered or withdrawn for good. */
  readonly executing: Map<number, number> = new Map();
  readonly closings: Name[] = [];
  readonly closed: Set<Name> = new Set();

  constructor() {
    const make = (role: Name, incarnation: number) => {
      const { frameBytesMax, callsMax, callBytesMax } = limits;
      const hello: Hello = {
        kind: "hello",
        versionMin: 1,
        versionMax: 1,
        system: "s",
        node: role,
        incarnation,
        dial: 1,
        nonce: new Uint8Array(),
        frameBytesMax,
        callsMax,
        callBytesMax,
      };
      const prover = { prove: () => new Uint8Array(), same: () => true };
      const expected = role === "dialler" ? { node: "acceptor", incarnation: 2 } : undefined;
      return createLinkSession<Types>({ role, limits, hello, expected, prover, headBytesMax: 1_000 }, 0);
    };
    this.sessions = { dialler: make("dialler", 1), acceptor: make("acceptor", 2) };
  }

  input(name: Name, input: LinkInput<Types>): void {
    for (const effect of step(this.sessions[name], input, this.now)) {
      assert.ok(!this.closed.has(name) || effect.kind === "fail", "nothing but refusals comes after closed");
      switch (effect.kind) {
        case "send":
          if (!this.cut) this.wire[name].push(effect.frame);
          break;
        case "deliver":
          assert.ok(!this.delivered.has(effect.frame.id), "a call is delivered once");
          this.delivered.set(effect.frame.id, effect.frame.number);
          this.executing.set(effect.frame.number, effect.frame.id);
          break;
        case "settle":
          assert.equal(effect.body, effect.call.id, "a reply reaches its own call");
          this.#outcome(effect.call.id, "replied");
          break;
        case "fail":
          this.#outcome(effect.call.id, effect.failure.sent ? "sent" : "not sent");
          break;
        case "closing":
          this.closings.push(name);
          break;
        case "closed":
          this.closed.add(name);
          break;
        default:
      }
    }
    this.#check();
  }

  #outcome(id: number, outcome: "replied" | "sent" | "not sent"): void {
    assert.ok(this.made.has(id) && !this.outcomes.has(id), "a call has one outcome");
    this.outcomes.set(id, outcome);
  }

  #check(): void {
    const { dialler, acceptor } = this.sessions;
    assert.ok(dialler.inFlight.size <= limits.callsMax && dialler.queue.length <= limits.queueLengthMax);
    assert.ok(dialler.inFlight.size <= 1 || dialler.inFlightBytes <= limits.callBytesMax, "the window holds");
    assert.ok(
      acceptor.inbound.size <= dialler.inFlight.size || acceptor.phase !== dialler.phase,
      "both ends count the same",
    );
    const bytes = [...dialler.inFlight.values()].reduce((sum, entry) => sum + entry.bytes, 0);
    assert.equal(dialler.inFlightBytes, bytes, "a reply gives back what its call took");
    assert.equal(
      acceptor.inboundBytes,
      [...acceptor.inbound.values()].reduce((sum, size) => sum + size, 0),
    );
    for (const [id, outcome] of this.outcomes) {
      if (outcome === "not sent") assert.ok(!this.delivered.has(id), "what was not sent did not happen");
    }
    for (const name of ["dialler", "acceptor"] as const) {
      assert.ok(this.closings.filter((closing) => closing === name).length <= 1, "closing comes once");
    }
  }

  deliver(from: Name, count: number): void {
    const to = from === "dialler" ? "acceptor" : "dialler";
    for (const frame of this.wire[from].splice(0, count)) this.input(to, { kind: "frame", frame: receivedOf(frame) });
  }

  advance(ms: number): void {
    this.now += ms;
    for (const name of ["dialler", "acceptor"] as const) {
      if (wakeAt(this.sessions[name]) <= this.now) this.input(name, { kind: "tick", takenBytes: 0 });
    }
  }

  answer(index: number): void {
    const numbers = [...this.executing.keys()];
    const number = numbers[index % Math.max(1, numbers.length)];
    if (number === undefined) return;
    const id = this.executing.get(number)!;
    this.executing.delete(number);
    this.input("acceptor", { kind: "reply", number, body: id });
  }

  lose(): void {
    this.cut = true;
    this.wire.dialler.length = 0;
    this.wire.acceptor.length = 0;
    this.input("dialler", { kind: "gone", message: "cut" });
    this.input("acceptor", { kind: "gone", message: "cut" });
  }
}

function receivedOf(frame: SentFrame<Types>): ReceivedFrame<Types> {
  if (frame.kind === "pong") return { ...frame, load: 0 };
  if (frame.kind !== "call") return frame;
  const { number, remainingMs, call } = frame;
  return { kind: "call", number, remainingMs, bytes: call.bytes, id: call.id };
}

type Action = (world: World) => void;

const side = fc.constantFrom<Name>("dialler", "acceptor");
const calls: Map<number, Call> = new Map();

const action: fc.Arbitrary<Action> = fc.oneof(
  {
    weight: 64,
    arbitrary: fc
      .record({ bytes: fc.nat(250), within: fc.nat(3_000), priority: fc.nat(5) })
      .map((shape) => (world: World) => {
        const id = world.made.size + 1;
        const call = { id, deadline: world.now + shape.within, bytes: shape.bytes, priority: shape.priority };
        calls.set(id, call);
        world.made.add(id);
        world.input("dialler", { kind: "call", call });
      }),
  },
  {
    weight: 64,
    arbitrary: fc.tuple(side, fc.integer({ min: 1, max: 5 })).map(
      ([from, count]) =>
        (world: World) =>
          world.deliver(from, count),
    ),
  },
  { weight: 48, arbitrary: fc.nat(9).map((index) => (world: World) => world.answer(index)) },
  { weight: 24, arbitrary: fc.nat(400).map((ms) => (world: World) => world.advance(ms)) },
  {
    weight: 16,
    arbitrary: fc.nat(20).map((id) => (world: World) => {
      const call = calls.get(id);
      if (call !== undefined && world.made.has(id)) world.input("dialler", { kind: "cancel", call });
    }),
  },
  {
    weight: 2,
    arbitrary: fc.constant((world: World) => world.input("dialler", { kind: "abandon", message: "stopped" })),
  },
  {
    weight: 8,
    arbitrary: fc.constant((world: World) =>
      world.input("dialler", { kind: "blocked", bufferedBytes: 1, takenBytes: 0 }),
    ),
  },
  { weight: 16, arbitrary: fc.constant((world: World) => world.input("dialler", { kind: "drained" })) },
  {
    weight: 8,
    arbitrary: fc.tuple(fc.integer({ min: 1, max: 3 }), fc.nat(100)).map(
      ([callsMax, callBytesMax]) =>
        (world: World) =>
          world.input("acceptor", { kind: "window", callsMax, callBytesMax }),
    ),
  },
  {
    weight: 1,
    arbitrary: side.map((name) => (world: World) => world.input(name, { kind: "drain", message: "planned" })),
  },
  {
    weight: 1,
    arbitrary: side.map(
      (name) => (world: World) => world.input(name, { kind: "close", cause: "stopped", message: "now" }),
    ),
  },
);

const history = fc.array(action, { maxLength: 80, size: "max" });

function open(): World {
  calls.clear();
  const world = new World();
  world.input("dialler", { kind: "connected" });
  for (const from of ["dialler", "acceptor", "dialler"] as const) world.deliver(from, 9);
  assert.equal(world.sessions.acceptor.phase, "open");
  return world;
}

test("whatever happens, every call has one outcome, and it is true", () => {
  const reached = { replied: 0, sent: 0, "not sent": 0 };
  fc.assert(
    fc.property(history, (actions) => {
      const world = open();
      for (const act of actions) act(world);
      world.lose();
      assert.equal(world.outcomes.size, world.made.size, "no call is left without an outcome");
      assert.deepEqual([...world.closed].sort(), ["acceptor", "dialler"]);
      for (const outcome of world.outcomes.values()) reached[outcome]++;
    }),
    { seed: 1, numRuns: 1_500 },
  );
  for (const [outcome, count] of Object.entries(reached))
    assert.ok(count > 100, `${outcome} was reached ${count} times`);
});

test("a planned end loses nothing: what was accepted is answered, the rest did not happen", () => {
  fc.assert(
    fc.property(history, side, (actions, leaver) => {
      const world = open();
      for (const act of actions) act(world);
      const before = new Map(world.outcomes);
      const untouched = Object.values(world.sessions).every(({ phase, blocked }) => phase === "open" && !blocked);
      fc.pre(untouched);
      world.input(leaver, { kind: "drain", message: "planned" });
      // Everything arrives and is answered at once, so that no deadline passes.
      for (let round = 0; round < 20; round++) {
        world.deliver("dialler", 99);
        while (world.executing.size > 0) world.answer(0);
        world.deliver("acceptor", 99);
      }
      for (const [id, outcome] of world.outcomes) if (!before.has(id)) assert.notEqual(outcome, "sent");
      assert.equal(world.outcomes.size, world.made.size);
      for (const { phase } of Object.values(world.sessions)) assert.equal(phase, "closing");
    }),
    { seed: 2, numRuns: 500 },
  );
});
