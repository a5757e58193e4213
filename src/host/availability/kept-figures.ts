/**
 * What the meter has counted, in the system's own store: read when the meter begins, so that figures outlive the supervisor,
 * and written now and then.
 */

import { availabilityService } from "../../availability/prober.ts";
import { keys, probes } from "../../availability/report.ts";
import type { RollUps } from "../../availability/rollups.ts";
import type { Slices } from "../../availability/slices.ts";
import type { GatewayCall, GatewayReply } from "../../ports/gateway.ts";
import type { Log } from "../../ports/log.ts";
import { type KeptSeries, meterPrincipal } from "./service.ts";

export interface KeptFiguresOptions {
  readonly call: (call: GatewayCall) => Promise<GatewayReply>;
  readonly log: Log;
  readonly rollUps: RollUps;
  readonly slices: Slices;
  /** The user's services. */
  readonly services: readonly string[];
}

const callMaxMs = 5_000;

export class KeptFigures {
  readonly #options: KeptFiguresOptions;
  /** Series that are still to be read: each is added once, however often reading is interrupted. */
  readonly #unread: Set<string>;
  /** Series that nobody can read or write any more. */
  readonly #damaged = new Set<string>();

  constructor(options: KeptFiguresOptions) {
    this.#options = options;
    this.#unread = new Set([probes, keys, ...options.services.map((service) => `requests/${service}`)]);
  }

  /** Reads what has not been read yet, up to the first that fails; it is to be called again until all is read. */
  async restore(): Promise<void> {
    const { rollUps, slices, log } = this.#options;
    for (const name of this.#unread) {
      const reply = await this.#call(name, "kept", undefined);
      if (reply.ok) {
        const series = JSON.parse(reply.output ?? "null") as KeptSeries;
        if (series.tiers.length > 0) rollUps.restore(name, series.tiers);
        if (name === probes) slices.restore(series.outages);
      } else if (reply.error.code === "data_loss") {
        this.#damaged.add(name);
        const message = `the kept figures of ${name} are damaged: they count from now on, and are not kept`;
        log.warn(message, { error: reply.error.message });
      } else return;
      this.#unread.delete(name);
    }
  }

  /** What was not restored yet would be lost by keeping what there is. */
  async keep(): Promise<void> {
    if (this.#unread.size > 0) return;
    const { rollUps, slices } = this.#options;
    for (const name of rollUps.names) {
      if (this.#damaged.has(name)) continue;
      const outages = name === probes ? slices.outages : [];
      const series: KeptSeries = { tiers: rollUps.tiersOf(name), outages };
      const reply = await this.#call(name, "keep", JSON.stringify(series)).catch(() => undefined);
      if (reply?.ok !== true) return;
    }
  }

  #call(series: string, operation: string, input: string | undefined): Promise<GatewayReply> {
    const key = `series/${series}`;
    return this.#options.call({
      service: availabilityService,
      key,
      operation,
      input,
      principal: meterPrincipal,
      timeoutMs: callMaxMs,
    });
  }
}
