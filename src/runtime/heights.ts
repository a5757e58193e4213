/**
 * How high each service stands above those that it calls: 0 where it calls nobody, else one more than the highest of
 * its callees. Calls form no cycle, so whoever waits for a call stands higher than whom it waits for.
 *
 * Memory that is kept for calls is handed out by it, as a stairwell is kept clear from the bottom up: who stands lower may
 * use more, so that there is always a part that nobody above can have taken, and what stands at the bottom gets done.
 */
import type { AnyService } from "../service/model.ts";

export class Heights {
  readonly #heights = new Map<AnyService, number>();
  readonly #steps: number;

  constructor(services: readonly AnyService[]) {
    for (const service of services) this.#measure(service, services);
    this.#steps = 1 + Math.max(0, ...this.#heights.values());
  }

  /** 0 to 1: how much of what is kept for calls entities of that service may use. */
  part(service: AnyService): number {
    return 1 - (this.#heights.get(service) ?? 0) / this.#steps;
  }

  #measure(service: AnyService, services: readonly AnyService[]): number {
    const known = this.#heights.get(service);
    if (known !== undefined) return known;
    const callees = services.filter((other) => service.calls.includes(other.interface));
    const height = Math.max(0, ...callees.map((callee) => 1 + this.#measure(callee, services)));
    this.#heights.set(service, height);
    return height;
  }
}
