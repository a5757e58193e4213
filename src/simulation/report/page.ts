/**
 * A run as one page: a space-time diagram to zoom into, the violation in words, and the same as text for whoever does
 * not see it. The page stands alone: it loads nothing, and its policy forbids it to.
 */
import { escaped } from "../../pictures/chart.ts";
import { pageData, standalonePage } from "../../pictures/page.ts";
import { describeFault } from "../faults.ts";
import type { RunResult } from "../simulate.ts";
import { type DiagramStory, diagramFunctions } from "./diagram.ts";
import { pageFunctions } from "./page-script.ts";
import { type Story, storyOf } from "./story.ts";
import { timelineOf } from "./timeline.ts";

export interface PageOptions {
  /** Of the run: `examples/bank/system.ts`. */
  readonly name: string;
  /** The line that runs it again. */
  readonly replay: string;
}

/** Events, and passages, that a page is given at the most: the last ones before the violation, or before the end. */
const itemsMax = 20_000;

/** Of a run whose trace was kept. */
export function pageOf(result: RunResult, { name, replay }: PageOptions): string {
  const story = storyOf(result);
  const script = [...diagramFunctions, ...pageFunctions, "startPage(document, window);"].join("\n");
  const body = [
    ...verdictOf(result),
    `<p>Run it again: <code>${escaped(replay)}</code></p>`,
    ...diagramOf(result),
    "<details><summary>The same as text</summary>",
    `<pre>${escaped(timelineOf(story))}</pre>`,
    "</details>",
    `<p class="small">Trace ${result.digest}</p>`,
    pageData("story", bounded(story)),
  ];
  return standalonePage(`Seed ${result.seed} of ${name}`, body, { style, script });
}

function verdictOf({ violations }: RunResult): string[] {
  const [first, ...others] = violations;
  if (first === undefined) return ["<p>Nothing was found in this run.</p>"];
  const more = others.length === 0 ? "" : `<p>${others.length} more violations follow from there on.</p>`;
  return [
    `<section class="verdict"><h2>${escaped(first.promise)}, at ${first.at.toFixed(3)} ms</h2>`,
    `<pre>${escaped(first.text)}</pre>${more}</section>`,
  ];
}

function diagramOf({ injected, nodes }: RunResult): string[] {
  const label = `Space-time diagram: clients, ${nodes.join(", ")} and the store; the text below says the same.`;
  const button = (id: string, text: string): string => `<button type="button" id="${id}">${text}</button>`;
  const faults = injected.map(({ fault }) => `<li>${escaped(describeFault(fault))}</li>`);
  return [
    '<p class="tools">',
    button("violation", "violation (v)"),
    button("whole", "whole run (0)"),
    button("in", "closer (+)"),
    button("out", "further (-)"),
    button("left", "← earlier"),
    button("right", "later →"),
    button("previous", "previous event (p)"),
    button("next", "next event (n)"),
    '<label><input type="checkbox" id="minor"> pings and renewals</label>',
    '<span id="seen"></span>',
    "</p>",
    // Drawing anew empties the diagram, so what it refers to stands beside it.
    `<svg aria-hidden="true" width="0" height="0"><defs>${markers}</defs></svg>`,
    `<div class="frame"><svg id="diagram" width="100%" height="0" tabindex="0" role="img" aria-label="${escaped(label)}" aria-describedby="details"></svg></div>`,
    '<p id="details" aria-live="polite"></p>',
    ...(faults.length === 0
      ? []
      : ["<details><summary>Faults of this run</summary><ol>", ...faults, "</ol></details>"]),
  ];
}

const markers = [
  '<marker id="head" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="7" markerHeight="7" orient="auto"><path d="M0 1 8 4 0 7z" class="head"/></marker>',
  '<marker id="cross" viewBox="0 0 8 8" refX="4" refY="4" markerWidth="7" markerHeight="7"><path d="M1 1 7 7M7 1 1 7" class="cross"/></marker>',
].join("");

/** The part of a long run that ends with the violation. */
function bounded({ lanes, endsAt, events, passages, spans }: Story): DiagramStory {
  const at = events.find(({ violates }) => violates)?.at ?? endsAt;
  const until = events.findLastIndex((event) => event.at <= at) + 1 + itemsMax / 10;
  const shown = events.slice(Math.max(0, until - itemsMax), until);
  const since = shown[0]?.at ?? 0;
  const ways = passages.filter(({ sentAt, arrivedAt }) => (arrivedAt ?? sentAt) >= since);
  return { lanes, endsAt, events: shown, passages: ways.slice(-itemsMax), spans };
}

const style = `
:root { color-scheme: light dark; --ink: light-dark(#1d2530, #e3e8ee); --soft: light-dark(#8a94a3, #7d8896);
  --line: light-dark(#d5dae1, #38424f); --paper: light-dark(#ffffff, #161b22); --bad: light-dark(#c4201d, #ff6b64);
  --message: light-dark(#3566a8, #7fb0f0); --store: light-dark(#6a3fa0, #c29bf5); --ran: light-dark(#2b7a3f, #6fce88);
  --fault: light-dark(#f6c26b80, #8a5a1480); --down: light-dark(#9aa3b066, #00000099); }
body { font: 15px/1.45 system-ui, sans-serif; color: var(--ink); background: var(--paper); margin: 1.5rem; }
h1 { font-size: 1.3rem; } h2 { font-size: 1.05rem; color: var(--bad); margin: 0; }
pre { overflow-x: auto; white-space: pre-wrap; } details pre { white-space: pre; font-size: 12px; }
.verdict { border-left: 4px solid var(--bad); padding-left: 1rem; }
.tools { display: flex; flex-wrap: wrap; gap: .4rem; align-items: center; } .small, #seen { color: var(--soft); }
.frame { border: 1px solid var(--line); } svg#diagram { display: block; touch-action: none; cursor: grab; }
#details { min-height: 1.5em; font-family: ui-monospace, monospace; font-size: 13px; }
.lane { stroke: var(--soft); stroke-width: 1.2; } .tick { stroke: var(--line); } .time { fill: var(--soft); font-size: 11px; }
.name { fill: var(--ink); font-size: 12px; } .message { stroke: var(--message); stroke-width: 1.3; }
.minor { stroke: var(--line); } .lost { stroke: var(--bad); stroke-dasharray: 4 3; } .head { fill: var(--message); }
.cross { stroke: var(--bad); stroke-width: 1.5; fill: none; } .fault { fill: var(--fault); } .down { fill: var(--down); }
.still { fill: none; stroke: var(--soft); stroke-dasharray: 2 3; } circle { fill: var(--soft); stroke: var(--paper); }
circle.store { fill: var(--store); } circle.ran { fill: var(--ran); } circle.process { fill: var(--ink); }
circle.client { fill: var(--message); } circle.violation, circle.violates { fill: var(--bad); }
line.violation { stroke: var(--bad); stroke-width: 1.5; } .selected { stroke: var(--bad); stroke-width: 3; }
`;
