/**
 * Delta debugging: the fewest parts of something that still fail (Zeller and Hildebrandt, "Simplifying and Isolating
 * Failure-Inducing Input", IEEE TSE 28(2), 2002, algorithm ddmin). Parts are left out in big pieces first, and in
 * smaller ones when no big one can go.
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
  while (left.length >= 2 && goesOn()) {
    const cut = piecesOf(left, pieces);
    // With two pieces, each one is the rest of the other.
    const rests = pieces === 2 ? [] : cut.map((_, index) => cut.toSpliced(index, 1).flat());
    const candidates = [...cut, ...rests];
    const failing = await firstThatFails(candidates);
    if (failing !== undefined) {
      left = candidates[failing]!;
      pieces = failing < cut.length ? Math.min(2, left.length) : Math.max(pieces - 1, 2);
    } else if (pieces < left.length) pieces = Math.min(2 * pieces, left.length);
    else break;
  }
  return left;
}

function piecesOf<T>(parts: readonly T[], count: number): (readonly T[])[] {
  return Array.from({ length: count }, (_, index) =>
    parts.slice(Math.floor((index * parts.length) / count), Math.floor(((index + 1) * parts.length) / count)),
  );
}
