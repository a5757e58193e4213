/**
 * The meters port on HDR histograms: every duration counts in a bucket of two significant digits, however long it
 * took, so that a p99 is right to a percent and recording costs about a tenth of a microsecond.
 */
import { build, type JsHistogram } from "hdr-histogram-js";
import type { Meters, OperationFigures, OperationMeter, ShedReason } from "../../ports/meters.ts";
import type { Histogram } from "../../values/histogram.ts";

/** Longer than any call may take, µs; what is longer counts as this. */
const valueMaxUs = 10 * 60 * 1_000_000;
const significantDigits = 2;

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
  readonly #response = new Durations();
  readonly #queueWait = new Durations();
  readonly #handler = new Durations();
  readonly #commitWait = new Durations();

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

class Durations {
  /** Made with the first value that is not zero: most operations never wait for most things. */
  #histogram: JsHistogram | undefined;
  #zeros = 0;
  #sumUs = 0;

  record(ms: number): void {
    const us = Math.round(ms * 1_000);
    if (us <= 0) {
      this.#zeros += 1;
      return;
    }
    this.#histogram ??= build({
      bitBucketSize: 32,
      autoResize: false,
      lowestDiscernibleValue: 1,
      highestTrackableValue: valueMaxUs,
      numberOfSignificantValueDigits: significantDigits,
    }) as JsHistogram;
    this.#histogram.recordValue(Math.min(us, valueMaxUs));
    this.#sumUs += us;
  }

  read(): Histogram {
    const counts: [number, number][] = this.#zeros > 0 ? [[0, this.#zeros]] : [];
    const values = this.#histogram?.recordedValuesIterator;
    values?.reset();
    while (values?.hasNext()) {
      const { valueIteratedTo, countAtValueIteratedTo } = values.next();
      counts.push([valueIteratedTo, countAtValueIteratedTo]);
    }
    return { counts, sumUs: this.#sumUs };
  }
}
