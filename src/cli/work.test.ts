import assert from "node:assert/strict";
import { test } from "node:test";
import type { WorkDetails } from "../runtime/pending-work.ts";
import { detailsText } from "./work.ts";

const parked = { code: "internal", message: "16 attempts failed", at: 0 };
const details: WorkDetails = {
  ...{ id: "transfer/17/204", box: "inbox", service: "transfer", key: "t-1", operation: "start", to: null },
  ...{ since: Date.now(), attempts: 16, parked, holdsTurn: false, principal: "anonymous", request: "r-1" },
  ...{ input: null, journal: [] },
};

test("an operator is shown what a parked command's handler threw, and where", () => {
  const thrown = "TypeError: no such shelf, at pick (file:///app/saga.ts:12:7)";
  assert.match(
    detailsText({ ...details, parked: { ...parked, thrown } }),
    /^thrown +TypeError: no such shelf, at pick/m,
  );
  assert.doesNotMatch(detailsText(details), /thrown/);
});
