/** A page that stands alone: it loads nothing, runs nothing but a script of its own if it has one, and its policy forbids it to. */
import { createHash } from "node:crypto";
import { escaped } from "./chart.ts";

/** Of reports: a column of text with pictures and tables. */
const reportStyle = [
  "body{font:15px/1.5 sans-serif;max-width:60rem;margin:2rem auto;padding:0 1rem;color:#1b1b1b;background:#fff}",
  "svg{width:100%;height:auto;margin:1rem 0}",
  "table{border-collapse:collapse;margin:1rem 0}td,th{padding:.2rem .8rem;text-align:right;border-bottom:1px solid #ddd}",
  "th:first-child,td:first-child{text-align:left}.headline{font-size:1.3rem}.small{color:#555;font-size:.85rem}",
].join("");

export interface PageOptions {
  /** CSS, instead of that of reports. */
  readonly style?: string;
  /** JavaScript that runs when the page stands. */
  readonly script?: string;
}

/** `body` is HTML; `title` is a text. */
export function standalonePage(
  title: string,
  body: readonly string[],
  { style = reportStyle, script }: PageOptions = {},
): string {
  const scripts = script === undefined ? "" : ` script-src '${hashOf(script)}';`;
  const policy = `default-src 'none';${scripts} style-src '${hashOf(style)}'; base-uri 'none'; form-action 'none'`;
  return [
    "<!doctype html>",
    '<html lang="en">',
    "<head>",
    '<meta charset="utf-8">',
    `<meta http-equiv="Content-Security-Policy" content="${policy}">`,
    '<meta name="viewport" content="width=device-width, initial-scale=1">',
    `<title>${escaped(title)}</title>`,
    `<style>${style}</style>`,
    "</head>",
    "<body>",
    `<h1>${escaped(title)}</h1>`,
    ...body,
    ...(script === undefined ? [] : [`<script>${script}</script>`]),
    "</body>",
    "</html>",
    "",
  ].join("\n");
}

/** Data for a page's script, which finds it by its id; JSON that cannot end the element it stands in. */
export function pageData(id: string, value: unknown): string {
  return `<script type="application/json" id="${id}">${JSON.stringify(value).replaceAll("<", "\\u003c")}</script>`;
}

export function paragraph(words: string, kind?: string): string {
  return `<p${kind === undefined ? "" : ` class="${kind}"`}>${escaped(words)}</p>`;
}

/** Cells are texts. */
export function htmlTable(columns: readonly string[], rows: readonly (readonly string[])[]): string {
  const row = (tag: string, cells: readonly string[]): string =>
    `<tr>${cells.map((cell) => `<${tag}>${escaped(cell)}</${tag}>`).join("")}</tr>`;
  return `<table>${row("th", columns)}${rows.map((cells) => row("td", cells)).join("")}</table>`;
}

function hashOf(text: string): string {
  return `sha256-${createHash("sha256").update(text).digest("base64")}`;
}
