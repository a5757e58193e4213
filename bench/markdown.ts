/** A table in Markdown, laid out as the formatters of Markdown lay it out. */

/** `rows`: the first one is the head. `right`: the columns that stand to the right, from 0. */
export function markdownTable(rows: readonly (readonly string[])[], right: ReadonlySet<number> = new Set()): string {
  const widths = rows[0]!.map((_, column) => Math.max(3, ...rows.map((row) => row[column]!.length)));
  const cell = (text: string, column: number): string =>
    right.has(column) ? text.padStart(widths[column]!) : text.padEnd(widths[column]!);
  const line = (cells: readonly string[]): string => `| ${cells.map(cell).join(" | ")} |`;
  const rule = widths.map((width, column) => (right.has(column) ? `${"-".repeat(width - 1)}:` : "-".repeat(width)));
  const [head, ...body] = rows;
  return [line(head!), `| ${rule.join(" | ")} |`, ...body.map(line)].join("\n");
}
