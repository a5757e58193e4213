/**
 * Time: `Date`, `performance`, `process.hrtime` and what formats "now". Each node has the clocks of its machine, which
 * run fast or slow, and the time of the day of which may be set while it runs.
 */
import { refuse } from "./outside.ts";
import { type Place, placeNow } from "./place.ts";
import { atPlaces, type Doing, type Replacement, readAtPlaces } from "./replacement.ts";

/** Time stands still while code runs, so whoever reads it this often at one instant waits in vain. */
const readsAtOneInstantMax = 1_000_000;

/** Since when each place is there, on its clocks; and how often its clock was read at one instant. */
interface Reading {
  readonly monotonicMs: number;
  readonly wallMs: number;
  readAt: number;
  reads: number;
}

const readings = new WeakMap<Place, Reading>();

function readingOf(place: Place): Reading {
  let reading = readings.get(place);
  if (reading === undefined) {
    const monotonicMs = place.clock.monotonic();
    reading = { monotonicMs, wallMs: place.clock.wall(), readAt: monotonicMs, reads: 0 };
    readings.set(place, reading);
  }
  const now = place.clock.monotonic();
  if (now !== reading.readAt) Object.assign(reading, { readAt: now, reads: 0 });
  reading.reads += 1;
  if (reading.reads > readsAtOneInstantMax) {
    refuse(place, "waits in a loop for time to pass, and time stands still while code runs: wait for a timer instead");
  }
  return reading;
}

function wallMs(place: Place): number {
  readingOf(place);
  return place.clock.wall();
}

/** Since the process began, as `performance.now()` counts. */
function sinceStartMs(place: Place): number {
  return place.clock.monotonic() - readingOf(place).monotonicMs;
}

function nanoseconds(place: Place): bigint {
  readingOf(place);
  return BigInt(Math.round(place.clock.monotonic() * 1_000_000));
}

/** The class: without arguments it is now, called as a function it is now in words. */
function simulatedDate(real: DateConstructor): DateConstructor {
  const date: DateConstructor = new Proxy(real, {
    construct: (_, args, newTarget) => {
      const place = args.length === 0 ? placeNow() : undefined;
      return Reflect.construct(
        real,
        place === undefined ? args : [wallMs(place)],
        newTarget === date ? real : newTarget,
      ) as object;
    },
    apply: () => {
      const place = placeNow();
      return place === undefined ? real() : new real(wallMs(place)).toString();
    },
  });
  return date;
}

/** `format` is a getter that gives a function of its own for each formatter. */
function formatsNow({ get }: PropertyDescriptor): PropertyDescriptor {
  return {
    configurable: true,
    get(this: Intl.DateTimeFormat) {
      const format = Reflect.apply(get as () => Intl.DateTimeFormat["format"], this, []);
      return (date?: Date | number) => {
        const place = date === undefined ? placeNow() : undefined;
        return format(place === undefined ? date : wallMs(place));
      };
    },
  };
}

const withNow: Doing = (place, [date, ...others], real) => real([date ?? wallMs(place), ...others]);

const mark: Doing = (place, [name, options], real) =>
  real([name, { startTime: sinceStartMs(place), ...(options as object) }]);

/** `measure(name, from, to)`: what is left out at the end is now. */
const measure: Doing = (place, [name, from, to], real) => {
  const options = typeof from === "object" && from !== null ? from : { start: from ?? 0 };
  const timed = "duration" in options || "end" in options ? options : { ...options, end: to ?? sinceStartMs(place) };
  return real([name, timed]);
};

/** `[seconds, nanoseconds]`, or the same since an earlier pair. */
function hrtime(place: Place, [since]: readonly unknown[]): [number, number] {
  const [seconds, rest] = (since as [number, number] | undefined) ?? [0, 0];
  const passed = nanoseconds(place) - (BigInt(seconds) * 1_000_000_000n + BigInt(rest));
  return [Number(passed / 1_000_000_000n), Number(passed % 1_000_000_000n)];
}

/** What of `Temporal` tells the time of now; no Node before 26 has it unless it is told to. */
interface TemporalNow {
  readonly Now: object;
  readonly Instant: { fromEpochMilliseconds(ms: number): { toZonedDateTimeISO(zone: unknown): ZonedNow } };
}

interface ZonedNow {
  toPlainDateTime(): unknown;
  toPlainDate(): unknown;
  toPlainTime(): unknown;
}

function temporalReplacements(): Replacement[] {
  const temporal = Reflect.get(globalThis, "Temporal") as TemporalNow | undefined;
  if (temporal === undefined) return [];
  const { Now, Instant } = temporal;
  const instant = (place: Place) => Instant.fromEpochMilliseconds(wallMs(place));
  // Local time is UTC.
  const zoned = (place: Place, [zone = "UTC"]: readonly unknown[]) => instant(place).toZonedDateTimeISO(zone);
  return [
    atPlaces(Now, "instant", instant),
    atPlaces(Now, "zonedDateTimeISO", zoned),
    atPlaces(Now, "plainDateTimeISO", (place, args) => zoned(place, args).toPlainDateTime()),
    atPlaces(Now, "plainDateISO", (place, args) => zoned(place, args).toPlainDate()),
    atPlaces(Now, "plainTimeISO", (place, args) => zoned(place, args).toPlainTime()),
  ];
}

export function timeReplacements(): Replacement[] {
  const date = simulatedDate(Date);
  return [
    atPlaces(Date, "now", wallMs),
    { target: globalThis, name: "Date", by: (found) => ({ ...found, value: date }) },
    { target: Date.prototype, name: "constructor", by: (found) => ({ ...found, value: date }) },
    { target: Intl.DateTimeFormat.prototype, name: "format", by: formatsNow },
    atPlaces(Intl.DateTimeFormat.prototype, "formatToParts", withNow),
    atPlaces(performance, "now", sinceStartMs),
    readAtPlaces(performance, "timeOrigin", (place) => readingOf(place).wallMs),
    atPlaces(performance, "mark", mark),
    atPlaces(performance, "measure", measure),
    // The first one has the second written on it.
    atPlaces(process.hrtime, "bigint", nanoseconds),
    atPlaces(process, "hrtime", hrtime),
    atPlaces(process, "uptime", (place) => sinceStartMs(place) / 1_000),
    ...temporalReplacements(),
  ];
}
