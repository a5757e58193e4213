/** How far a simulation has come: one line that is written over on a terminal, a line now and then elsewhere. */
import type { CampaignReport } from "../../simulation/campaign.ts";
import type { ShrinkProgress } from "../../simulation/shrink/shrink.ts";
import { duration } from "./words.ts";

/** Between two lines on a terminal, and elsewhere, ms. */
const terminalMs = 250;
const plainMs = 10_000;

export class Progress {
  readonly #quiet: boolean;
  #written: number;

  constructor(quiet: boolean) {
    this.#quiet = quiet;
    // Whoever is done soon reads the result and no progress, unless he watches.
    this.#written = process.stderr.isTTY ? 0 : performance.now();
  }

  ofCampaign(report: CampaignReport, seeds: number, ms: number): void {
    const faults = Object.values(report.faults).reduce((sum, count) => sum + count, 0);
    const rate = (report.runs / (ms / 1_000)).toFixed(1);
    this.#write(
      () =>
        `${report.runs} of ${seeds} runs, ${rate} runs/s, ${duration(report.simulatedMs)} simulated, ${faults} faults`,
    );
  }

  ofShrinking({ smallest, runs, tookMs }: ShrinkProgress): void {
    const { plan, operations } = smallest.case;
    this.#write(
      () => `shrinking: ${plan.length} faults and ${operations.length} operations, ${runs} runs in ${duration(tookMs)}`,
    );
  }

  ofLongRun(seed: number, ms: number): void {
    this.note(`seed ${seed} has been running for ${duration(ms)}`);
  }

  /** A line that stays, also for whoever wants no progress. */
  note(text: string): void {
    this.end();
    process.stderr.write(`${text}\n`);
  }

  /** What follows begins on a line of its own. */
  end(): void {
    if (process.stderr.isTTY && !this.#quiet) process.stderr.write("\r\u001b[K");
  }

  #write(text: () => string): void {
    const { isTTY } = process.stderr;
    const now = performance.now();
    if (this.#quiet || now - this.#written < (isTTY ? terminalMs : plainMs)) return;
    this.#written = now;
    process.stderr.write(isTTY ? `\r${text()}\u001b[K` : `${text()}\n`);
  }
}
