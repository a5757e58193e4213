/**
 * Records durations as HDR histograms do (https://hdrhistogram.github.io/HdrHistogram/): every value counts in a bucket
 * of two significant digits, however large it is, so that a p99 is right to a percent, and recording one costs about a
 * tenth of a microsecond.
 */
import { build, type JsHistogram } from "hdr-histogram-js";
import type { Histogram } from "./histogram.ts";

/** Longer than any call may take, µs; what is longer counts as this. */
const valueMaxUs = 10 * 60 * 1_000_000;
const significantDigits = 2;

export class DurationRecorder {
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
