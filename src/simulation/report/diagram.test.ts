import assert from "node:assert/strict";
import { test } from "node:test";
import { type DiagramStory, layOutDiagram } from "./diagram.ts";
import type { StoryEvent, StoryPassage } from "./story.ts";

function event(at: number, lane: number | null, rest: Partial<StoryEvent> = {}): StoryEvent {
  return { at, lane, kind: "ran", text: `at ${at}`, minor: false, order: at, violates: false, ...rest };
}

function passage(from: number, to: number, sentAt: number, arrivedAt: number | undefined, minor = false): StoryPassage {
  return { from, to, sentAt, arrivedAt, text: "call", minor, order: sentAt };
}

const story: DiagramStory = {
  lanes: ["client-1", "node-1", "store"],
  endsAt: 1_000,
  events: [event(100, 1), event(500, 2, { violates: true }), event(501, null, { kind: "violation" })],
  passages: [passage(0, 1, 90, 100), passage(1, 2, 200, undefined), passage(1, 2, 300, 310, true)],
  spans: [
    { lane: 1, from: 150, to: 700, kind: "fault", text: "pause" },
    { lane: null, from: 0, to: 10, kind: "fault", text: "of no lane" },
  ],
};

const whole = { from: 0, to: 1_000, width: 1_116, minor: false };

test("time goes right, one pixel a millisecond here, and every lane has a line of its own", () => {
  const { lanes, dots, arrows } = layOutDiagram(story, whole);
  assert.deepEqual(
    lanes.map(({ name }) => name),
    ["client-1", "node-1", "store"],
  );
  assert.ok(lanes[0]!.y < lanes[1]!.y && lanes[1]!.y < lanes[2]!.y);
  assert.equal(dots[0]!.x, 192);
  assert.equal(dots[0]!.y, lanes[1]!.y);
  assert.deepEqual([arrows[0]!.x1, arrows[0]!.x2], [182, 192]);
  assert.deepEqual([arrows[0]!.y1, arrows[0]!.y2], [lanes[0]!.y, lanes[1]!.y]);
});

test("what never arrives is a stub on its way, and what goes on all the time is there when it is asked for", () => {
  const { arrows, lanes } = layOutDiagram(story, whole);
  assert.equal(arrows.length, 2);
  assert.equal(arrows[1]!.lost, true);
  assert.ok(arrows[1]!.y2 > lanes[1]!.y && arrows[1]!.y2 < lanes[2]!.y);
  assert.equal(layOutDiagram(story, { ...whole, minor: true }).arrows.length, 3);
});

test("the step that broke the promise is marked, and out of view it is not drawn", () => {
  const seen = layOutDiagram(story, whole);
  assert.equal(seen.violationX, 592);
  assert.equal(seen.dots.filter(({ violates }) => violates).length, 1);
  const before = layOutDiagram(story, { ...whole, to: 400 });
  assert.equal(before.violationX, null);
  assert.deepEqual(
    before.dots.map(({ index }) => index),
    [0],
  );
});

test("a span is cut where the view ends", () => {
  const [span, ...others] = layOutDiagram(story, { ...whole, from: 200, to: 300, width: 216 }).spans;
  assert.deepEqual(others, []);
  assert.deepEqual([span!.x, span!.width], [92, 124]);
});

test("ticks are at round instants, and no closer than their labels are wide", () => {
  for (const to of [0.5, 7, 130, 61_000]) {
    const { ticks } = layOutDiagram(story, { ...whole, to });
    assert.ok(ticks.length >= 2 && ticks.length <= 11, `${ticks.length} ticks up to ${to} ms`);
    assert.equal(new Set(ticks.map(({ label }) => label)).size, ticks.length);
  }
});

test("of too much to be drawn, an even part is, with the violation, and the rest is counted", () => {
  const events = Array.from({ length: 10_000 }, (_, index) => event(index / 10, 1, { violates: index === 6_661 }));
  const { dots, hidden } = layOutDiagram({ ...story, events }, whole);
  assert.ok(dots.length <= 1_501, `${dots.length} dots`);
  assert.ok(dots.some(({ violates }) => violates));
  assert.ok(dots.some(({ x }) => x < 200) && dots.some(({ x }) => x > 1_000));
  assert.equal(dots.length + hidden, 10_000);
});
