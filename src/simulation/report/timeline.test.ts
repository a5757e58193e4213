import assert from "node:assert/strict";
import { test } from "node:test";
import type { Story, StoryEvent } from "./story.ts";
import { timelineOf } from "./timeline.ts";

function event(at: number, lane: number | null, text: string, rest: Partial<StoryEvent> = {}): StoryEvent {
  return { at, lane, kind: "ran", text, minor: false, order: 2 * at, violates: false, ...rest };
}

const verdict = "one owner: shard account/3: accepted twice";

function story(quietEvents: number): Story {
  return {
    seed: 1,
    digest: "",
    lanes: ["client-1", "client-2", "node-1", "node-2", "store"],
    endsAt: 10_000,
    events: [
      event(1, 2, "node-1: process 1 starts", { kind: "process" }),
      event(2, 4, "node-1: commit account/3 at epoch 4: alice 1→2 → committed", { kind: "store" }),
      event(3, 3, "node-2 ran account/alice.deposit"),
      event(4, 3, "node-2 ran list/b.append"),
      ...Array.from({ length: quietEvents }, (_, index) =>
        event(5 + index / 1_000, 3, `node-2 ran list/c.append ${index}`),
      ),
      event(20, 4, "node-2: commit account/3 at epoch 3: alice 1→2 → committed", { kind: "store", violates: true }),
      event(20, null, verdict, { kind: "violation", order: 41 }),
    ],
    passages: [
      { from: 1, to: 2, sentAt: 10, arrivedAt: 12, text: "ask #1 account/alice.deposit", minor: false, order: 24 },
      { from: 2, to: 3, sentAt: 13, arrivedAt: undefined, text: "call account/alice.deposit", minor: false, order: 26 },
      { from: 2, to: 3, sentAt: 14, arrivedAt: 15, text: "ping", minor: true, order: 30 },
    ],
    spans: [
      { lane: 3, from: 0, to: 3.5, kind: "down", text: "node-2 does not serve" },
      { lane: 2, from: 11, to: 14, kind: "still", text: "node-1 stands still" },
    ],
    violations: [{ promise: "one owner", text: "shard account/3: accepted twice\n  by both", at: 20, traceLength: 9 }],
  };
}

test("nodes are columns, messages are arrows between them, and the violating step is marked", () => {
  assert.deepEqual(timelineOf(story(0)).split("\n").slice(1), [
    "     1.000  │   ●       │     node-1: process 1 starts",
    "     2.000  │   │       ●     node-1: commit account/3 at epoch 4: alice 1→2 → committed",
    "     3.000  │   │   ●   │     node-2 ran account/alice.deposit",
    "     4.000  │   │   ●   │     node-2 ran list/b.append",
    "    12.000  ○───▶   │   │     client-2 → node-1: ask #1 account/alice.deposit (2.0 ms)",
    "    13.000  │   ○───✕   │     node-1 → node-2: call account/alice.deposit (does not arrive)",
    "    20.000>>>   │   │   ✗     node-2: commit account/3 at epoch 3: alice 1→2 → committed",
    "    20.000>>> ══════════════  one owner: shard account/3: accepted twice",
    "              by both",
    "1 of 9 rows are left out; --trace=full prints all of them.",
  ]);
});

test("of a long run, what has to do with the violation is shown, and what comes last", () => {
  const text = timelineOf(story(500));
  assert.match(text, /process 1 starts/);
  assert.match(text, /ran account\/alice\.deposit/);
  assert.doesNotMatch(text, /list\/c\.append 100\n/);
  assert.match(text, /⋮/);
  assert.ok(text.split("\n").length < 60);
});

test("of a broken invariant, which names no entity, what handlers did long before is shown too", () => {
  const { events, violations, ...rest } = story(30);
  const broken = violations.map((violation) => ({ ...violation, promise: "invariant", text: "no seat is sold twice" }));
  const others = events.map((event) => (event.text.includes("list/c") ? { ...event, kind: "log" as const } : event));
  const text = timelineOf({ ...rest, events: others, violations: broken });
  assert.match(text, /ran list\/b\.append$/m);
  assert.doesNotMatch(text, /list\/c\.append 3$/m);
});

test("a full timeline has every row", () => {
  const text = timelineOf(story(500), { full: true });
  for (let index = 0; index < 500; index++) assert.ok(text.includes(`list/c.append ${index}\n`));
  assert.match(text, /ping/);
  assert.doesNotMatch(text, /left out/);
});
