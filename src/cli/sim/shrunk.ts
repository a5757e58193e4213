/** Makes a failure small on the workers of the simulator, with progress. */
import { CaseRunner } from "../../simulation/case-runner.ts";
import { type Failure, shrink } from "../../simulation/shrink/shrink.ts";
import { Progress } from "./progress.ts";

export interface ShrunkOptions {
  readonly file: string;
  readonly mutation: string | undefined;
  readonly workers: number;
  readonly timeMaxMs: number;
  readonly quiet: boolean;
}

/** A run of so long may be waited for however little time there is, ms. */
const runLeastMs = 60_000;

/**
 * As small as it could be made: what goes wrong on the way does not hide what was found. Undefined when the run was not seen
 * to fail as a list of its operations.
 */
export async function shrunk(from: Failure, options: ShrunkOptions): Promise<Failure | undefined> {
  const { file, mutation, workers, timeMaxMs, quiet } = options;
  const progress = new Progress(quiet);
  await using runner = new CaseRunner({ file, mutation }, workers, {
    runMaxMs: Math.max(timeMaxMs, runLeastMs),
    onLong: (seed, ms) => progress.ofLongRun(seed, ms),
  });
  let smallest: Failure | undefined;
  try {
    const made = await shrink({
      from,
      run: (one, endsAtMs) => runner.run({ ...one, endsAtMs }),
      width: workers,
      timeMaxMs,
      onProgress: (soFar) => {
        smallest = soFar.smallest;
        progress.ofShrinking(soFar);
      },
    });
    smallest = made?.smallest;
    progress.end();
  } catch (error) {
    progress.note(`it was not made any smaller, because a run came to no result: ${(error as Error).message}`);
  }
  return smallest;
}
