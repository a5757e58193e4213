/** The meters port on HDR histograms. */
import type { AnswerFigures, Meters, OperationFigures, OperationMeter, ShedReason } from "../../ports/meters.ts";
import { DurationRecorder } from "../../values/recorder.ts";

/** Meters that can be read. */
export interface ReadableMeters extends Meters {
  read(): readonly OperationFigures[];
  readAnswers(): readonly AnswerFigures[];
}

export function createMeters(): ReadableMeters {
  const meters = new Map<string, Map<string, Meter>>();
  const readAll = <T>(read: (meter: Meter) => T): T[] =>
    [...meters.values()].flatMap((operations) => Array.from(operations.values(), read));
  return {
    operation: (service, operation) => {
      const operations = meters.get(service) ?? new Map<string, Meter>();
      const meter = operations.get(operation) ?? new Meter(service, operation);
      meters.set(service, operations.set(operation, meter));
      return meter;
    },
    read: () => readAll((meter) => meter.read()),
    readAnswers: () => readAll((meter) => meter.readAnswers()),
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

  readAnswers(): AnswerFigures {
    return {
      service: this.#service,
      operation: this.#operation,
      answered: Object.fromEntries(this.#answered),
      shed: Object.fromEntries(this.#shed),
    };
  }

  read(): OperationFigures {
    return {
      ...this.readAnswers(),
      response: this.#response.read(),
      queueWait: this.#queueWait.read(),
      handler: this.#handler.read(),
      commitWait: this.#commitWait.read(),
    };
  }
}
