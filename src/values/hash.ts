/**
 * Hashes: what ids are made of, what guards stored rows, what puts a key into a shard, and the stream behind
 * `ctx.random` and `ctx.uuid`. Nothing here keeps anything; equal arguments give equal results for ever.
 */
import { hash } from "node:crypto";
import { crc32OfParts, delimited } from "./crc32.ts";
import { hash32 } from "./hash32.ts";

/**
 * SHA-256 over a list of parts, as 43 characters of base64url. Each part goes in with its length before it,
 * so that no two lists run into the same bytes. Parts are well-formed strings (JSON discipline sees to it).
 */
export function hashParts(...parts: string[]): string {
  return hash("sha256", delimited(parts), "base64url");
}

/** CRC-32 over a list of parts: finds damaged rows, and is no protection against people. */
export function checksum(...parts: (string | number)[]): number {
  return crc32OfParts(parts);
}

/**
 * The shard of a key, from 0 to `shards` - 1. Where a key rests follows from this: it never changes.
 *
 * It is {@link hash32} over the service's length, a colon, the service and the key, modulo the number of shards.
 */
export function shardOf(service: string, key: string, shards: number): number {
  return hash32(`${service.length}:${service}${key}`) % shards;
}

/** An endless, repeatable stream of random values that nobody without the secret can foresee. */
export interface SecretStream {
  /** The next number in [0, 1), with 53 random bits. */
  number(): number;
  /** The next UUID, in the form of version 4. */
  uuid(): string;
}

/** What SHA-256 gives. */
const blockBytes = 32;
/** What SHA-256 takes in at a time, which is also the longest key of its HMAC. */
const hashInputBytes = 64;

/**
 * The stream that belongs to a secret and a list of parts: block n is HMAC-SHA256 over n under the key
 * HMAC-SHA256(secret, parts). Nothing is computed before the first value is asked for.
 */
export function secretStream(secret: Uint8Array, ...parts: string[]): SecretStream {
  if (secret.length > hashInputBytes) throw new RangeError(`a secret has at most ${hashInputBytes} bytes`);
  let key: Uint8Array | undefined;
  let block: Buffer = Buffer.alloc(0);
  let blocksMade = 0;
  let used = blockBytes;

  const take = (length: number): Buffer => {
    if (used + length > blockBytes) {
      key ??= hmac(secret, delimited(parts));
      block = hmac(key, String(blocksMade));
      blocksMade++;
      used = 0;
    }
    used += length;
    return block.subarray(used - length, used);
  };

  return {
    number: () => Number(take(8).readBigUInt64BE() >> 11n) / 2 ** 53,
    uuid: () => uuidOf(take(16)),
  };
}

/**
 * HMAC-SHA256 (RFC 2104) for keys of at most 64 bytes. From one-shot hashes, because `createHmac` spends
 * seven times as long on setting up a key that is used once.
 */
function hmac(key: Uint8Array, message: string): Buffer {
  const text = Buffer.from(message);
  const inner = new Uint8Array(hashInputBytes + text.length).fill(0x36, 0, hashInputBytes);
  const outer = new Uint8Array(hashInputBytes + blockBytes).fill(0x5c, 0, hashInputBytes);
  for (let index = 0; index < key.length; index++) {
    inner[index] = key[index]! ^ 0x36;
    outer[index] = key[index]! ^ 0x5c;
  }
  inner.set(text, hashInputBytes);
  outer.set(sha256(inner), hashInputBytes);
  return sha256(outer);
}

function sha256(bytes: Uint8Array): Buffer {
  // By way of a string, which costs Node a third of what handing out a buffer does.
  return Buffer.from(hash("sha256", bytes, "binary"), "binary");
}

function uuidOf(bytes: Buffer): string {
  bytes[6] = (bytes[6]! & 0x0f) | 0x40;
  bytes[8] = (bytes[8]! & 0x3f) | 0x80;
  const hex = bytes.toString("hex");
  return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-${hex.slice(12, 16)}-${hex.slice(16, 20)}-${hex.slice(20)}`;
}
