import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import {
  derivedRecordId,
  isName,
  isSessionName,
  isSessionRecordId,
  makeTimedKey,
  sessionRecordId,
  sessionRecordRange,
  timedKeyTime,
} from "./ids.ts";

test("a timed key says when it was made", () => {
  const instants = fc.integer({ min: 0, max: 2 ** 48 - 1 });
  fc.assert(
    fc.property(instants, fc.uint8Array({ minLength: 10, maxLength: 16 }), (now, bytes) => {
      const key = makeTimedKey(now, bytes);
      assert.match(key, /^synod-[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/);
      assert.equal(timedKeyTime(key), now);
    }),
  );
});

test("timed keys of one instant differ by their random bytes, and later ones sort behind", () => {
  const zeros = new Uint8Array(10);
  for (let index = 0; index < 10; index++) {
    const bytes = new Uint8Array(10);
    bytes[index] = 0x11;
    assert.notEqual(makeTimedKey(5, bytes), makeTimedKey(5, zeros), `byte ${index}`);
  }
  assert.ok(makeTimedKey(5, new Uint8Array(10).fill(255)) < makeTimedKey(6, zeros));
});

test("a timed key needs an instant and enough random bytes", () => {
  assert.throws(() => makeTimedKey(0, new Uint8Array(9)), RangeError);
  assert.throws(() => makeTimedKey(-1, new Uint8Array(10)), RangeError);
  assert.throws(() => makeTimedKey(Number.NaN, new Uint8Array(10)), RangeError);
});

test("every other key is opaque", () => {
  const timed = makeTimedKey(Date.UTC(2025, 0, 1), new Uint8Array(10));
  const opaque = ["", "order-42", timed.slice(6), timed.toUpperCase(), `${timed}0`, ` ${timed}`, `${timed}\n`];
  opaque.push("synod-01941f29-7c00-4000-8000-000000000000", "synod-", `synod-${"0".repeat(36)}`);
  for (const key of opaque) assert.equal(timedKeyTime(key), null, key);
});

test("a name is a letter and up to 62 letters, digits, dashes and underscores", () => {
  for (const name of ["a", "account", "node-1", "my_Service2", "a".repeat(63)]) assert.ok(isName(name), name);
  for (const name of ["", "1a", "-a", "_a", "a b", "a/b", "é", "a\n", "__proto__", "a".repeat(64)]) {
    assert.ok(!isName(name), name);
  }
});

test("the ids of a session stand together, in the order of their numbers, and apart from those of all others", () => {
  const numbers = [0, 1, 35, 36, 1_000_000, Number.MAX_SAFE_INTEGER];
  const ids = numbers.map((number) => sessionRecordId("node 1", number));
  assert.deepEqual(ids.toSorted(), ids);
  const all = sessionRecordRange("node 1");
  const below = sessionRecordRange("node 1", 36);
  for (const [at, id] of ids.entries()) {
    assert.ok(id >= all.from && id < all.to);
    assert.equal(id >= below.from && id < below.to, numbers[at]! < 36);
  }
  for (const other of ["node", "node 11", "node 1$", "node 1\u{1F600}", "m", "o"]) {
    for (const number of numbers) {
      const id = sessionRecordId(other, number);
      assert.ok(id < all.from || id >= all.to, id);
    }
  }
});

test("a session has a name, without the character that ends it", () => {
  for (const name of ["n", "node 7", "a:1", "\u{1F600}"]) assert.ok(isSessionName(name), name);
  for (const name of ["", "node#7", "#", "a\0", "\ud800"]) assert.ok(!isSessionName(name), JSON.stringify(name));
});

test("the id of a session's call is told from one that was derived from it, whatever the session is called", () => {
  fc.assert(
    fc.property(
      fc.constantFrom("n5", "counter/5", "a/b/c"),
      fc.nat(),
      fc.string({ minLength: 1 }),
      (session, number, hash) => {
        assert.ok(isSessionRecordId(sessionRecordId(session, number), session));
        assert.ok(!isSessionRecordId(derivedRecordId(session, number, hash), session));
      },
    ),
  );
});
