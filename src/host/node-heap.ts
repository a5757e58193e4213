/**
 * How large the heap of a node may become where a supervisor starts it. Without a bound of its own Node lets garbage grow to
 * a multiple of what is in use before it collects it, as far as the machine has memory: the smaller the heap may become,
 * the earlier it collects. The bound leaves room for several times what a node holds at its default limits; a node
 * that needs more ends, and is started again.
 */
import { setFlagsFromString } from "node:v8";

/** What is kept between collections, MiB. */
const heapMibMax = 512;
/**
 * Half of the young part of it, MiB (Node takes 16). What becomes garbage beyond it, as entities do that are put out of
 * memory, waits for a collection of the whole heap.
 */
const semiSpaceMibMax = 8;
/**
 * Below this the old part of it is left alone, MiB. V8 by itself collects a heap of this bound when it has grown by two fifths:
 * every few seconds under load, when it has next to nothing to collect. It marks what is in use with four threads of its own
 * then, and a node with one processor has a fifth of it for 100 ms.
 */
const collectedFromMib = 160;

const ownSetting = /--max[-_](?:old[-_]space|heap)[-_]size/;

/**
 * Flags of Node for a node's process; none where whoever started the supervisor has set the heap's size, in `NODE_OPTIONS` or
 * on the command line.
 */
export function heapFlags(nodeOptions: string | undefined, execArgv: readonly string[]): readonly string[] {
  const isSet = [nodeOptions ?? "", ...execArgv].some((text) => ownSetting.test(text));
  if (isSet) return [];
  return [
    `--max-old-space-size=${heapMibMax}`,
    `--max-semi-space-size=${semiSpaceMibMax}`,
    `--initial-old-space-size=${collectedFromMib}`,
  ];
}

/** For the main thread of a node's process, before it starts others: what is meant for its heap is not for theirs, or each waits as long. */
export function leaveOthersTheirHeap(): void {
  setFlagsFromString("--initial-old-space-size=0");
}
