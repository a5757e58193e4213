/** The meters port on HDR histograms. */
import type { Meters, OperationFigures, OperationMeter, ShedReason } from "../../ports/meters.ts";
import { DurationRecorder } from "../../values/recorder.ts";

/** Meters that can be read. */
export interface ReadableMeters extends Meters {
  read(): readonly OperationFigures[];
}

export function createMeters(): ReadableMeters {
  const meters = new Map<string, Map<string, Meter>>();
  return {
    operation: (service, operation) => {
      const operations = meters.get(service) ?? new Map<string, Meter>();
      const meter = operations.get(operation) ?? new Meter(service, operation);
      meters.set(service, operations.set(operation, meter));
      return meter;
    },
    read: () => [...meters.values()].flatMap((operations) => Array.from(operations.values(), (meter) => meter.read())),
  };
}

class Meter implements OperationMeter {
  readonly #service: string;
  readonly #operation: string;
  readonly #answered = new Map<string, number>();
  readonly #shed = new Map<ShedReason, number>();
  readonly #response = new DurationRecorder();
  readonly #queueWait = new DurationRecorder();
  readonly #handler = new DurationRecorder();
  readonly #commitWait = new DurationRecorder();

  constructor(service: string, operation: string) {
    this.#service = service;
    this.#operation = operation;
  }

  answered(code: string, tookMs: number): void {
    this.#answered.set(code, (this.#answered.get(code) ?? 0) + 1);
    this.#response.record(tookMs);
  }

  started(waitedMs: number): void {
    this.#queueWait.record(waitedMs);
  }

  handled(tookMs: number): void {
    this.#handler.record(tookMs);
  }

  committed(waitedMs: number): void {
    this.#commitWait.record(waitedMs);
  }

  shed(reason: ShedReason): void {
    this.#shed.set(reason, (this.#shed.get(reason) ?? 0) + 1);
  }

  read(): OperationFigures {
    return {
      service: this.#service,
      operation: this.#operation,
      answered: Object.fromEntries(this.#answered),
      shed: Object.fromEntries(this.#shed),
      response: this.#response.read(),
      queueWait: this.#queueWait.read(),
      handler: this.#handler.read(),
      commitWait: this.#commitWait.read(),
    };
  }
}
