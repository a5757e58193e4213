import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { OrderedRows } from "./ordered-rows.ts";

interface Row {
  readonly name: string;
  readonly at: number;
  readonly generation: number;
}

const step = fc.oneof(
  { weight: 4, arbitrary: fc.record({ kind: fc.constant("set" as const), name: fc.nat(9), at: fc.nat(30) }) },
  { weight: 3, arbitrary: fc.record({ kind: fc.constant("delete" as const), name: fc.nat(9) }) },
  {
    weight: 2,
    arbitrary: fc.record({
      kind: fc.constant("page" as const),
      after: fc.option(fc.nat(30)),
      limit: fc.integer({ min: 1, max: 5 }),
    }),
  },
);

test("pages are the rows that are there, in their order, whatever came and went before", () => {
  fc.assert(
    fc.property(fc.array(step, { maxLength: 100, size: "max" }), (steps) => {
      const byPlace = (a: number, b: number): number => a - b;
      const rows = new OrderedRows<Row, number>({
        nameOf: (row) => row.name,
        placeOf: (row) => row.at,
        compare: byPlace,
      });
      const model = new Map<string, Row>();
      for (const [generation, each] of steps.entries()) {
        if (each.kind === "set") {
          const row = { name: `${each.name}`, at: each.at * 10 + each.name, generation };
          rows.set(row);
          model.set(row.name, row);
        } else if (each.kind === "delete") {
          rows.delete(`${each.name}`);
          model.delete(`${each.name}`);
        } else {
          const after = each.after === null ? null : each.after * 10;
          const sorted = [...model.values()]
            .filter(({ at }) => after === null || at > after)
            .sort((a, b) => a.at - b.at);
          const expected = sorted.slice(0, each.limit);
          const next = expected.length < each.limit ? null : expected.at(-1)!.at;
          assert.deepEqual(rows.page(after, each.limit), { rows: expected, damaged: [], next });
        }
        for (const name of ["0", "5"]) assert.deepEqual(rows.get(name), model.get(name));
      }
    }),
    { numRuns: 300 },
  );
});
