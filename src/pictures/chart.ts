/**
 * Line charts as SVG: text that any browser draws, with a title for whoever does not see it. Enough of a chart for a
 * report, on paper-white ground so that it reads the same everywhere.
 */

export interface Series {
  readonly name: string;
  readonly colour: string;
  readonly dashed?: boolean;
  readonly points: readonly SeriesPoint[];
}

export interface SeriesPoint {
  readonly x: number;
  readonly y: number;
  /** Drawn hollow: a figure that is not to be relied on. */
  readonly doubtful?: boolean;
}

export interface Mark {
  readonly at: number;
  readonly words: string;
}

export interface ChartOptions {
  readonly title: string;
  readonly x: string;
  readonly y: string;
  readonly series: readonly Series[];
  /** Lines across, at values of x and of y. */
  readonly verticals?: readonly Mark[];
  readonly horizontals?: readonly Mark[];
  /** The y axis goes in powers of ten. */
  readonly logarithmic?: boolean;
}

const width = 760;
const height = 400;
const frame = { left: 70, right: width - 190, top: 44, bottom: height - 56 };
const ticksMax = 6;
const grey = "#777777";

/** An SVG document. */
export function lineChart(options: ChartOptions): string {
  const scale = scaleOf(options);
  const lines = options.series.map((series) => lineOf(series, scale));
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${height}" font-family="sans-serif" font-size="12" role="img">`,
    `<title>${escaped(options.title)}</title>`,
    `<rect width="${width}" height="${height}" fill="#ffffff"/>`,
    text(frame.left, 24, options.title, 'font-size="15"'),
    ...axes(options, scale),
    ...(options.verticals ?? []).map(({ at, words }) => vertical(scale.x(at), words)),
    ...(options.horizontals ?? []).map(({ at, words }) => horizontal(scale.y(at), words)),
    ...lines,
    ...legend(options.series),
    "</svg>\n",
  ].join("\n");
}

/** Text for HTML and SVG. */
export function escaped(words: string): string {
  return words.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll(">", "&gt;").replaceAll('"', "&quot;");
}

interface Scale {
  readonly x: (value: number) => number;
  readonly y: (value: number) => number;
  readonly xTicks: readonly number[];
  readonly yTicks: readonly number[];
}

function scaleOf({ series, horizontals = [], verticals = [], logarithmic = false }: ChartOptions): Scale {
  const points = series.flatMap((one) => one.points);
  const xMax = Math.max(...points.map(({ x }) => x), ...verticals.map(({ at }) => at), 1e-9);
  const ys = [...points.map(({ y }) => y), ...horizontals.map(({ at }) => at)].filter((y) => y > 0);
  const x = (value: number): number => frame.left + (value / xMax) * (frame.right - frame.left);
  const upwards = (part: number): number => frame.bottom - Math.min(1, Math.max(0, part)) * (frame.bottom - frame.top);
  if (!logarithmic) {
    const yTicks = ticksTo(Math.max(...ys, 1e-9) * 1.08);
    const yMax = Math.max(yTicks.at(-1)!, Math.max(...ys, 1e-9) * 1.08);
    return { x, y: (value) => upwards(value / yMax), xTicks: ticksTo(xMax), yTicks };
  }
  const low = Math.floor(Math.log10(Math.min(...ys, 1)));
  const high = Math.ceil(Math.log10(Math.max(...ys, 10)));
  const yTicks = Array.from({ length: high - low + 1 }, (_, at) => 10 ** (low + at));
  const part = (value: number): number => (Math.log10(Math.max(value, 10 ** low)) - low) / (high - low);
  return { x, y: (value) => upwards(part(value)), xTicks: ticksTo(xMax), yTicks };
}

/** Round numbers from 0 up to the most. */
function ticksTo(max: number): number[] {
  const rough = max / ticksMax;
  const power = 10 ** Math.floor(Math.log10(rough));
  const step = [1, 2, 5, 10].map((times) => times * power).find((candidate) => candidate >= rough)!;
  return Array.from({ length: Math.floor(max / step) + 1 }, (_, at) => at * step);
}

function axes({ x, y }: ChartOptions, scale: Scale): string[] {
  const { left, right, top, bottom } = frame;
  return [
    ...scale.xTicks.map((value) => text(scale.x(value), bottom + 18, figure(value), 'text-anchor="middle"')),
    ...scale.yTicks.flatMap((value) => [
      `<line x1="${left}" y1="${at(scale.y(value))}" x2="${right}" y2="${at(scale.y(value))}" stroke="#e6e6e6"/>`,
      text(left - 8, scale.y(value) + 4, figure(value), 'text-anchor="end"'),
    ]),
    `<path d="M${left} ${top}V${bottom}H${right}" fill="none" stroke="${grey}"/>`,
    text((left + right) / 2, height - 16, x, 'text-anchor="middle"'),
    text(left, top - 6, y, `fill="${grey}"`),
  ];
}

function lineOf({ points, colour, dashed = false }: Series, scale: Scale): string {
  const path = points.map(({ x, y }) => `${at(scale.x(x))},${at(scale.y(y))}`).join(" ");
  const dash = dashed ? ' stroke-dasharray="5 4"' : "";
  const dots = points.map(
    ({ x, y, doubtful = false }) =>
      `<circle cx="${at(scale.x(x))}" cy="${at(scale.y(y))}" r="3" stroke="${colour}" fill="${doubtful ? "#ffffff" : colour}"/>`,
  );
  return [`<polyline points="${path}" fill="none" stroke="${colour}" stroke-width="2"${dash}/>`, ...dots].join("\n");
}

function vertical(x: number, words: string): string {
  const line = `<line x1="${at(x)}" y1="${frame.top}" x2="${at(x)}" y2="${frame.bottom}" stroke="${grey}" stroke-dasharray="2 3"/>`;
  return `${line}\n${text(x + 4, frame.bottom - 6, words, `fill="${grey}"`)}`;
}

function horizontal(y: number, words: string): string {
  const line = `<line x1="${frame.left}" y1="${at(y)}" x2="${frame.right}" y2="${at(y)}" stroke="${grey}" stroke-dasharray="2 3"/>`;
  return `${line}\n${text(frame.right - 4, y - 4, words, `fill="${grey}" text-anchor="end"`)}`;
}

function legend(series: readonly Series[]): string[] {
  return series.map(({ name, colour }, index) => {
    const y = frame.top + 12 + index * 20;
    return `<rect x="${frame.right + 14}" y="${y - 8}" width="12" height="4" fill="${colour}"/>\n${text(frame.right + 32, y, name)}`;
  });
}

function text(x: number, y: number, words: string, attributes = ""): string {
  return `<text x="${at(x)}" y="${at(y)}" ${attributes}>${escaped(words)}</text>`;
}

function at(value: number): string {
  return value.toFixed(1);
}

function figure(value: number): string {
  if (value !== 0 && Math.abs(value) < 1) return String(Number(value.toPrecision(1)));
  return value.toLocaleString("en", { maximumFractionDigits: 1 });
}
