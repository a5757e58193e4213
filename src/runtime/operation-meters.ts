/** The meters of a system's operations, found by what is called; what is hosted elsewhere shares one. */
import type { Meters, OperationMeter } from "../ports/meters.ts";
import type { AnyService, AnySystem } from "../service/model.ts";

/** Callers choose how they call what this node does not know; labels are not theirs to make. */
const foreignName = "foreign";

export class OperationMeters {
  readonly #foreign: OperationMeter;
  readonly #byService = new Map<AnyService, ReadonlyMap<string, OperationMeter>>();

  constructor(system: AnySystem, meters: Meters) {
    this.#foreign = meters.operation(foreignName, foreignName);
    for (const service of system.services) {
      const { name, operations } = service.interface;
      const own = Object.keys(operations).map((operation) => [operation, meters.operation(name, operation)] as const);
      this.#byService.set(service, new Map(own));
    }
  }

  of(service: AnyService | undefined, operation: string): OperationMeter {
    return (service && this.#byService.get(service)?.get(operation)) ?? this.#foreign;
  }
}
