/** Who is let in, and when somebody is dialled again. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { admit, arrive, createAdmission, leave } from "./admission.ts";
import { createDialling, noteEnded, noteOpened } from "./dialling.ts";

test("so many strangers are let in at a time, and a place is free when one has left or proved itself", () => {
  const admission = createAdmission();
  assert.ok(arrive(admission, 1, 2));
  assert.ok(arrive(admission, 2, 2));
  assert.equal(arrive(admission, 3, 2), false);
  leave(admission, 1, undefined);
  assert.ok(arrive(admission, 4, 2));
  admit(admission, 2, { node: "a", incarnation: 1, dial: 1 });
  assert.ok(arrive(admission, 5, 2));
});

test("of one incarnation only the newest dial is kept, and other incarnations are nobody's rivals", () => {
  const admission = createAdmission();
  const verdict = (connection: number, incarnation: number, dial: number) =>
    admit(admission, connection, { node: "a", incarnation, dial });
  assert.deepEqual(verdict(1, 5, 1), { admitted: true, replaces: undefined });
  assert.deepEqual(verdict(2, 5, 2), { admitted: true, replaces: 1 });
  assert.deepEqual(verdict(3, 5, 2), {
    admitted: false,
    cause: "stale",
    message: "dial 2 of node a came before dial 2",
  });
  assert.deepEqual(verdict(4, 6, 1), { admitted: true, replaces: undefined });
  assert.deepEqual(verdict(5, 5, 9), { admitted: true, replaces: 2 });
  leave(admission, 4, 6);
  assert.deepEqual(verdict(6, 6, 1), { admitted: true, replaces: undefined });
});

test("a replaced connection that leaves late does not free its successor's place", () => {
  const admission = createAdmission();
  admit(admission, 1, { node: "a", incarnation: 1, dial: 1 });
  admit(admission, 2, { node: "a", incarnation: 1, dial: 2 });
  leave(admission, 1, 1);
  assert.deepEqual(admit(admission, 3, { node: "a", incarnation: 1, dial: 3 }), { admitted: true, replaces: 2 });
});

test("waits double up to their bound with every failure in a row, with full jitter", () => {
  const limits = { backoffFirstMs: 20, backoffMaxMs: 1_000 };
  const dialling = createDialling();
  const bounds = Array.from({ length: 8 }, () => noteEnded(dialling, "refused", 1, 100, limits) - 100);
  assert.deepEqual(bounds, [20, 40, 80, 160, 320, 640, 1_000, 1_000]);
  assert.equal(noteEnded(dialling, "lost", 0, 100, limits), 100);
  assert.equal(noteEnded(dialling, "lost", 0.5, 100, limits), 600);
  assert.deepEqual(
    [...dialling.causes],
    [
      ["refused", 8],
      ["lost", 2],
    ],
  );
});

test("a link that lasted starts the waits over; one that was closed at once does not", () => {
  const limits = { backoffFirstMs: 20, backoffMaxMs: 1_000 };
  const dialling = createDialling();
  noteEnded(dialling, "refused", 1, 0, limits);
  noteOpened(dialling, 100);
  assert.equal(noteEnded(dialling, "stale", 1, 150, limits) - 150, 40);
  noteOpened(dialling, 200);
  assert.equal(noteEnded(dialling, "lost", 1, 1_200, limits) - 1_200, 20);
  assert.equal(dialling.reconnects, 1);
});
