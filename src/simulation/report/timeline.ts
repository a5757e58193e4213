/**
 * A run as text: time goes down, the nodes are columns, an arrow goes from column to column. Around a violation, what
 * has to do with it is shown; what goes on all the time is left out unless everything is asked for.
 */
import type { Story, StoryEvent, StoryPassage, StorySpan } from "./story.ts";

export interface TimelineOptions {
  /** Everything, and not only what has to do with the violation. */
  readonly full?: boolean;
}

/**
 * Of a timeline that is not full: the last rows about faults and processes, about the violation's subjects, what
 * the store did with these, and of all.
 */
const worldRows = 40;
const subjectRows = 20;
const storeRows = 12;
const lastRows = 15;
/** An invariant of the user's names no entity, and any handler may have broken it: the last rows about these. */
const handlerRows = 40;
/** A request to the store that is this long on its way is worth a row of its own, ms. */
const longMs = 500;
const columnWidth = 4;
const timeWidth = 12;

type Row = { readonly order: number; readonly at: number } & (
  | { readonly event: StoryEvent; readonly passage?: undefined }
  | { readonly passage: StoryPassage; readonly event?: undefined }
);

/** One column for all clients, one for each node, one for the store. */
interface Columns {
  readonly titles: readonly string[];
  readonly of: (lane: number) => number;
}

export function timelineOf(story: Story, { full = false }: TimelineOptions = {}): string {
  const columns = columnsOf(story);
  const all = rowsOf(story);
  const shown = full ? all : rowsThatMatter(all, story);
  const lines: string[] = [headOf(columns)];
  let previous = -1;
  for (const row of shown) {
    const index = all.indexOf(row, previous + 1);
    const left = all.slice(previous + 1, index).filter((other) => !isQuiet(other));
    if (previous >= 0 && left.length > 0) lines.push(`${" ".repeat(timeWidth)}⋮`);
    previous = index;
    lines.push(lineOf(row, columns, story));
    if (row.event?.kind === "violation") lines.push(...verdictOf(row.event, story));
  }
  const left = all.length - shown.length;
  if (left > 0) lines.push(`${left} of ${all.length} rows are left out; --trace=full prints all of them.`);
  return lines.join("\n");
}

function columnsOf({ lanes }: Story): Columns {
  const clients = lanes.filter((name) => name.startsWith("client-")).length;
  const others = lanes.slice(clients);
  const titles = [
    "cl",
    ...others.map((name) => (name === "store" ? "st" : `n${name.slice(name.lastIndexOf("-") + 1)}`)),
  ];
  return { titles, of: (lane) => Math.max(0, lane - clients + 1) };
}

function headOf({ titles }: Columns): string {
  const columns = titles.map((title) => title.padEnd(columnWidth)).join("");
  return `${"ms".padStart(timeWidth - 2)}  ${columns}  cl: clients, n: nodes, st: the store; │ serves, ┊ stands still`;
}

function rowsOf({ events, passages }: Story): Row[] {
  const rows: Row[] = [
    ...events.map((event) => ({ order: event.order, at: event.at, event })),
    ...passages.map((passage) => ({ order: passage.order, at: passage.arrivedAt ?? passage.sentAt, passage })),
  ];
  return rows.sort((a, b) => a.at - b.at || a.order - b.order);
}

/**
 * Around the violation: what was done to the system, what concerns the entities and the shard that it is about, and
 * the last steps before it.
 */
function rowsThatMatter(rows: readonly Row[], { violations }: Story): readonly Row[] {
  const at = violations[0]?.at;
  const verdict = rows.findLastIndex((row) => row.event?.kind === "violation" && row.at === at);
  const before = rows.slice(0, verdict < 0 ? rows.length : verdict + 1).filter((row) => !isQuiet(row));
  const step = before.findLast(({ event }) => event?.violates === true);
  const subjects = subjectsOf(`${violations[0]?.text ?? ""} ${step?.event?.text ?? ""}`);
  const concerns = (row: Row): boolean => {
    const { text } = row.event ?? row.passage;
    return subjects.some((subject) => text.includes(subject));
  };
  const chosen = new Set([
    ...before.filter(({ event }) => event?.kind === "fault" || event?.kind === "process").slice(-worldRows),
    ...before.filter((row) => row.event?.kind === "store" && concerns(row)).slice(-storeRows),
    ...before.filter(concerns).slice(-subjectRows),
    ...(violations[0]?.promise === "invariant" ? before.filter(isAboutHandlers).slice(-handlerRows) : []),
    ...before.slice(-lastRows),
    ...before.filter(({ event }) => event?.violates === true),
  ]);
  return before.filter((row) => chosen.has(row));
}

/** What clients asked for, and what handlers made of it. */
function isAboutHandlers({ event }: Row): boolean {
  return event?.kind === "client" || event?.kind === "ran";
}

/** Goes on all the time, or says again what another row says. */
function isQuiet({ event, passage }: Row): boolean {
  if (event !== undefined) return event.minor || (event.kind === "store" && / → read done$/.test(event.text));
  // What the store is asked for stands where it is done, unless it never is or is on its way for long.
  const isRequest = passage.text.startsWith("commit") || passage.text.startsWith("claim");
  const tookLong = passage.arrivedAt === undefined || passage.arrivedAt - passage.sentAt > longMs;
  return passage.minor || /^(read|release|end the lease|join)/.test(passage.text) || (isRequest && !tookLong);
}

/** Entities and shards that are named: `account/b`, `account/3`; of a commit's words also its keys. */
function subjectsOf(text: string): readonly string[] {
  const names = text.match(/[\w-]+\/[\w-]+/g) ?? [];
  const keys = [...text.matchAll(/([\w-]+)\/\d+ at epoch \d+: ([^;→]+→\d+(?:, [^;→]+→\d+)*)/g)].flatMap(
    ([, service, list]) => list!.split(", ").map((change) => `${service}/${change.split(" ")[0]}`),
  );
  return [...new Set([...names, ...keys])];
}

function lineOf(row: Row, columns: Columns, story: Story): string {
  const cells = columns.titles.map((_, column) => stateAt(column, row.at, columns, story));
  const between = columns.titles.map(() => " ".repeat(columnWidth - 1));
  const text = row.event === undefined ? drawPassage(row.passage, columns, cells, between, story) : row.event.text;
  if (row.event !== undefined) drawEvent(row.event, columns, cells, between);
  const picture = cells.map((cell, index) => `${cell}${between[index]}`).join("");
  const marked = row.event?.violates === true || row.event?.kind === "violation";
  return `${row.at.toFixed(3).padStart(timeWidth - 2)}${marked ? ">>>".padEnd(4) : "  "}${marked ? picture.slice(2) : picture}  ${text}`.trimEnd();
}

function drawEvent({ lane, kind, violates }: StoryEvent, columns: Columns, cells: string[], between: string[]): void {
  if (lane !== null) cells[columns.of(lane)] = violates ? "✗" : "●";
  else if (kind === "violation") {
    cells.fill("═");
    between.fill("═".repeat(columnWidth - 1));
  }
}

function drawPassage(
  { from, to, arrivedAt, sentAt, text }: StoryPassage,
  columns: Columns,
  cells: string[],
  between: string[],
  { lanes }: Story,
): string {
  const [a, b] = [columns.of(from), columns.of(to)];
  for (let column = Math.min(a, b); column < Math.max(a, b); column++) between[column] = "─".repeat(columnWidth - 1);
  for (let column = Math.min(a, b) + 1; column < Math.max(a, b); column++) cells[column] = "┼";
  cells[a] = "○";
  cells[b] = arrivedAt === undefined ? "✕" : a < b ? "▶" : "◀";
  const took = arrivedAt === undefined ? "does not arrive" : `${(arrivedAt - sentAt).toFixed(1)} ms`;
  return `${lanes[from]} → ${lanes[to]}: ${text} (${took})`;
}

function stateAt(column: number, at: number, columns: Columns, { spans }: Story): string {
  const covers = ({ lane, from, to }: StorySpan): boolean =>
    lane !== null && columns.of(lane) === column && from <= at && at < to;
  const here = spans.filter(covers);
  if (here.some(({ kind }) => kind === "down")) return " ";
  return here.some(({ kind }) => kind === "still") ? "┊" : "│";
}

/** The judge's words in full stand below its line. */
function verdictOf({ text }: StoryEvent, { violations }: Story): string[] {
  const violation = violations.find(({ promise, text: said }) => text === `${promise}: ${said.split("\n")[0]}`);
  return (violation?.text.split("\n").slice(1) ?? []).map((line) => `${" ".repeat(timeWidth)}${line}`);
}
