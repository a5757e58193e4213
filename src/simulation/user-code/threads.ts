/**
 * Work that Node gives to other threads and that has one result only: hashing, deriving keys, signing, compressing.
 * The world stands still until it is done, and the result is an event of the world, in the order in which the work was
 * asked for. So it may take as long as it likes in real time.
 */
import crypto from "node:crypto";
import zlib from "node:zlib";
import { inContext, type Place, runOutside } from "./place.ts";
import { type AnyFunction, atPlaces, type Doing, type Replacement } from "./replacement.ts";

/** Calls `deliver` with what the work came to, at an event of the world. */
function awaited(place: Place, work: Promise<unknown>, deliver: (result: PromiseSettledResult<unknown>) => void): void {
  let result: PromiseSettledResult<unknown> | undefined;
  const settled = Promise.allSettled([work]).then(([one]) => {
    result = one;
  });
  const tell = inContext(() => deliver(result!));
  // A module that waits for it while it is loaded waits in real time, as the world does.
  if (place.loads > 0) return void settled.then(tell);
  place.hold(settled);
  place.clock.soon(tell);
}

const promising: Doing = (place, _args, real) =>
  new Promise((resolve, reject) => {
    const work = runOutside(real) as Promise<unknown>;
    awaited(place, work, (result) => (result.status === "fulfilled" ? resolve(result.value) : reject(result.reason)));
  });

/** The callback comes last. Bad arguments throw at once, as ever. */
const callingBack: Doing = (place, args, real) => {
  const callback = args.at(-1);
  if (typeof callback !== "function") return real();
  const { promise, resolve } = Promise.withResolvers<readonly unknown[]>();
  const returned = runOutside(() => real([...args.slice(0, -1), (...results: unknown[]) => resolve(results)]));
  awaited(place, promise, (result) => {
    if (result.status === "fulfilled") (callback as AnyFunction)(...(result.value as unknown[]));
  });
  return returned;
};

const subtle = [
  "decapsulateBits",
  "decapsulateKey",
  "decrypt",
  "deriveBits",
  "deriveKey",
  "digest",
  "encrypt",
  "exportKey",
  "getPublicKey",
  "importKey",
  "sign",
  "unwrapKey",
  "verify",
  "wrapKey",
];
/** Of node:crypto, and on another thread only with a callback. */
const computations = [
  "argon2",
  "checkPrime",
  "decapsulate",
  "diffieHellman",
  "hkdf",
  "pbkdf2",
  "scrypt",
  "sign",
  "verify",
];
const compressions = [
  "brotliCompress",
  "brotliDecompress",
  "deflate",
  "deflateRaw",
  "gunzip",
  "gzip",
  "inflate",
  "inflateRaw",
  "unzip",
  "zstdCompress",
  "zstdDecompress",
];

// The types of Node know nothing of it.
const webAssembly = Reflect.get(globalThis, "WebAssembly") as object;

export function threadReplacements(): Replacement[] {
  return [
    ...subtle.map((name) => atPlaces(SubtleCrypto.prototype, name, promising)),
    ...computations.map((name) => atPlaces(crypto, name, callingBack)),
    ...compressions.map((name) => atPlaces(zlib, name, callingBack)),
    atPlaces(webAssembly, "compile", promising),
    atPlaces(webAssembly, "instantiate", promising),
  ];
}
