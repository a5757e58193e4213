/**
 * What V8's threads may do in a node's process beside the one that runs handlers. By default four of them mark garbage and compile, which costs
 * nothing where processors are idle. On a single one they take turns with the handlers: while the heap is marked these had a fifth of the
 * processor for 100 to 150 ms (traced: 17 to 54 ms between two turns of the event loop, of which 1 to 9 ms were its own), and every call of that
 * time was late. There garbage is collected by the thread that makes it, in small steps, and one thread compiles.
 */

const ownSetting = /--(v8[-_]pool[-_]size|single[-_]threaded[-_]gc)\b/;

/**
 * Flags of Node for a node's process, when all that a supervisor starts have so many processors among them; none where whoever
 * started it has set the same, in `NODE_OPTIONS` or on the command line.
 */
export function threadFlags(
  processors: number,
  nodeOptions: string | undefined,
  execArgv: readonly string[],
): readonly string[] {
  const isSet = [nodeOptions ?? "", ...execArgv].some((text) => ownSetting.test(text));
  return isSet || processors > 1 ? [] : ["--v8-pool-size=1", "--single-threaded-gc"];
}
