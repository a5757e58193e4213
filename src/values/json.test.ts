import assert from "node:assert/strict";
import { describe, test } from "node:test";
import fc from "fast-check";
import { SynodError, type Violation } from "../errors.ts";
import { decodeJson, encodeJson, formatPath } from "./json.ts";

function refusal(run: () => unknown): { message: string; violations: readonly Violation[] } {
  try {
    run();
  } catch (error) {
    assert(error instanceof SynodError, `not a SynodError: ${String(error)}`);
    assert.equal(error.code, "invalid_argument");
    return { message: error.message, violations: (error.data as { violations: Violation[] }).violations };
  }
  assert.fail("nothing was refused");
}

const encodeRefusal = (value: unknown) => refusal(() => encodeJson(value, "the state"));
const decodeRefusal = (text: string) => refusal(() => decodeJson(text, "the input"));

function nested(levels: number): unknown {
  let value: unknown = 1;
  for (let level = 0; level < levels; level++) value = [value];
  return value;
}

/** JSON values as the discipline allows them; fast-check makes -0 and odd strings too, which are left out. */
const jsonValue = fc
  .jsonValue({ noUnicodeString: false, maxDepth: 6 })
  .filter((value) => {
    const text = JSON.stringify(value);
    return !/\\u0000|\\ud[89a-f]|__proto__/.test(text);
  })
  .map((value): unknown => JSON.parse(JSON.stringify(value)));

describe("encodeJson", () => {
  class Money {
    amount = 1;
  }
  const cycle: Record<string, unknown> = {};
  cycle.self = { inner: [cycle] };
  const cases: [string, unknown, string, RegExp][] = [
    ["a Map", { a: [new Map()] }, "$.a[0]", /is a Map/],
    ["a Set", { a: new Set() }, "$.a", /is a Set/],
    ["a Date, whose toJSON would change it", { at: new Date(0) }, "$.at", /is a Date/],
    ["a class instance", { price: new Money() }, "$.price", /is a Money/],
    ["a boxed number", { n: Object(1) }, "$.n", /is a Number/],
    ["a function", { f: () => 1 }, "$.f", /function/],
    ["a toJSON of one's own", { a: { toJSON: () => 1 } }, "$.a", /toJSON/],
    ["a hidden toJSON", { a: Object.defineProperty({}, "toJSON", { value: () => 1 }) }, "$.a", /toJSON/],
    ["a toJSON on an array", { a: Object.assign([1], { toJSON: () => 1 }) }, "$.a", /toJSON/],
    ["a symbol", { s: Symbol("x") }, "$.s", /symbol/],
    ["undefined in an array", { list: [1, undefined] }, "$.list[1]", /undefined/],
    ["a hole in an array", { list: new Array(1) }, "$.list[0]", /undefined/],
    ["undefined itself", undefined, "$", /undefined/],
    ["a cycle", cycle, "$.self.inner[0]", /cycle/],
    ["a bigint", { n: 1n }, "$.n", /bigint/],
    ["NaN", { n: Number.NaN }, "$.n", /NaN/],
    ["Infinity", [Number.NEGATIVE_INFINITY], "$[0]", /-Infinity/],
    ["a lone surrogate", { s: "a\ud800b" }, "$.s", /surrogate/],
    ["a lone surrogate in a name", { "\udc00": 1 }, '$["\\udc00"]', /surrogate/],
    ["NUL", { "two words": "\0" }, '$["two words"]', /NUL/],
    ["__proto__ as a name", JSON.parse('{"a":{"__proto__":1}}'), "$.a.__proto__", /name/],
    ["more than 100 levels", nested(101), `$${"[0]".repeat(100)}`, /deeper than 100/],
  ];
  for (const [what, value, path, message] of cases) {
    test(`refuses ${what} and names its path`, () => {
      const { violations, message: sentence } = encodeRefusal(value);
      assert.equal(violations.length, 1);
      assert.equal(violations[0]?.path, path);
      assert.match(violations[0]?.message ?? "", message);
      assert.ok(sentence.startsWith(`the state is not JSON: ${path} `), sentence);
    });
  }

  test("lists every violation, up to a bound", () => {
    assert.equal(encodeRefusal({ a: new Date(), b: [1n, undefined] }).violations.length, 3);
    assert.equal(encodeRefusal(new Array(1_000)).violations.length, 20);
  });

  test("takes 100 levels, objects without prototype, and the same object twice", () => {
    const shared = { a: 1 };
    encodeJson(nested(100), "it");
    assert.equal(encodeJson(Object.assign(Object.create(null), { a: 1 }), "it"), '{"a":1}');
    assert.equal(encodeJson([shared, shared], "it"), '[{"a":1},{"a":1}]');
  });

  test("leaves out undefined properties, writes -0 as 0, and takes text that only looks escaped", () => {
    assert.equal(encodeJson({ a: undefined, b: -0 }, "it"), '{"b":0}');
    assert.equal(encodeJson("\\u0000 and \\ud800", "it"), '"\\\\u0000 and \\\\ud800"');
    assert.equal(encodeJson("\u0001", "it"), '"\\u0001"');
    assert.equal(encodeJson({ toJSON: "data" }, "it"), '{"toJSON":"data"}');
  });

  test("refuses more bytes of UTF-8 than the limit and says both", () => {
    assert.equal(encodeJson("é", "it", 4), '"é"');
    assert.equal(encodeJson("ab", "it", 4), '"ab"');
    const { message } = refusal(() => encodeJson("éa", "the reply", 4));
    assert.match(message, /the reply has 5 bytes as JSON, and the limit is 4 bytes/);
  });
});

describe("decodeJson", () => {
  const cases: [string, string, string, RegExp][] = [
    ["a number beyond the largest", '{"n":1e309}', "$.n", /Infinity/],
    ["a long number beyond the largest", `[-1${"0".repeat(309)}]`, "$[0]", /-Infinity/],
    ["a __proto__ member", '{"a":[{"__proto__":{"admin":true}}]}', "$.a[0].__proto__", /name/],
    ["an escaped __proto__ member", '{"\\u005f_proto__":1}', "$.__proto__", /name/],
    ["NUL", '{"s":"\\u0000"}', "$.s", /NUL/],
    ["an escaped lone surrogate", '["\\ud800"]', "$[0]", /surrogate/],
    ["a raw lone surrogate", '["\udfff"]', "$[0]", /surrogate/],
    ["more than 100 levels", `${"[".repeat(101)}${"]".repeat(101)}`, `$${"[0]".repeat(100)}`, /deeper than 100/],
    ["a hundred thousand levels", `${"[".repeat(1e5)}${"]".repeat(1e5)}`, `$${"[0]".repeat(100)}`, /deeper than 100/],
    ["an unfinished text", '{"a":', "$", /cannot be read as JSON/],
    ["an empty text", "", "$", /cannot be read as JSON/],
    ["NaN", "NaN", "$", /cannot be read as JSON/],
  ];
  for (const [what, text, path, message] of cases) {
    test(`refuses ${what} and names its path`, () => {
      const { violations } = decodeRefusal(text);
      assert.equal(violations.length, 1);
      assert.equal(violations[0]?.path, path);
      assert.match(violations[0]?.message ?? "", message);
    });
  }

  test("reads every spelling of negative zero as 0", () => {
    const text = '{"a":-0,"b":[-0.0,-0e5,-1e-400,-12.5E-999],"c":-0.5,"d":"-0"}';
    assert.deepStrictEqual(decodeJson(text, "it"), { a: 0, b: [0, 0, 0, 0], c: -0.5, d: "-0" });
    assert.ok(Object.is(decodeJson("-0", "it"), 0));
  });

  test("keeps members named like parts of Object.prototype as data", () => {
    const value = decodeJson('{"constructor":1,"toString":2,"toJSON":3}', "it") as Record<string, unknown>;
    assert.deepEqual(Object.keys(value), ["constructor", "toString", "toJSON"]);
    assert.equal(({} as Record<string, unknown>).admin, undefined);
  });
});

test("what encodeJson takes comes out of decodeJson equal", () => {
  fc.assert(
    fc.property(jsonValue, (value) => {
      const text = encodeJson(value, "it");
      assert.deepStrictEqual(decodeJson(text, "it"), value);
      assert.equal(encodeJson(decodeJson(text, "it"), "it"), text);
    }),
  );
});

test("encodeJson takes anything at all only if decodeJson gives the same back, and else names a path that leads to the fault", () => {
  const anything = fc.anything({
    withDate: true,
    withMap: true,
    withSet: true,
    withBigInt: true,
    withSparseArray: true,
  });
  fc.assert(
    fc.property(anything, (value) => {
      let text: string;
      try {
        text = encodeJson(value, "it");
      } catch (error) {
        assert(error instanceof SynodError);
        const { violations } = error.data as { violations: Violation[] };
        assert.ok(violations.length > 0 && violations.every((one) => one.path.startsWith("$")));
        return;
      }
      assert.equal(JSON.stringify(decodeJson(text, "it")), text);
      assert.equal(JSON.stringify(value), text);
    }),
    { numRuns: 500 },
  );
});

test("decodeJson answers any text with a value or an invalid_argument error, and leaves Object.prototype alone", () => {
  const before = Reflect.ownKeys(Object.prototype).length;
  const text = fc.oneof(
    fc.string({ unit: "binary" }),
    fc.json(),
    fc.json().map((json) => json.slice(1)),
  );
  fc.assert(
    fc.property(text, (input) => {
      try {
        assert.equal(typeof encodeJson(decodeJson(input, "it"), "it"), "string");
      } catch (error) {
        assert(error instanceof SynodError && error.code === "invalid_argument", String(error));
      }
    }),
    { numRuns: 500 },
  );
  assert.equal(Reflect.ownKeys(Object.prototype).length, before);
});

test("formatPath writes names that are not identifiers in brackets", () => {
  assert.equal(formatPath(["a", 0, "b c", "", "d"]), '$.a[0]["b c"][""].d');
});
