/** How far rows have come: one line that is written over on a terminal, a line now and then elsewhere. */
import type { SnapshotRow } from "../ports/snapshot.ts";

/** Between two lines on a terminal, and elsewhere, ms. */
const terminalMs = 250;
const plainMs = 10_000;

/** Passes rows on and tells how many there were; `shards` is how many shards there are, if that is known. */
export async function* told(
  rows: AsyncIterable<readonly SnapshotRow[]>,
  doing: string,
  shards: number | undefined,
  quiet: boolean,
): AsyncGenerator<readonly SnapshotRow[]> {
  const { isTTY } = process.stderr;
  // Whoever is done soon reads the result and no progress, unless he watches.
  let writtenAt = isTTY ? 0 : performance.now();
  let rowsLength = 0;
  let shardsLength = 0;
  for await (const batch of rows) {
    rowsLength += batch.length;
    for (const { kind } of batch) if (kind === "shard") shardsLength += 1;
    yield batch;
    const now = performance.now();
    if (quiet || now - writtenAt < (isTTY ? terminalMs : plainMs)) continue;
    writtenAt = now;
    const of = shards === undefined ? "" : ` of ${shards}`;
    const text = `${doing}: ${rowsLength} rows, ${shardsLength}${of} shards`;
    process.stderr.write(isTTY ? `\r${text}\u001b[K` : `${text}\n`);
  }
  if (isTTY && !quiet) process.stderr.write("\r\u001b[K");
}
