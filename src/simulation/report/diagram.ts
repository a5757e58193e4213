/**
 * A space-time diagram: where things are drawn. One line per place, time goes right, a message is an arrow (Lamport,
 * "Time, Clocks, and the Ordering of Events in a Distributed System", CACM 21(7), 1978, drawn on its side).
 *
 * These functions run in the page, too, which gets their text: they use nothing from outside of themselves but each
 * other, and no constant of this module.
 */
import type { EventKind, SpanKind, Story } from "./story.ts";

/** What of a story the page is given. */
export type DiagramStory = Pick<Story, "lanes" | "endsAt" | "events" | "passages" | "spans">;

/** The part of the time that is seen, ms since the world began, and how wide it is drawn, pixels. */
export interface DiagramView {
  readonly from: number;
  readonly to: number;
  readonly width: number;
  /** Pings, renewals and the like, too. */
  readonly minor: boolean;
}

interface Placed {
  /** Its place in the story's list. */
  readonly index: number;
  readonly text: string;
}

export interface Diagram {
  readonly height: number;
  readonly lanes: readonly { readonly name: string; readonly y: number }[];
  readonly ticks: readonly { readonly x: number; readonly label: string }[];
  readonly spans: readonly (Placed & {
    readonly x: number;
    readonly y: number;
    readonly width: number;
    readonly height: number;
    readonly kind: SpanKind;
  })[];
  readonly arrows: readonly (Placed & {
    readonly x1: number;
    readonly y1: number;
    readonly x2: number;
    readonly y2: number;
    readonly lost: boolean;
    readonly minor: boolean;
  })[];
  readonly dots: readonly (Placed & {
    readonly x: number;
    readonly y: number;
    readonly kind: EventKind;
    readonly violates: boolean;
  })[];
  /** Where the violation is, when it is in view. */
  readonly violationX: number | null;
  /** What is in view and not drawn, because there is too much of it. */
  readonly hidden: number;
}

/** Distances in pixels, and bounds. */
function diagramSizes(): {
  readonly left: number;
  readonly right: number;
  readonly top: number;
  readonly gap: number;
  readonly band: number;
  readonly shapesMax: number;
  readonly tickWidth: number;
} {
  return { left: 92, right: 24, top: 34, gap: 46, band: 26, shapesMax: 1_500, tickWidth: 110 };
}

export function layOutDiagram(story: DiagramStory, view: DiagramView): Diagram {
  const { left, right, top, gap } = diagramSizes();
  const pixelsPerMs = (view.width - left - right) / Math.max(0.001, view.to - view.from);
  const x = (at: number): number => left + (at - view.from) * pixelsPerMs;
  const y = (lane: number): number => top + gap * (lane + 0.5);
  const violation = story.events.find(({ violates }) => violates);
  const inView = violation !== undefined && violation.at >= view.from && violation.at <= view.to;
  const arrows = placedArrows(story, view, x, y);
  const dots = placedDots(story, view, x, y);
  const [shownArrows, shownDots] = [thinned(arrows, () => false), thinned(dots, ({ violates }) => violates)];
  return {
    height: top + gap * story.lanes.length + 12,
    lanes: story.lanes.map((name, lane) => ({ name, y: y(lane) })),
    ticks: placedTicks(view, x),
    spans: placedSpans(story, view, x, y),
    arrows: shownArrows,
    dots: shownDots,
    violationX: inView ? x(violation.at) : null,
    hidden: arrows.length - shownArrows.length + dots.length - shownDots.length,
  };
}

function placedArrows(
  { passages }: DiagramStory,
  { from, to, minor }: DiagramView,
  x: (at: number) => number,
  y: (lane: number) => number,
): Diagram["arrows"] {
  return passages.flatMap((passage, index) => {
    // What got lost is a stub that shows where it was going.
    const lost = passage.arrivedAt === undefined;
    const end = passage.arrivedAt ?? passage.sentAt + (to - from) / 60;
    if (end < from || passage.sentAt > to || (passage.minor && !minor)) return [];
    const [y1, whole] = [y(passage.from), y(passage.to)];
    const y2 = lost ? y1 + (whole - y1) * 0.4 : whole;
    return [{ index, text: passage.text, x1: x(passage.sentAt), y1, x2: x(end), y2, lost, minor: passage.minor }];
  });
}

function placedDots(
  { events, lanes }: DiagramStory,
  { from, to, minor }: DiagramView,
  x: (at: number) => number,
  y: (lane: number) => number,
): Diagram["dots"] {
  return events.flatMap((event, index) => {
    if (event.at < from || event.at > to || (event.minor && !minor && !event.violates)) return [];
    if (event.kind === "fault") return [];
    // What the judge says stands below all.
    const lane = event.lane ?? lanes.length - 0.35;
    return [{ index, text: event.text, x: x(event.at), y: y(lane), kind: event.kind, violates: event.violates }];
  });
}

function placedSpans(
  { spans }: DiagramStory,
  { from, to, width }: DiagramView,
  x: (at: number) => number,
  y: (lane: number) => number,
): Diagram["spans"] {
  const { left, band } = diagramSizes();
  return spans.flatMap((span, index) => {
    if (span.to < from || span.from > to || span.lane === null) return [];
    const start = Math.max(left, x(span.from));
    const end = Math.min(width, Math.max(x(span.to), start + 2));
    const height = span.kind === "fault" ? band + 8 : band;
    return [
      {
        index,
        text: span.text,
        x: start,
        y: y(span.lane) - height / 2,
        width: Math.max(1, end - start),
        height,
        kind: span.kind,
      },
    ];
  });
}

/** Round instants, about as far from each other as their labels need. */
function placedTicks({ from, to, width }: DiagramView, x: (at: number) => number): Diagram["ticks"] {
  const { left, tickWidth } = diagramSizes();
  const least = ((to - from) * tickWidth) / Math.max(1, width - left);
  const power = 10 ** Math.floor(Math.log10(least));
  const step = [1, 2, 5, 10].map((times) => times * power).find((each) => each >= least) ?? least;
  const digits = Math.max(0, -Math.floor(Math.log10(step)));
  const ticks: { x: number; label: string }[] = [];
  for (let at = Math.ceil(from / step) * step; at <= to; at += step) {
    ticks.push({ x: x(at), label: `${at.toFixed(digits)} ms` });
  }
  return ticks;
}

/** As many as can be drawn, evenly, with all that must be seen. */
function thinned<T>(shapes: readonly T[], mustBeSeen: (shape: T) => boolean): readonly T[] {
  const { shapesMax } = diagramSizes();
  if (shapes.length <= shapesMax) return shapes;
  const every = Math.ceil(shapes.length / shapesMax);
  return shapes.filter((shape, index) => index % every === 0 || mustBeSeen(shape));
}

/** All functions of this file by text, for a page. */
export const diagramFunctions: readonly string[] = [
  diagramSizes,
  layOutDiagram,
  placedArrows,
  placedDots,
  placedSpans,
  placedTicks,
  thinned,
].map(String);
