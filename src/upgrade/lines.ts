/** Where in the text of a JSON file a value stands, for messages that can be followed by a click. */

/**
 * The line, from 1, on which the value at `steps` begins, in text as `JSON.stringify(value, undefined, 2)` writes it
 * (with or without a newline at its end); undefined if the text was not written so, or has no such value.
 */
export function lineOf(text: string, steps: readonly string[]): number | undefined {
  const root: unknown = JSON.parse(text);
  if (JSON.stringify(root, undefined, 2) !== text.trimEnd()) return undefined;
  let value = root;
  let line = 1;
  for (const step of steps) {
    if (typeof value !== "object" || value === null || !Object.hasOwn(value, step)) return undefined;
    line += 1;
    for (const [name, member] of Object.entries(value)) {
      if (name === step) break;
      line += linesOf(member);
    }
    value = (value as Record<string, unknown>)[step];
  }
  return line;
}

function linesOf(value: unknown): number {
  return JSON.stringify(value, undefined, 2).split("\n").length;
}
