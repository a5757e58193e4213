/** Standard output and standard error: what was printed gets out before the process ends, if anybody reads it. */
import { reportFailure } from "./exit.ts";

/** Whoever reads no further, as `head` does, has heard enough: that is no failure of the command. */
export function bearReadersThatLeave(): void {
  for (const stream of [process.stdout, process.stderr]) {
    stream.on("error", (error: NodeJS.ErrnoException) => {
      if (error.code !== "EPIPE") process.exit(reportFailure(error, false));
    });
  }
}

/** Ends the process when all that it has printed is out: a pipe takes 64 KiB at once, and its reader takes its time. */
export async function endWith(exitCode: number): Promise<never> {
  for (const stream of [process.stdout, process.stderr]) {
    // Callbacks come in the order of the writes.
    await new Promise<void>((written) => stream.write("", () => written()));
  }
  process.exit(exitCode);
}
