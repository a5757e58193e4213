/** What stands behind a flag, read; a wrong one is told in a sentence. */
import { InvalidArgumentError } from "commander";
import { parseObjective } from "../../capacity/objective.ts";
import { parseDuration } from "../../values/durations.ts";

/** An objective as text: it is checked, and read where it is used. */
export function readObjective(text: string): string {
  try {
    parseObjective(text);
    return text;
  } catch {
    throw new InvalidArgumentError("Give the percentile and the time that it may take, such as p99=50ms.");
  }
}

/** A duration as text, as it was written: it is checked, and read where it is used. */
export function readDuration(text: string): string {
  try {
    parseDuration(text, "it");
    return text;
  } catch {
    throw new InvalidArgumentError("Give a time with its unit, such as 250ms, 5s, 5m, 1h or 2d.");
  }
}

export function readDays(text: string): number {
  const days = Number(text);
  if (!(days > 0 && days <= 3_650)) throw new InvalidArgumentError("Give days, from 1 to 3650.");
  return days;
}

export function readPort(text: string): number {
  const port = Number(text);
  if (!/^\d+$/.test(text) || port > 65_535) throw new InvalidArgumentError("A port is a number from 0 to 65535.");
  return port;
}

/** As text, as it would stand in a system file's settings. */
export function readAdminPort(text: string): string {
  if (text !== "off") readPort(text);
  return text;
}

export function readCount(text: string): number {
  const count = Number(text);
  if (!Number.isInteger(count) || count < 1 || count > 64)
    throw new InvalidArgumentError("Give a number from 1 to 64.");
  return count;
}

export function readRange(text: string): readonly number[] {
  const match = /^(\d+)(?:\.\.(\d+))?$/.exec(text);
  const [from, to] = [Number(match?.[1]), Number(match?.[2] ?? match?.[1])];
  if (!(from >= 1 && to >= from && to <= 64)) throw new InvalidArgumentError("Give a number from 1 to 64, or 1..3.");
  return Array.from({ length: to - from + 1 }, (_, at) => from + at);
}

export function readRate(text: string): number {
  const rate = Number(text);
  if (!(rate >= 1 && rate <= 200_000)) throw new InvalidArgumentError("Give calls per second, from 1 to 200000.");
  return rate;
}

export function readKeys(text: string): number {
  const count = Number(text);
  if (!Number.isInteger(count) || count < 1 || count > 9_999)
    throw new InvalidArgumentError("Give a number from 1 to 9999.");
  return count;
}

export function readSeed(text: string): number {
  const seed = Number(text);
  if (!Number.isInteger(seed) || seed < 1 || seed > 2 ** 31)
    throw new InvalidArgumentError("Give a whole number from 1.");
  return seed;
}

export function readTrace(text: string): string {
  if (!["part", "full", "lines"].includes(text)) throw new InvalidArgumentError("Give full or lines, or nothing.");
  return text;
}

export function readMinutes(text: string): number {
  const minutes = Number(text);
  if (!(minutes > 0 && minutes <= 10_000)) throw new InvalidArgumentError("Give minutes, more than 0.");
  return minutes;
}

export function readInterval(text: string): number {
  const seconds = Number(text);
  if (!(seconds >= 0.1 && seconds <= 3_600)) throw new InvalidArgumentError("Give seconds, from 0.1 to 3600.");
  return seconds;
}

export function readTimes(text: string): number {
  const times = Number(text);
  if (!Number.isInteger(times) || times < 1) throw new InvalidArgumentError("Give a whole number from 1.");
  return times;
}

export function readSeconds(text: string): number {
  // An empty text would be the number 0.
  const seconds = text.trim() === "" ? Number.NaN : Number(text);
  if (!(seconds >= 0 && seconds <= 3_600)) throw new InvalidArgumentError("Give seconds, from 0 to 3600.");
  return seconds;
}

export function collect(name: string, names: readonly string[]): readonly string[] {
  return [...names, name];
}
