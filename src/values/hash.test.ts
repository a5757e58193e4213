import assert from "node:assert/strict";
import { createHash, createHmac } from "node:crypto";
import { describe, test } from "node:test";
import { crc32 } from "node:zlib";
import fc from "fast-check";
import { checksum, hashParts, secretStream, shardOf } from "./hash.ts";

const text = fc.string({ unit: "grapheme" });

describe("hashParts", () => {
  test("is SHA-256 over each part behind its length", () => {
    const expected = createHash("sha256").update("5:alice0:1:é").digest("base64url");
    assert.equal(hashParts("alice", "", "é"), expected);
    assert.equal(expected.length, 43);
  });

  test("keeps lists apart that read the same when joined", () => {
    assert.notEqual(hashParts("a", "bc"), hashParts("ab", "c"));
    assert.notEqual(hashParts("a"), hashParts("a", ""));
    assert.notEqual(hashParts("1:a"), hashParts("a"));
    fc.assert(
      fc.property(fc.array(text), fc.array(text), (one, other) => {
        const same = JSON.stringify(one) === JSON.stringify(other);
        assert.equal(hashParts(...one) === hashParts(...other), same);
      }),
    );
  });
});

describe("checksum", () => {
  test("never changes", () => {
    assert.equal(checksum("account", "alice", 3, '{"balance":5}'), 2527221948);
  });

  test("is zlib's CRC-32 over each part behind its length, whatever its characters and however long", () => {
    const part = fc.oneof(text, fc.nat(), fc.string({ unit: "binary-ascii", minLength: 400, maxLength: 700 }));
    fc.assert(
      fc.property(fc.array(part), (parts) => {
        const joined = parts.map((part) => `${String(part).length}:${part}`).join("");
        assert.equal(checksum(...parts), crc32(joined));
      }),
    );
  });

  test("differs when one character of a row does", () => {
    assert.notEqual(checksum("a", 1, '{"balance":5}'), checksum("a", 1, '{"balance":4}'));
    assert.notEqual(checksum("a", 1), checksum("a", 2));
  });
});

describe("shardOf", () => {
  test("never changes", () => {
    const vectors: [string, string, number][] = [
      ["account", "alice", 61],
      ["account", "bob", 49],
      ["account", "", 4],
      ["account", "42", 20],
      ["transfer", "3f1c9a04-0c1e-4a2b-8d77-0123456789ab", 0],
      ["account", "grüße/日本語 🙂", 50],
    ];
    assert.deepEqual(
      vectors.map(([service, key]) => shardOf(service, key, 64)),
      vectors.map(([, , shard]) => shard),
    );
  });

  test("stays within the number of shards", () => {
    fc.assert(
      fc.property(text, text, fc.integer({ min: 1, max: 4096 }), (service, key, shards) => {
        const shard = shardOf(service, key, shards);
        assert.ok(Number.isInteger(shard) && shard >= 0 && shard < shards);
      }),
    );
  });

  test("spreads sequential, padded and random keys evenly over 64 shards", () => {
    const families = [
      (n: number) => String(n),
      (n: number) => `user-${String(n).padStart(8, "0")}`,
      (n: number) => `${n}@example.com`,
      (n: number) => createHash("md5").update(String(n)).digest("hex"),
    ];
    for (const keyOf of families) {
      const counts = new Array<number>(64).fill(0);
      const keys = 64_000;
      for (let n = 0; n < keys; n++) counts[shardOf("account", keyOf(n), 64)]!++;
      const expected = keys / 64;
      const chiSquared = counts.reduce((sum, count) => sum + (count - expected) ** 2 / expected, 0);
      // 63 degrees of freedom: a fair spread stays under 119 but once in 25,000.
      assert.ok(chiSquared < 119, `${keyOf(7)}: chi-squared ${chiSquared}`);
    }
  });
});

describe("secretStream", () => {
  const secret = new Uint8Array(32).fill(7);

  test("repeats itself for the same secret and parts, and for no others", () => {
    const draw = (key: Uint8Array, ...parts: string[]) => {
      const stream = secretStream(key, ...parts);
      return [stream.number(), stream.uuid(), stream.uuid(), stream.number(), stream.uuid()];
    };
    assert.deepEqual(draw(secret, "a", "b"), draw(secret, "a", "b"));
    assert.notDeepEqual(draw(secret, "a", "b"), draw(secret, "ab"));
    assert.notDeepEqual(draw(secret, "a", "b"), draw(new Uint8Array(32), "a", "b"));
  });

  test("is HMAC-SHA256 in counter mode under an HMAC of the parts, as an independent implementation has it", () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 64 }), fc.array(text), (key, parts) => {
        const inner = createHmac("sha256", key);
        for (const part of parts) inner.update(`${part.length}:${part}`);
        const streamKey = inner.digest();
        const stream = secretStream(key, ...parts);
        for (let block = 0; block < 2; block++) {
          const bytes = createHmac("sha256", streamKey).update(String(block)).digest();
          for (let at = 0; at < 32; at += 8) {
            assert.equal(stream.number(), Number(bytes.readBigUInt64BE(at) >> 11n) / 2 ** 53);
          }
        }
      }),
      { numRuns: 30 },
    );
  });

  test("gives numbers that fill [0, 1) evenly", () => {
    const stream = secretStream(secret, "numbers");
    const counts = new Array<number>(10).fill(0);
    for (let n = 0; n < 10_000; n++) {
      const number = stream.number();
      assert.ok(number >= 0 && number < 1);
      counts[Math.floor(number * 10)]!++;
    }
    assert.ok(Math.min(...counts) > 850 && Math.max(...counts) < 1_150, String(counts));
  });

  test("gives UUIDs of version 4, none twice", () => {
    const stream = secretStream(secret, "uuids");
    const uuids = Array.from({ length: 500 }, () => stream.uuid());
    for (const uuid of uuids) {
      assert.match(uuid, /^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/);
    }
    assert.equal(new Set(uuids).size, uuids.length);
  });
});
