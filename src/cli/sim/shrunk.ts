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

/** Undefined when the run does not fail as a list of its operations. */
export async function shrunk(from: Failure, options: ShrunkOptions): Promise<Failure | undefined> {
  const { file, mutation, workers, timeMaxMs, quiet } = options;
  await using runner = new CaseRunner({ file, mutation }, workers);
  const progress = new Progress(quiet);
  const made = await shrink({
    from,
    run: (one, endsAtMs) => runner.run({ ...one, endsAtMs }),
    width: workers,
    timeMaxMs,
    onProgress: (soFar) => progress.ofShrinking(soFar),
  });
  progress.end();
  return made?.smallest;
}
