/** The page with the space-time diagram: it stands alone, and its script draws, zooms, pans and explains. */
import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { before, test } from "node:test";
import { runInNewContext } from "node:vm";
import bank from "../../examples/bank/system.ts";
import { defineScenario, type RunResult, simulate } from "../../src/simulation/index.ts";
import { mutations } from "../../src/simulation/mutations.ts";
import { pageOf } from "../../src/simulation/report/page.ts";
import type { PageDocument, PageElement, PageEvent, PageWindow } from "../../src/simulation/report/page-script.ts";

let run: RunResult;
let html: string;

before(async () => {
  const scenario = defineScenario({ system: bank, nodes: 3, clients: 4, duration: "5s" });
  const mutation = mutations.find(({ name }) => name === "reply-before-durable")!;
  run = await simulate({ scenario, seed: 1, mutation, keepTrace: true });
  assert.ok(run.violations.length > 0);
  html = pageOf(run, { name: "a <bank>", replay: "synod sim x" });
});

/** As much of a browser's document as the script uses. */
class Element implements PageElement {
  textContent: string | null = "";
  checked = false;
  readonly clientWidth = 1_000;
  readonly name: string;
  readonly attributes = new Map<string, string>();
  readonly listeners = new Map<string, (event: PageEvent) => void>();
  children: PageElement[] = [];

  constructor(name: string) {
    this.name = name;
  }

  setAttribute(name: string, value: string): void {
    this.attributes.set(name, value);
  }

  getAttribute(name: string): string | null {
    return this.attributes.get(name) ?? null;
  }

  append(...children: PageElement[]): void {
    this.children.push(...children);
  }

  replaceChildren(...children: PageElement[]): void {
    this.children = children;
  }

  addEventListener(type: string, listener: (event: PageEvent) => void): void {
    this.listeners.set(type, listener);
  }

  getBoundingClientRect(): { left: number } {
    return { left: 0 };
  }

  fire(type: string, event: Partial<PageEvent> = {}): void {
    this.listeners.get(type)?.({ target: this, preventDefault: () => {}, ...event });
  }

  drawn(name: string, className?: string): Element[] {
    const ofClass = (one: Element) =>
      className === undefined || (one.getAttribute("class") ?? "").split(" ").includes(className);
    return (this.children as Element[]).filter((one) => one.name === name && ofClass(one));
  }
}

function scriptOf(page: string): string {
  return /<script>([\s\S]*)<\/script>\n<\/body>/.exec(page)![1]!;
}

/** Runs the page's script; returns the elements that it finds by their id. */
function open(page: string): (id: string) => Element {
  const elements = new Map<string, Element>();
  for (const [, name, id] of page.matchAll(/<(\w+)[^>]*? id="(\w+)"/g)) elements.set(id!, new Element(name!));
  elements.get("story")!.textContent = /id="story">(.*)<\/script>/.exec(page)![1]!;
  const document: PageDocument = {
    getElementById: (id) => elements.get(id) ?? null,
    createElementNS: (namespace, name) => {
      assert.equal(namespace, "http://www.w3.org/2000/svg");
      return new Element(name);
    },
  };
  const window: PageWindow = { addEventListener: () => {}, requestAnimationFrame: (callback) => callback() };
  runInNewContext(scriptOf(page), { document, window });
  return (id) => elements.get(id)!;
}

test("the page loads nothing, and its policy allows exactly its own script and style", () => {
  assert.doesNotMatch(html, /(src|href)=|url\((?!#)|@import|fetch\(|https?:\/\/(?!www\.w3\.org\/2000\/svg)/);
  const hash = (text: string) => `'sha256-${createHash("sha256").update(text).digest("base64")}'`;
  const style = /<style>([\s\S]*)<\/style>/.exec(html)![1]!;
  const policy = /Content-Security-Policy" content="([^"]+)"/.exec(html)![1]!;
  assert.ok(policy.startsWith("default-src 'none'; "));
  assert.ok(policy.includes(`script-src ${hash(scriptOf(html))};`));
  assert.ok(policy.includes(`style-src ${hash(style)};`));
  assert.doesNotMatch(html, /style="|onclick=/);
});

test("names and texts of the system cannot leave their place in the page", () => {
  const evil = "</script><script>alert(1)</script>";
  const [first, ...others] = run.trace;
  const trace = [{ ...first!, text: evil }, ...others];
  const violations = [{ ...run.violations[0]!, text: evil }];
  const page = pageOf({ ...run, trace, violations }, { name: evil, replay: evil });
  assert.equal(page.split("<script>").length, 2, "only the page's own script begins");
  assert.equal(page.split("</script>").length, 3, "its data and its script end, and nothing else");
  assert.match(page, /<h1>Seed 1 of &lt;\/script&gt;/);
  assert.doesNotThrow(() => open(page));
});

test("it opens at the violation, with the violating step marked and explained", () => {
  const element = open(html);
  const diagram = element("diagram");
  assert.equal(diagram.drawn("line", "violation").length, 1);
  assert.equal(diagram.drawn("circle", "violates").length, 1);
  assert.ok(diagram.drawn("line", "message").length > 0);
  assert.match(element("details").textContent!, /this step broke the promise/);
  const names = diagram.drawn("text", "name").map(({ textContent }) => textContent);
  assert.deepEqual(names.slice(-4), ["node-1", "node-2", "node-3", "store"]);
});

test("wheel and keys zoom and pan, and keep within the run", () => {
  const element = open(html);
  const diagram = element("diagram");
  const seen = (): number[] =>
    element("seen")
      .textContent!.match(/[\d.]+/g)!
      .slice(0, 2)
      .map(Number);
  diagram.fire("keydown", { key: "0" });
  assert.deepEqual(seen(), [0, Number(run.simulatedMs.toFixed(1))]);
  diagram.fire("wheel", { deltaX: 0, deltaY: -400, clientX: 546 });
  const [from, to] = seen();
  assert.ok(from! > 0 && to! < run.simulatedMs);
  diagram.fire("keydown", { key: "ArrowRight" });
  assert.ok(seen()[0]! > from!);
  for (let times = 0; times < 50; times++) diagram.fire("keydown", { key: "-" });
  assert.deepEqual(seen(), [0, Number(run.simulatedMs.toFixed(1))]);
});

test("a click says what something is, n goes to the next event, and renewals are there when asked for", () => {
  const element = open(html);
  const diagram = element("diagram");
  const [message] = diagram.drawn("line", "message");
  diagram.fire("click", { target: message! });
  assert.equal(diagram.drawn("line", "selected").length, 1);
  assert.match(element("details").textContent!, / to .*: .*arrives at/);
  const before = diagram.drawn("line", "minor").length;
  element("whole").fire("click");
  element("next").fire("click");
  assert.match(element("details").textContent!, /process 1 starts/);
  element("minor").checked = true;
  element("minor").fire("change");
  assert.ok(diagram.drawn("line", "minor").length > before);
});
