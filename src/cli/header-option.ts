/** `--header "Name: value"`, as often as it is given. */
import { UsageError } from "./exit.ts";

export function headersFrom(lines: readonly string[]): Record<string, string> {
  return Object.fromEntries(
    lines.map((line) => {
      const match = /^([!#$%&'*+.^_`|~\w-]+):[ \t]*([\x20-\x7e]*)$/.exec(line);
      if (match === null) throw new UsageError(`${JSON.stringify(line)} is no header: write --header "Name: value".`);
      return [match[1]!, match[2]!];
    }),
  );
}
