/**
 * The soak as a command, `npm run test:soak -- --minutes 10`: all faults of real processes that this machine allows, and
 * the judgement of every checker. Ends with a report, and with 1 unless every promise held.
 */
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { breaks } from "./breaks.ts";
import { inWords, type SoakReport } from "./report.ts";
import { faultKinds, soak } from "./run.ts";
import { moveIn } from "./surroundings.ts";

const help = `npm run test:soak -- [options]

Three node processes under a supervisor, clients over the client library and over HTTP, and random faults; every
history is judged. Exits with 0 when every promise held, with 1 when not, with 2 when it was told nonsense.

  --minutes N      how long faults strike (default 10); judging comes after that
  --seed N         decides which faults strike when (default: by the clock; it is printed)
  --faults A,B     only these kinds: ${faultKinds.map(({ name }) => name).join(", ")}
  --store NAME     sqlite (default), or postgres, for which a server is brought along
  --break NAME     puts a defect in, which the soak must find: ${Object.keys(breaks).join(", ")}
  --json           the report as JSON on standard output; progress goes to standard error
  --keep           keeps the histories also when every promise held`;

const words = settings();
if (words !== undefined) {
  const code = await moveIn();
  // At once: the channel to the process outside, and what a search has not finished, would keep this one alive.
  process.exit(code ?? (await run(words)));
}

function settings() {
  try {
    const { values } = parseArgs({
      options: {
        minutes: { type: "string", default: "10" },
        seed: { type: "string", default: String(Date.now() % 2 ** 31) },
        faults: { type: "string" },
        store: { type: "string", default: "sqlite" },
        break: { type: "string" },
        json: { type: "boolean", default: false },
        keep: { type: "boolean", default: false },
        help: { type: "boolean", default: false },
      },
    });
    if (values.help) {
      console.log(help);
      return undefined;
    }
    const durationMs = Number(values.minutes) * 60_000;
    const seed = Number(values.seed);
    if (!(durationMs > 0)) throw new Error("--minutes takes a number above 0");
    if (!Number.isSafeInteger(seed)) throw new Error("--seed takes an integer");
    const { store } = values;
    if (store !== "sqlite" && store !== "postgres") throw new Error("--store takes sqlite or postgres");
    const defect = values.break;
    if (defect !== undefined && !Object.hasOwn(breaks, defect)) throw new Error(`there is no defect ${defect}`);
    const kinds = values.faults?.split(",") ?? (defect === undefined ? undefined : breaks[defect]!.faults);
    const strange = kinds?.find((kind) => !faultKinds.some(({ name }) => name === kind));
    if (strange !== undefined) throw new Error(`there is no fault ${strange}`);
    return { ...values, durationMs, seed, defect, kinds, store } as const;
  } catch (error) {
    console.error(`${(error as Error).message}\n\n${help}`);
    process.exitCode = 2;
    return undefined;
  }
}

async function run({ json, keep, ...options }: NonNullable<ReturnType<typeof settings>>): Promise<number> {
  const folder = mkdtempSync(join(tmpdir(), "synod-soak-"));
  const progress = (text: string): void => (json ? console.error(text) : console.log(text));
  let interrupted = false;
  for (const signal of ["SIGINT", "SIGTERM", "disconnect"]) process.on(signal, () => (interrupted = true));
  progress(`seed ${options.seed}, ${options.minutes} minutes, histories in ${folder}`);
  const report: SoakReport = await soak({ ...options, folder, progress, isInterrupted: () => interrupted });
  writeFileSync(join(folder, "report.json"), `${JSON.stringify(report, undefined, 2)}\n`);
  console.log(json ? JSON.stringify(report) : `\n${inWords(report)}`);
  if (report.held && !keep) rmSync(folder, { recursive: true, force: true });
  return report.held ? 0 : 1;
}
