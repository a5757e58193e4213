/** The curve as a picture: goodput over offered load, in times of each side's capacity. */
import { detailName, type Result } from "../result.ts";

const width = 720;
const height = 420;
const margin = { left: 60, right: 190, top: 40, bottom: 50 };
const sideColours: Readonly<Record<string, string>> = {
  ...{ synod: "#0b6e4f", unshed: "#c1292e", fastify: "#235789", moleculer: "#f1a208", limit: "#8a8a8a" },
};
const sideWords: Readonly<Record<string, string>> = {
  ...{
    synod: "Synod",
    unshed: "Synod without shedding",
    fastify: "Fastify",
    moleculer: "Moleculer",
    limit: "node:http",
  },
};
/** The highest goodput for which there is room, in times of the capacity, where no side did more; in steps. */
const goodputMax = 1.2;
const goodputStep = 0.25;

interface Point {
  readonly offered: number;
  readonly goodput: number;
}

/** Where a goodput is drawn. */
type Scale = (goodput: number) => number;

/** An SVG document. Sides are drawn each by its own capacity, so that what is compared is the shape. */
export function curvesOf(result: Result, work: string, words: string, factors: readonly number[]): string {
  const curves = Object.entries(result.sides).flatMap(([side, series]) => {
    const points = factors.flatMap((times): Point[] => {
      const name = `${work}-${times}`;
      const [good, offered, capacity] = [
        series[name],
        series[detailName(name, "offered")],
        series[detailName(name, "capacity")],
      ].map((one) => one?.median);
      if (good === undefined || offered === undefined || capacity === undefined || capacity === 0) return [];
      return [{ offered: offered / capacity, goodput: good / capacity }];
    });
    return points.length === 0 ? [] : [{ side, points }];
  });
  const top = Math.max(goodputMax, ...curves.flatMap(({ points }) => points.map(({ goodput }) => goodput)));
  const y = (goodput: number): number => heightOf(goodput / top);
  const lines = curves.map(({ side, points }, index) => curveOf(side, points, index, y));
  const frame = [...axes(factors, top, y), ideal(y)];
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${height}" font-family="sans-serif" font-size="12">`,
    `<title>Goodput under overload: ${words}</title>`,
    `<rect width="${width}" height="${height}" fill="#ffffff"/>`,
    `<text x="${margin.left}" y="22" font-size="15">Goodput under overload: ${words}</text>`,
    ...frame,
    ...lines,
    "</svg>\n",
  ].join("\n");
}

function curveOf(side: string, points: readonly Point[], index: number, y: Scale): string {
  const colour = sideColours[side] ?? "#000000";
  const line = points.map(({ offered, goodput }) => `${x(offered)},${y(goodput)}`).join(" ");
  const dots = points.map(
    ({ offered, goodput }) => `<circle cx="${x(offered)}" cy="${y(goodput)}" r="3" fill="${colour}"/>`,
  );
  const labelY = margin.top + 20 + index * 20;
  const labelX = width - margin.right + 15;
  return [
    `<polyline points="${line}" fill="none" stroke="${colour}" stroke-width="2"/>`,
    ...dots,
    `<rect x="${labelX}" y="${labelY - 8}" width="12" height="4" fill="${colour}"/>`,
    `<text x="${labelX + 18}" y="${labelY}">${sideWords[side] ?? side}</text>`,
  ].join("\n");
}

function axes(factors: readonly number[], top: number, y: Scale): string[] {
  const [bottom, left, right] = [y(0), margin.left, width - margin.right];
  const marksX = factors.map(
    (times) => `<text x="${x(times)}" y="${bottom + 18}" text-anchor="middle">${times}</text>`,
  );
  const steps = Array.from({ length: Math.floor(top / goodputStep) + 1 }, (_, step) => step * goodputStep);
  const marksY = steps.map(
    (part) =>
      `<line x1="${left}" x2="${right}" y1="${y(part)}" y2="${y(part)}" stroke="#dddddd"/>` +
      `<text x="${left - 8}" y="${y(part) + 4}" text-anchor="end">${part}</text>`,
  );
  return [
    ...marksY,
    ...marksX,
    `<text x="${(left + right) / 2}" y="${bottom + 38}" text-anchor="middle">offered, times the capacity</text>`,
    `<text x="16" y="${(margin.top + bottom) / 2}" text-anchor="middle" transform="rotate(-90 16 ${(margin.top + bottom) / 2})">` +
      "good answers, times the capacity</text>",
  ];
}

/** Everything answered up to the capacity, and as much as that beyond it. */
function ideal(y: Scale): string {
  const line = [0.2, 0.3, 0.4, 0.5, 0.6, 0.8, 1, 10].map((times) => `${x(times)},${y(Math.min(1, times))}`).join(" ");
  return `<polyline points="${line}" fill="none" stroke="#bbbbbb" stroke-dasharray="4 4"/>`;
}

/** Logarithmic, from 0.2 to 10. */
function x(times: number): number {
  const part = Math.log(Math.max(times, 0.1) / 0.2) / Math.log(10 / 0.2);
  return round(margin.left + part * (width - margin.left - margin.right));
}

function heightOf(part: number): number {
  return round(height - margin.bottom - part * (height - margin.top - margin.bottom));
}

function round(value: number): number {
  return Math.round(value * 10) / 10;
}
