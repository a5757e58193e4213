/**
 * The script of the page with the space-time diagram: draws what `diagram.ts` lays out, and lets its reader zoom, pan
 * and ask what something is. Like the functions there, these run in the page and use nothing from outside.
 */
import { type Diagram, type DiagramStory, layOutDiagram } from "./diagram.ts";

/** As much of the page's document as is used. */
export interface PageElement {
  textContent: string | null;
  readonly clientWidth: number;
  checked?: boolean;
  setAttribute(name: string, value: string): void;
  getAttribute(name: string): string | null;
  append(...children: PageElement[]): void;
  replaceChildren(...children: PageElement[]): void;
  addEventListener(type: string, listener: (event: PageEvent) => void, options?: { readonly passive: boolean }): void;
  getBoundingClientRect(): { readonly left: number };
}

export interface PageEvent {
  readonly target: PageElement;
  readonly key?: string;
  readonly clientX?: number;
  readonly deltaX?: number;
  readonly deltaY?: number;
  readonly buttons?: number;
  preventDefault(): void;
}

export interface PageDocument {
  getElementById(id: string): PageElement | null;
  createElementNS(namespace: string, name: string): PageElement;
}

export interface PageWindow {
  addEventListener(type: string, listener: () => void): void;
  requestAnimationFrame(callback: () => void): void;
}

/** What is seen, and what is selected: `e` event, `p` passage, `s` span, with its index. */
interface PageState {
  readonly document: PageDocument;
  readonly story: DiagramStory;
  readonly drawing: PageElement;
  from: number;
  to: number;
  minor: boolean;
  selected: string | null;
}

function startPage(document: PageDocument, window: PageWindow): void {
  const story = JSON.parse(document.getElementById("story")?.textContent ?? "") as DiagramStory;
  const drawing = document.getElementById("diagram")!;
  const state: PageState = { document, story, drawing, from: 0, to: story.endsAt, minor: false, selected: null };
  let asked = false;
  const redraw = (): void => {
    if (asked) return;
    asked = true;
    window.requestAnimationFrame(() => {
      asked = false;
      drawPage(state);
    });
  };
  showViolation(state);
  listenToPointer(state, redraw);
  listenToKeys(state, redraw);
  for (const name of ["in", "out", "left", "right", "whole", "violation", "previous", "next"]) {
    document.getElementById(name)?.addEventListener("click", () => {
      movePage(state, name);
      redraw();
    });
  }
  const box = document.getElementById("minor");
  box?.addEventListener("change", () => {
    state.minor = box.checked === true;
    redraw();
  });
  window.addEventListener("resize", redraw);
  drawPage(state);
}

function showViolation(state: PageState): void {
  const { events, endsAt } = state.story;
  const index = events.findIndex(({ violates }) => violates);
  if (index < 0) return;
  const at = events[index]!.at;
  state.from = Math.max(0, at - 400);
  state.to = Math.min(Math.max(endsAt, at + 1), at + 40);
  state.selected = `e${index}`;
}

function movePage(state: PageState, move: string): void {
  const span = state.to - state.from;
  const middle = (state.from + state.to) / 2;
  if (move === "in") zoomPage(state, middle, 0.5);
  else if (move === "out") zoomPage(state, middle, 2);
  else if (move === "left") panPage(state, -span / 5);
  else if (move === "right") panPage(state, span / 5);
  else if (move === "violation") showViolation(state);
  else if (move === "whole") [state.from, state.to] = [0, state.story.endsAt];
  else if (move === "next") stepPage(state, 1);
  else if (move === "previous") stepPage(state, -1);
}

/** Makes the seen time so many times as long, with this instant where it is. */
function zoomPage(state: PageState, around: number, times: number): void {
  const whole = Math.max(1, state.story.endsAt);
  const span = Math.min(whole, Math.max(0.05, (state.to - state.from) * times));
  const share = (around - state.from) / (state.to - state.from);
  state.from = around - share * span;
  state.to = state.from + span;
  panPage(state, 0);
}

function panPage(state: PageState, ms: number): void {
  const span = state.to - state.from;
  const latest = Math.max(0, state.story.endsAt - span);
  state.from = Math.min(Math.max(0, state.from + ms), latest);
  state.to = state.from + span;
}

/** Selects the next event, or the one before, and brings it into view. */
function stepPage(state: PageState, by: 1 | -1): void {
  const { events } = state.story;
  const shown = [...events.keys()].filter((index) => state.minor || !events[index]!.minor);
  const selected = state.selected?.startsWith("e") === true ? Number(state.selected.slice(1)) : -1;
  const place = shown.indexOf(selected);
  const next = shown[place < 0 ? 0 : Math.min(shown.length - 1, Math.max(0, place + by))];
  if (next === undefined) return;
  state.selected = `e${next}`;
  const { at } = events[next]!;
  if (at < state.from || at > state.to) panPage(state, at - (state.from + state.to) / 2);
}

function timeUnder(state: PageState, clientX: number): number {
  const { left } = state.drawing.getBoundingClientRect();
  const share = (clientX - left - 92) / Math.max(1, state.drawing.clientWidth - 92 - 24);
  return state.from + Math.min(1, Math.max(0, share)) * (state.to - state.from);
}

function listenToPointer(state: PageState, redraw: () => void): void {
  const { drawing } = state;
  const onWheel = (event: PageEvent): void => {
    event.preventDefault();
    const [across, along] = [event.deltaX ?? 0, event.deltaY ?? 0];
    if (Math.abs(across) > Math.abs(along)) panPage(state, (across / 1_000) * (state.to - state.from));
    else zoomPage(state, timeUnder(state, event.clientX ?? 0), 1.002 ** along);
    redraw();
  };
  drawing.addEventListener("wheel", onWheel, { passive: false });
  let held: number | undefined;
  drawing.addEventListener("pointerdown", (event) => {
    held = event.clientX;
  });
  drawing.addEventListener("pointermove", (event) => {
    if (held === undefined || event.buttons !== 1) return;
    const before = timeUnder(state, held);
    panPage(state, before - timeUnder(state, event.clientX ?? held));
    held = event.clientX;
    redraw();
  });
  drawing.addEventListener("pointerup", () => {
    held = undefined;
  });
  drawing.addEventListener("click", (event) => {
    const item = event.target.getAttribute("data-item");
    if (item === null) return;
    state.selected = item;
    redraw();
  });
}

function listenToKeys(state: PageState, redraw: () => void): void {
  const moves: Record<string, string> = {
    ArrowLeft: "left",
    ArrowRight: "right",
    "+": "in",
    "=": "in",
    "-": "out",
    "0": "whole",
    v: "violation",
    n: "next",
    p: "previous",
  };
  state.drawing.addEventListener("keydown", (event) => {
    const move = moves[event.key ?? ""];
    if (move === undefined) return;
    event.preventDefault();
    movePage(state, move);
    redraw();
  });
}

function drawPage(state: PageState): void {
  const { document, story, drawing, from, to, minor } = state;
  const width = Math.max(320, drawing.clientWidth);
  const diagram = layOutDiagram(story, { from, to, width, minor });
  drawing.setAttribute("height", String(diagram.height));
  drawing.setAttribute("viewBox", `0 0 ${width} ${diagram.height}`);
  const element = (name: string, attributes: Record<string, string | number>, text?: string): PageElement => {
    const made = document.createElementNS("http://www.w3.org/2000/svg", name);
    for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, String(value));
    if (text !== undefined) made.textContent = text;
    return made;
  };
  const titled = (made: PageElement, text: string): PageElement => {
    made.append(element("title", {}, text));
    return made;
  };
  drawing.replaceChildren(
    ...drawnGround(diagram, width, element, titled),
    ...drawnThings(diagram, state.selected, element, titled),
  );
  const say = (id: string, text: string): void => {
    const place = document.getElementById(id);
    if (place !== null && place.textContent !== text) place.textContent = text;
  };
  const left = diagram.hidden > 0 ? `, ${diagram.hidden} things are not drawn: zoom in` : "";
  say("seen", `${from.toFixed(1)} to ${to.toFixed(1)} ms${left}`);
  say("details", wordsOfSelected(state));
}

type MakeElement = (name: string, attributes: Record<string, string | number>, text?: string) => PageElement;
type Titled = (made: PageElement, text: string) => PageElement;

/** Time, places, and what is wrong with them. */
function drawnGround(diagram: Diagram, width: number, element: MakeElement, titled: Titled): PageElement[] {
  const { lanes, ticks, spans, height } = diagram;
  return [
    ...ticks.flatMap(({ x, label }) => [
      element("line", { class: "tick", x1: x, x2: x, y1: 22, y2: height }),
      element("text", { class: "time", x: x + 3, y: 16 }, label),
    ]),
    ...spans.map(({ x, y, width: length, height: tall, kind, text, index }) =>
      titled(element("rect", { class: kind, x, y, width: length, height: tall, "data-item": `s${index}` }), text),
    ),
    ...lanes.flatMap(({ name, y }) => [
      element("line", { class: "lane", x1: 92, x2: width, y1: y, y2: y }),
      element("text", { class: "name", x: 8, y: y + 4 }, name),
    ]),
  ];
}

function drawnThings(
  { arrows, dots, violationX, height }: Diagram,
  selected: string | null,
  element: MakeElement,
  titled: Titled,
): PageElement[] {
  const classOf = (item: string, ...names: string[]): string =>
    [...names, ...(item === selected ? ["selected"] : [])].join(" ");
  const violation =
    violationX === null
      ? []
      : [element("line", { class: "violation", x1: violationX, x2: violationX, y1: 22, y2: height })];
  return [
    ...violation,
    ...arrows.map(({ x1, y1, x2, y2, lost, minor, text, index }) => {
      const item = `p${index}`;
      const kind = lost ? "lost" : minor ? "minor" : "message";
      const line = element("line", { class: classOf(item, kind), x1, y1, x2, y2, "data-item": item });
      line.setAttribute("marker-end", lost ? "url(#cross)" : "url(#head)");
      return titled(line, text);
    }),
    ...dots.map(({ x, y, kind, violates, text, index }) => {
      const item = `e${index}`;
      const names = violates ? [kind, "violates"] : [kind];
      const r = violates ? 8 : 4;
      return titled(element("circle", { class: classOf(item, ...names), cx: x, cy: y, r, "data-item": item }), text);
    }),
  ];
}

function wordsOfSelected({ story, selected }: PageState): string {
  if (selected === null) return "Nothing is selected: click on something, or press n.";
  const index = Number(selected.slice(1));
  if (selected.startsWith("e")) {
    const { at, text, violates } = story.events[index]!;
    return `${at.toFixed(3)} ms ${text}${violates ? " (this step broke the promise)" : ""}`;
  }
  if (selected.startsWith("p")) {
    const { from, to, sentAt, arrivedAt, text } = story.passages[index]!;
    const end = arrivedAt === undefined ? "does not arrive" : `arrives at ${arrivedAt.toFixed(3)} ms`;
    return `${sentAt.toFixed(3)} ms ${story.lanes[from]} to ${story.lanes[to]}: ${text}; ${end}`;
  }
  const { from, to, text } = story.spans[index]!;
  return `${from.toFixed(0)} to ${to.toFixed(0)} ms: ${text}`;
}

/** All functions of this file by text, for a page. */
export const pageFunctions: readonly string[] = [
  startPage,
  showViolation,
  movePage,
  zoomPage,
  panPage,
  stepPage,
  timeUnder,
  listenToPointer,
  listenToKeys,
  drawPage,
  drawnGround,
  drawnThings,
  wordsOfSelected,
].map(String);
