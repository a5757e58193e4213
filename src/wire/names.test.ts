import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import { test } from "node:test";
import fc from "fast-check";
import { ByteReader, ByteWriter } from "./bytes.ts";
import { NameTable } from "./names.ts";

test("names that come again are read as what they are, however many others came between", () => {
  const texts = fc.oneof(
    fc.constantFrom("echo", "account", "ohce", "", "naïve", "\ufffd"),
    fc.string({ unit: "grapheme" }),
  );
  fc.assert(
    fc.property(fc.array(texts, { maxLength: 600, size: "max" }), (names) => {
      const table = new NameTable();
      const writer = new ByteWriter();
      for (const name of names) writer.text(name, 4_096, "name");
      const reader = new ByteReader(writer.take(), table);
      for (const name of names) assert.equal(reader.name(4_096, "name"), name);
      reader.end();
    }),
    { numRuns: 50 },
  );
});

test("a name that is cut short, or is no UTF-8, is refused also where its beginning is known", () => {
  const table = new NameTable();
  const read = (...bytes: number[]): string => new ByteReader(Buffer.from(bytes), table).name(16, "name");
  assert.equal(read(2, 0x61, 0x62), "ab");
  assert.equal(read(2, 0x61, 0x62), "ab");
  assert.throws(() => read(3, 0x61, 0x62), /ends in the middle of its name/);
  for (let time = 0; time < 2; time++) assert.throws(() => read(2, 0x61, 0xff), /is not UTF-8/);
});
