/** Near misses: the name that somebody probably meant. */
import { SynodError } from "../errors.ts";

/** Of `names` the one that is at most two slips (and a third of its length) away from `given`. */
export function nearest(given: string, names: readonly string[]): string | undefined {
  let best: string | undefined;
  let bestDistance = Number.POSITIVE_INFINITY;
  for (const name of names) {
    const distanceMax = Math.min(2, Math.max(1, Math.floor(name.length / 3)));
    // The lengths alone rule most names out, and a long one is never measured.
    if (Math.abs(name.length - given.length) > distanceMax) continue;
    const distance = editDistance(given.toLowerCase(), name.toLowerCase());
    if (distance > distanceMax || distance >= bestDistance) continue;
    best = name;
    bestDistance = distance;
  }
  return best;
}

/** What to put behind "there is no such thing": `: did you mean "deposit"?` where a name is near, else `.` */
export function didYouMean(given: string, names: readonly string[]): string {
  const near = nearest(given, names);
  return near === undefined ? "." : `: did you mean ${JSON.stringify(near)}?`;
}

/** `not_found` for a name that is not among `names`: `what` says so, and the rest which there are. */
export function notAmong(what: string, given: string, names: readonly string[]): SynodError {
  return new SynodError("not_found", `${what}${didYouMean(given, names)} There are: ${names.join(", ")}.`);
}

/** Levenshtein's distance: insertions, deletions and replacements that turn one text into the other. */
function editDistance(a: string, b: string): number {
  let previous = Array.from({ length: b.length + 1 }, (_, column) => column);
  for (let row = 1; row <= a.length; row++) {
    const current = [row];
    for (let column = 1; column <= b.length; column++) {
      const replaced = previous[column - 1]! + (a[row - 1] === b[column - 1] ? 0 : 1);
      current.push(Math.min(replaced, previous[column]! + 1, current[column - 1]! + 1));
    }
    previous = current;
  }
  return previous[b.length]!;
}
