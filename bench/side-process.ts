/**
 * The process of one side. It loads the side's module once, so that its code is compiled in the first runs and
 * fast in the later ones, and then does one run after the other, each in an empty folder.
 */
import { mkdtemp, rm } from "node:fs/promises";
import { join } from "node:path";
import type { RunOptions, SideModule } from "./bench.ts";
import type { FromSide } from "./side.ts";

const [module = "", workFolder = ""] = process.argv.slice(2);
const { run } = (await import(module)) as SideModule;

// The harness is gone, or has no more for this side to do.
process.on("disconnect", () => process.exit());
process.on("message", (options: Omit<RunOptions, "folder">) => void perform(options));

async function perform(options: Omit<RunOptions, "folder">): Promise<void> {
  const folder = await mkdtemp(join(workFolder, "run-"));
  try {
    tell({ kind: "measured", measured: await run({ ...options, folder }) });
  } catch (error) {
    tell({ kind: "failed", message: error instanceof Error ? (error.stack ?? error.message) : String(error) });
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

function tell(message: FromSide): void {
  if (process.connected) process.send!(message);
}
