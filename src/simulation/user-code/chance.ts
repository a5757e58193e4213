/**
 * Chance: `Math.random` and all of the two crypto modules that draws. What is drawn comes from the seed of the run, a
 * stream for each process of each node. What cannot be drawn from a seed is in openssl.ts.
 */
import crypto from "node:crypto";
import type { Prng } from "../../values/prng.ts";
import { callBack, type Place } from "./place.ts";
import { type AnyFunction, atPlaces, type Doing, type Replacement } from "./replacement.ts";

/** Integers that a double holds exactly, as `crypto.randomInt` has it. */
const integerRangeMax = 2 ** 48;

function fill(prng: Prng, bytes: Uint8Array): void {
  for (let index = 0; index < bytes.length; index += 4) {
    const drawn = prng.uint32();
    for (let byte = 0; byte < 4 && index + byte < bytes.length; byte++) bytes[index + byte] = drawn >>> (8 * byte);
  }
}

/** The bytes of whatever view it is. */
function bytesOf(view: ArrayBufferView | ArrayBuffer, offset = 0, length?: number): Uint8Array {
  if (!ArrayBuffer.isView(view)) return new Uint8Array(view, offset, length);
  const unit = "BYTES_PER_ELEMENT" in view ? (view.BYTES_PER_ELEMENT as number) : 1;
  const end = length === undefined ? view.byteLength : (offset + length) * unit;
  return new Uint8Array(view.buffer, view.byteOffset + offset * unit, end - offset * unit);
}

/** Version 4 has nothing but chance in it; version 7 begins with the time (RFC 9562). */
function uuid({ prng, clock }: Place, version: 4 | 7): string {
  const bytes = new Uint8Array(16);
  fill(prng, bytes);
  if (version === 7) {
    const ms = clock.wall();
    for (let index = 0; index < 6; index++) bytes[index] = Math.floor(ms / 2 ** (8 * (5 - index))) & 0xff;
  }
  bytes[6] = (bytes[6]! & 0x0f) | (version << 4);
  bytes[8] = (bytes[8]! & 0x3f) | 0x80;
  const hex = Buffer.from(bytes).toString("hex");
  return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-${hex.slice(12, 16)}-${hex.slice(16, 20)}-${hex.slice(20)}`;
}

/** Bad arguments are left to Node, which knows what to say of them. */
const fillView: Doing = (place, args, real) => {
  const [view, offset, length] = args as [unknown, number | undefined, number | undefined];
  if (!ArrayBuffer.isView(view) && !(view instanceof ArrayBuffer)) return real();
  fill(place.prng, bytesOf(view, offset, length));
  return view;
};

const randomBytes: Doing = (place, args, real) => {
  const [size, callback] = args as [number, AnyFunction | undefined];
  if (!(size >= 0)) return real();
  const bytes = Buffer.alloc(size);
  fill(place.prng, bytes);
  if (callback === undefined) return bytes;
  return callBack(place, () => void callback(null, bytes));
};

const randomFill: Doing = (place, args, real) => {
  const callback = args.at(-1) as AnyFunction;
  const view = fillView(place, args.slice(0, -1), real);
  callBack(place, () => void callback(null, view));
};

const randomInt: Doing = (place, args, real) => {
  const callback = typeof args.at(-1) === "function" ? (args.at(-1) as AnyFunction) : undefined;
  const bounds = args.filter((bound) => typeof bound === "number");
  const [min, max] = bounds.length < 2 ? [0, bounds[0] ?? 0] : (bounds as [number, number]);
  if (!(max > min && max - min < integerRangeMax)) return real();
  const drawn = min + Math.floor(place.prng.number() * (max - min));
  if (callback === undefined) return drawn;
  return callBack(place, () => void callback(null, drawn));
};

/** One function by all the names that it has had. */
const randomBytesNames = ["randomBytes", "pseudoRandomBytes", "prng", "rng"];

export function chanceReplacements(): Replacement[] {
  return [
    atPlaces(Math, "random", ({ prng }) => prng.number()),
    atPlaces(Crypto.prototype, "getRandomValues", fillView),
    atPlaces(Crypto.prototype, "randomUUID", (place) => uuid(place, 4)),
    atPlaces(crypto, "randomUUID", (place) => uuid(place, 4)),
    atPlaces(crypto, "randomUUIDv7", (place) => uuid(place, 7)),
    ...randomBytesNames.map((name) => atPlaces(crypto, name, randomBytes)),
    atPlaces(crypto, "randomFillSync", fillView),
    atPlaces(crypto, "randomFill", randomFill),
    atPlaces(crypto, "randomInt", randomInt),
  ];
}
