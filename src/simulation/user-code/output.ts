/**
 * What user code prints: lines in the trace of its node instead of a thousand runs on one terminal. `console` writes to
 * these streams; loggers such as pino write to the descriptors 1 and 2.
 */
import fs from "node:fs";
import { refusal } from "./outside.ts";
import { callBack, type Place } from "./place.ts";
import { type AnyFunction, atPlaces, type Doing, type Replacement } from "./replacement.ts";

const decoder = new TextDecoder();

function textOf(chunk: unknown): string {
  if (typeof chunk === "string") return chunk;
  return chunk instanceof Uint8Array ? decoder.decode(chunk) : String(chunk);
}

function lengthOf(chunk: unknown): number {
  return typeof chunk === "string" ? Buffer.byteLength(chunk) : (chunk as ArrayBufferView).byteLength;
}

/** A callback, if one came last, hears that it is written. */
function told(place: Place, args: readonly unknown[], ...results: readonly unknown[]): void {
  const callback = args.at(-1);
  if (typeof callback === "function") callBack(place, () => void (callback as AnyFunction)(...results));
}

const streamWrite: Doing = (place, args) => {
  place.print(textOf(args[0]));
  told(place, args, null);
  return true;
};

/** Of the whole chunk, as loggers do; other descriptors are files. */
function descriptorWrite(name: string): Doing {
  const refusing = refusal(`fs.${name}()`, "io");
  return (place, args, real) => {
    const [descriptor, chunk] = args;
    if (descriptor !== 1 && descriptor !== 2) return place.loads > 0 ? real() : refusing(place, args, real);
    place.print(textOf(chunk));
    const length = lengthOf(chunk);
    told(place, args, null, length, chunk);
    return name.endsWith("Sync") ? length : undefined;
  };
}

export function outputReplacements(): Replacement[] {
  return [
    atPlaces(process.stdout, "write", streamWrite),
    atPlaces(process.stderr, "write", streamWrite),
    atPlaces(fs, "write", descriptorWrite("write")),
    atPlaces(fs, "writeSync", descriptorWrite("writeSync")),
  ];
}
