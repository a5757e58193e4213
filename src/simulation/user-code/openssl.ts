/**
 * What OpenSSL does with chance of its own: making keys and primes, and signatures and encryption that are another one
 * each time. It is refused; what comes out the same each time (HMAC, Ed25519, RSA as in PKCS #1 v1.5, AES) is not.
 */
import crypto from "node:crypto";
import { refusal } from "./outside.ts";
import { atPlaces, type Doing, type Replacement } from "./replacement.ts";

/** Functions of node:crypto that draw whatever they are given. */
const drawing = [
  "encapsulate",
  "generateKey",
  "generateKeySync",
  "generateKeyPair",
  "generateKeyPairSync",
  "generatePrime",
  "generatePrimeSync",
  "publicEncrypt",
];
const drawingOfSubtle = ["encapsulateBits", "encapsulateKey", "generateKey"];

/** Algorithms of Web Crypto that draw, by how their names begin. */
const drawingAlgorithms = /^(?:ECDSA|RSA-PSS|RSA-OAEP|ML-DSA|SLH-DSA)/i;
/** Which argument says the algorithm. */
const algorithmAt: Readonly<Record<string, number>> = { sign: 0, encrypt: 0, wrapKey: 3 };

function byAlgorithm(name: string, index: number): Doing {
  return (place, args, real) => {
    const given = args[index];
    const algorithm = String(isObject(given) ? Reflect.get(given, "name") : given);
    if (!drawingAlgorithms.test(algorithm)) return real();
    return refusal(`crypto.subtle.${name}() with ${algorithm}`, "chance")(place, args, real);
  };
}

/** Kinds of keys with which a signature is the same each time, unless RSA is padded as in PSS. */
const steadyKeys = ["ed25519", "ed448", "rsa"];

function bySigningKey(called: string, index: number): Doing {
  return (place, args, real) => {
    const kind = drawingKind(args[index]);
    return kind === undefined ? real() : refusal(`${called} with ${kind}`, "chance")(place, args, real);
  };
}

function drawingKind(given: unknown): string | undefined {
  const { key, padding } = (isObject(given) && "key" in given ? given : { key: given }) as SigningKey;
  if (padding === crypto.constants.RSA_PKCS1_PSS_PADDING) return "padding as in PSS";
  try {
    const kind = keyObjectOf(key, given).asymmetricKeyType ?? "";
    return steadyKeys.includes(kind) ? undefined : `a key of type ${kind}`;
  } catch {
    // Not a key: Node knows what to say.
    return undefined;
  }
}

interface SigningKey {
  readonly key: unknown;
  readonly padding?: number;
}

function keyObjectOf(key: unknown, given: unknown): crypto.KeyObject {
  if (key instanceof crypto.KeyObject) return key;
  if (key instanceof CryptoKey) return crypto.KeyObject.from(key);
  return crypto.createPrivateKey(given as crypto.PrivateKeyInput);
}

function isObject(value: unknown): value is object {
  return typeof value === "object" && value !== null;
}

/** A number asks for a prime of so many bits; otherwise the prime is given. */
const createDiffieHellman: Doing = (place, args, real) =>
  typeof args[0] === "number" ? refusal("crypto.createDiffieHellman()", "chance")(place, args, real) : real();

export function openSslReplacements(): Replacement[] {
  const { ECDH, DiffieHellman, DiffieHellmanGroup, Sign } = crypto;
  const subtle = SubtleCrypto.prototype;
  return [
    ...drawing.map((name) => atPlaces(crypto, name, refusal(`crypto.${name}()`, "chance"))),
    ...drawingOfSubtle.map((name) => atPlaces(subtle, name, refusal(`crypto.subtle.${name}()`, "chance"))),
    ...Object.entries(algorithmAt).map(([name, index]) => atPlaces(subtle, name, byAlgorithm(name, index))),
    ...Object.entries({ ECDH, DiffieHellman, DiffieHellmanGroup }).map(([name, { prototype }]) =>
      atPlaces(prototype, "generateKeys", refusal(`${name}.generateKeys()`, "chance")),
    ),
    atPlaces(crypto, "createDiffieHellman", createDiffieHellman),
    atPlaces(crypto, "sign", bySigningKey("crypto.sign()", 2)),
    atPlaces(Sign.prototype, "sign", bySigningKey("Sign.sign()", 0)),
  ];
}
