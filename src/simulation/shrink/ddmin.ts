/**
 * Delta debugging: the fewest parts of something that still fail (Zeller and Hildebrandt, "Simplifying and Isolating
 * Failure-Inducing Input", IEEE TSE 28(2), 2002, algorithm ddmin). Parts are left out in big pieces first, and in
 * smaller ones when no big one can go.
 *
 * Two things differ from the paper, because a try is dear here. A piece alone is tried only while there are two: many
 * small ones seldom fail each by itself. And when a piece has gone, the ones after it come next: those before it were
 * needed a moment ago.
 */

/** Tries several lists and says which is the first that still fails; undefined: none does. */
export type FirstThatFails<T> = (candidates: readonly (readonly T[])[]) => Promise<number | undefined>;

/**
 * A sublist that still fails, and of which no single part can go, unless `goesOn` says to stop before. What it is
 * given is taken to fail.
 */
export async function ddmin<T>(
  parts: readonly T[],
  firstThatFails: FirstThatFails<T>,
  goesOn: () => boolean = () => true,
): Promise<readonly T[]> {
  if (parts.length === 0 || (await firstThatFails([[]])) === 0) return [];
  let left = parts;
  let pieces = Math.min(2, left.length);
  let next = 0;
  while (left.length >= 2 && goesOn()) {
    const candidates = withoutOne(left, pieces);
    const failing = await firstThatFails([...candidates.slice(next), ...candidates.slice(0, next)]);
    if (failing !== undefined) {
      const gone = (next + failing) % pieces;
      left = candidates[gone]!;
      pieces = Math.min(Math.max(pieces - 1, 2), left.length);
      next = gone % pieces;
    } else if (pieces < left.length) {
      pieces = Math.min(2 * pieces, left.length);
      next = 0;
    } else break;
  }
  return left;
}

/** By the piece that is left out. */
function withoutOne<T>(parts: readonly T[], pieces: number): (readonly T[])[] {
  const cut = piecesOf(parts, pieces);
  return cut.map((_, index) => cut.toSpliced(index, 1).flat());
}

function piecesOf<T>(parts: readonly T[], count: number): (readonly T[])[] {
  return Array.from({ length: count }, (_, index) =>
    parts.slice(Math.floor((index * parts.length) / count), Math.floor(((index + 1) * parts.length) / count)),
  );
}
