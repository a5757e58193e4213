import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { CallerSession, type Floor } from "./caller.ts";
import { SessionFloors } from "./receiver.ts";

test("a floor passes settled calls and names the ones that are still open", () => {
  const session = new CallerSession({ openLengthMax: 2 });
  const [first, second, third, fourth] = [session.open(), session.open(), session.open(), session.open()];
  assert.deepEqual(session.floor(), { floor: third, open: [first, second] });
  session.settle(second!);
  assert.deepEqual(session.floor(), { floor: fourth, open: [first, third] });
  session.settle(first!);
  session.settle(third!);
  session.settle(fourth!);
  assert.deepEqual(session.floor(), { floor: 5, open: [] });
});

test("settling a call twice is a bug that is named", () => {
  const session = new CallerSession({ openLengthMax: 2 });
  const number = session.open();
  session.settle(number);
  assert.throws(() => session.settle(number), /a call is settled once/);
});

test("a floor that arrives late takes no promise back", () => {
  const floors = new SessionFloors();
  assert.deepEqual(floors.raise("s", { floor: 10, open: [4, 7] }), { floor: 10, open: [4, 7] });
  assert.equal(floors.raise("s", { floor: 8, open: [2, 4, 7] }), null);
  assert.ok(floors.isSettled("s", 2));
  assert.ok(!floors.isSettled("s", 4));
  assert.deepEqual(floors.raise("s", { floor: 12, open: [4, 5, 11] }), { floor: 12, open: [4, 11] });
  assert.ok(floors.isSettled("s", 5), "5 was settled by the first floor and stays so");
  assert.ok(floors.isSettled("s", 7));
  assert.ok(!floors.isSettled("s", 12));
});

test("calls that may still be repeated are never settled, in whatever order their floors arrive", () => {
  const step = fc.oneof(
    fc.constant({ kind: "open" } as const),
    fc.record({ kind: fc.constant("settle" as const), which: fc.nat(20) }),
    fc.constant({ kind: "send" } as const),
    fc.record({ kind: fc.constant("arrive" as const), which: fc.nat(20) }),
  );
  fc.assert(
    fc.property(fc.array(step, { maxLength: 200 }), fc.integer({ min: 0, max: 4 }), (steps, openLengthMax) => {
      const session = new CallerSession({ openLengthMax });
      const floors = new SessionFloors();
      const open: number[] = [];
      const settled = new Set<number>();
      const underWay: Floor[] = [];
      for (const one of steps) {
        if (one.kind === "open") open.push(session.open());
        if (one.kind === "settle" && open.length > 0) {
          const [number] = open.splice(one.which % open.length, 1);
          session.settle(number!);
          settled.add(number!);
        }
        if (one.kind === "send") underWay.push(session.floor());
        if (one.kind === "arrive" && underWay.length > 0) {
          const [floor] = underWay.splice(one.which % underWay.length, 1);
          floors.raise("s", floor!);
        }
        for (const number of open) assert.ok(!floors.isSettled("s", number));
        assert.ok(session.floor().open.length <= openLengthMax);
      }
      // When everything has arrived, everything that is settled below the last floor is known as settled.
      const last = session.floor();
      floors.raise("s", last);
      for (const number of settled) if (number < last.floor) assert.ok(floors.isSettled("s", number));
    }),
  );
});
