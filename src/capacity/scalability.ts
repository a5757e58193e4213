/**
 * The Universal Scalability Law (Neil Gunther, "Guerrilla Capacity Planning", 2007), fitted to capacities of 1, 2, 3, … nodes:
 *
 *     X(N) = g N / (1 + a (N - 1) + b N (N - 1))
 *
 * g is what one node does; a (contention) the part of the work that waits for something that all share; b (coherency) the
 * part that nodes spend on agreeing with each other, pair by pair. With y = N / X it is linear in c = (1/g, a/g, b/g), so
 * the fit is least squares; a coefficient that would be negative is none, and the others are fitted without it.
 */

export interface ScalePoint {
  readonly nodes: number;
  readonly perSecond: number;
}

export interface ScalabilityFit {
  /** Of one node, calls/s. */
  readonly g: number;
  readonly contention: number;
  readonly coherency: number;
  /** The number of nodes beyond which more of them do less; undefined when there is none. */
  readonly peakNodes: number | undefined;
}

type Column = (nodes: number) => number;
const columns: readonly Column[] = [() => 1, (nodes) => nodes - 1, (nodes) => nodes * (nodes - 1)];

/** Undefined with fewer than two points that were carried; with two, coherency cannot be told and is taken to be 0. */
export function fitScalability(points: readonly ScalePoint[]): ScalabilityFit | undefined {
  const used = points.filter(({ perSecond }) => perSecond > 0);
  if (new Set(used.map(({ nodes }) => nodes)).size < 2) return undefined;
  const three = new Set(used.map(({ nodes }) => nodes)).size >= 3;
  // All sets of coefficients that may be other than 0; the best whose coefficients all make sense.
  const candidates = (three ? [[0, 1, 2], [0, 1], [0, 2], [0]] : [[0, 1], [0]]).flatMap((chosen) => {
    const solved = leastSquares(used, chosen);
    return solved?.every((value) => value >= 0) && solved[0]! > 0 ? [solved] : [];
  });
  const best = candidates.sort((one, other) => errorOf(used, one) - errorOf(used, other))[0];
  if (best === undefined) return undefined;
  const g = 1 / best[0]!;
  const [contention, coherency] = [best[1]! * g, best[2]! * g];
  const peak = coherency > 0 && contention < 1 ? Math.sqrt((1 - contention) / coherency) : undefined;
  return { g, contention, coherency, peakNodes: peak };
}

/** What the fit says that so many nodes do, calls/s. */
export function scaledTo({ g, contention, coherency }: ScalabilityFit, nodes: number): number {
  return (g * nodes) / (1 + contention * (nodes - 1) + coherency * nodes * (nodes - 1));
}

function errorOf(points: readonly ScalePoint[], [c0, c1, c2]: readonly number[]): number {
  return points.reduce((sum, { nodes, perSecond }) => {
    const said = c0! + c1! * (nodes - 1) + c2! * nodes * (nodes - 1);
    return sum + (nodes / perSecond - said) ** 2;
  }, 0);
}

/** The three coefficients, those that are not chosen 0; undefined when the points do not determine them. */
function leastSquares(points: readonly ScalePoint[], chosen: readonly number[]): number[] | undefined {
  const rows = chosen.map((row) => [
    ...chosen.map((column) => sum(points, ({ nodes }) => columns[row]!(nodes) * columns[column]!(nodes))),
    sum(points, ({ nodes, perSecond }) => (columns[row]!(nodes) * nodes) / perSecond),
  ]);
  const solved = eliminated(rows);
  if (solved === undefined) return undefined;
  return columns.map((_, index) => (chosen.includes(index) ? solved[chosen.indexOf(index)]! : 0));
}

/** Gauss-Jordan, with the largest pivot. */
function eliminated(rows: number[][]): number[] | undefined {
  for (let at = 0; at < rows.length; at++) {
    const pivot = rows.slice(at).reduce((best, row) => (Math.abs(row[at]!) > Math.abs(best[at]!) ? row : best));
    if (Math.abs(pivot[at]!) < 1e-15) return undefined;
    rows.splice(rows.indexOf(pivot), 1);
    rows.splice(at, 0, pivot);
    for (const row of rows) {
      if (row === pivot) continue;
      const factor = row[at]! / pivot[at]!;
      for (let column = at; column < row.length; column++) row[column]! -= factor * pivot[column]!;
    }
  }
  return rows.map((row, index) => row.at(-1)! / row[index]!);
}

function sum(points: readonly ScalePoint[], value: (point: ScalePoint) => number): number {
  return points.reduce((total, point) => total + value(point), 0);
}
