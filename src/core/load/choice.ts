/**
 * Power of two choices: of two nodes drawn at random the one with less to do. Nearly as good as asking all of them,
 * and with figures that are half a second old better, because not everybody runs to the same one. (Mitzenmacher, The
 * Power of Two Choices in Randomized Load Balancing, 1996.)
 */

/**
 * `loadOf`: calls that a node has under way or waiting, as it last said, and those that were sent to it since. `draw`
 * gives numbers in [0, 1). Undefined when there is nobody to choose.
 */
export function lighterOfTwo<C>(
  choices: readonly C[],
  loadOf: (choice: C) => number,
  draw: () => number,
): C | undefined {
  if (choices.length < 2) return choices[0];
  const first = Math.floor(draw() * choices.length);
  // Another one than the first.
  const second = (first + 1 + Math.floor(draw() * (choices.length - 1))) % choices.length;
  return loadOf(choices[second]!) < loadOf(choices[first]!) ? choices[second] : choices[first];
}
