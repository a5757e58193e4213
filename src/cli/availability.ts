/** `synod availability`: the nines of a running system, as they were seen from outside. */
import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { pageOf, picturesOf } from "../availability/page.ts";
import type { AvailabilityReport } from "../availability/report.ts";
import { columns, rowOf, sentencesOf } from "../availability/words.ts";
import { findRunning, type WhichSystem } from "./running.ts";
import { table } from "./table.ts";

export interface AvailabilityOptions extends WhichSystem {
  readonly json: boolean;
  readonly html?: string;
  readonly pictures?: string;
}

export async function availability(options: AvailabilityOptions): Promise<void> {
  const { client } = await findRunning(options);
  const report = await client.availability();
  if (options.html !== undefined) await writeFile(options.html, pageOf(report));
  if (options.pictures !== undefined) {
    await mkdir(options.pictures, { recursive: true });
    for (const [name, picture] of Object.entries(picturesOf(report))) {
      await writeFile(join(options.pictures, `availability-${name}.svg`), picture);
    }
  }
  process.stdout.write(options.json ? `${JSON.stringify(report)}\n` : textOf(report));
}

function textOf(report: AvailabilityReport): string {
  const tables = report.series.map(({ name, objective, windows }) => {
    const promised = objective === undefined ? "" : ` (objective ${Number((100 * objective).toFixed(4))} %)`;
    const rows = windows.filter((window) => window.availability !== undefined).map(rowOf);
    return rows.length === 0 ? "" : `\n${name}${promised}\n${table(columns, rows)}`;
  });
  return `${sentencesOf(report).join("\n")}\n${tables.join("")}`;
}
