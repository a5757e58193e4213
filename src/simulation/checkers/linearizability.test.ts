import assert from "node:assert/strict";
import { test } from "node:test";
import { SynodError } from "../../errors.ts";
import { pairOperations } from "../operations.ts";
import { scriptedHistory } from "../script.ts";
import { appendListModel } from "./append-list.ts";
import { counterModel } from "./counter.ts";
import { checkLinearizability } from "./linearizability.ts";
import type { Model } from "./model.ts";
import { registerModel } from "./register.ts";
import { describe, formatVerdict, type Verdict } from "./verdict.ts";

function check<State>(script: string, model: Model<State>): Verdict {
  return checkLinearizability(pairOperations(scriptedHistory(script)), model);
}

const register: Model<unknown> = registerModel() as Model<unknown>;
const counter: Model<unknown> = counterModel() as Model<unknown>;
const list: Model<unknown> = appendListModel() as Model<unknown>;

for (const [what, model, script] of [
  ["an empty history", register, "0 read"],
  ["one operation after the other", register, "0 write 1 | 0 ok | 1 read | 1 ok 1 | 0 read | 0 ok 1"],
  ["a read of the initial state", register, "0 read | 0 ok null"],
  ["a read concurrent with a write, seeing the old value", register, "0 write 1 | 1 read | 1 ok null | 0 ok"],
  ["a read concurrent with a write, seeing the new value", register, "0 write 1 | 1 read | 1 ok 1 | 0 ok"],
  ["old and new seen one after the other", register, "0 write 1 | 1 read | 1 ok null | 1 read | 1 ok 1 | 0 ok"],
  ["a write of unknown outcome that happened", register, "0 write 1 | 0 info | 1 read | 1 ok 1"],
  ["a write of unknown outcome that never happened", register, "0 write 1 | 0 info | 1 read | 1 ok null"],
  [
    "a write of unknown outcome that happened late",
    register,
    "0 write 1 | 0 info | 1 write 2 | 1 ok | 1 read | 1 ok 2 | 1 read | 1 ok 1",
  ],
  ["an operation that the history leaves open", register, "0 write 1 | 1 read | 1 ok 1"],
  ["a failed write that nobody saw", register, "0 write 1 | 0 fail | 1 read | 1 ok null"],
  ["a cas that swaps", register, "0 cas [null,1] | 0 ok true | 0 read | 0 ok 1"],
  ["a cas that does not swap", register, "0 cas [5,1] | 0 ok false | 0 read | 0 ok null"],
  [
    "two of three concurrent cas that lose",
    register,
    "0 cas [null,1] | 1 cas [null,2] | 2 cas [null,3] | 0 ok false | 1 ok true | 2 ok false | 3 read | 3 ok 2",
  ],
  [
    "a cas of unknown outcome that only makes sense after another",
    register,
    "0 cas [1,2] | 0 info | 1 write 1 | 1 info | 2 read | 2 ok 2",
  ],
  [
    "values that are objects, whatever the order of their members",
    register,
    '0 write {"a":1,"b":2} | 0 ok | 0 read | 0 ok {"b":2,"a":1}',
  ],
  ["keys that know nothing of each other", register, "0 write@a 1 | 0 ok | 0 read@b | 0 ok null"],
  ["adds that answer totals", counter, "0 add 1 | 1 add 2 | 1 ok 3 | 0 ok 1 | 0 read | 0 ok 3"],
  ["an add of unknown outcome", counter, "0 add 5 | 0 info | 1 read | 1 ok 0 | 1 read | 1 ok 5"],
  ["concurrent appends", list, "0 append 1 | 1 append 2 | 0 ok | 1 ok | 2 read | 2 ok [2,1]"],
  ["an append of unknown outcome", list, "0 append 1 | 0 info | 1 append 2 | 1 ok | 1 read | 1 ok [2,1]"],
] as const) {
  test(`linearizable: ${what}`, () => {
    const verdict = check(script, model);
    assert.equal(verdict.status, "holds", formatVerdict(verdict));
  });
}

/** The history, and the operations that its explanation must come down to. */
for (const [what, model, script, core] of [
  [
    "a stale read",
    register,
    "0 write 1 | 0 ok | 0 write 2 | 0 ok | 1 read | 1 ok 1",
    ["write 1 → ok", "write 2 → ok", "read → 1"],
  ],
  ["a lost write", register, "0 write 1 | 0 ok | 1 read | 1 ok", ["write 1 → ok", "read → ok"]],
  ["a value that nobody wrote", register, "0 write 1 | 0 ok | 1 read | 1 ok 7", ["read → 7"]],
  ["a failed write that shows", register, "0 write 1 | 0 fail | 1 read | 1 ok 1", ["read → 1"]],
  [
    "reads that go back",
    register,
    "0 write 1 | 1 read | 1 ok 1 | 2 read | 2 ok null | 0 ok",
    ["read → 1", "read → ok"],
  ],
  [
    "reads that disagree about the order of two writes",
    register,
    "0 write 1 | 1 write 2 | 2 read | 2 ok 1 | 2 read | 2 ok 2 | 2 read | 2 ok 1 | 0 ok | 1 ok",
    ["read → 1", "read → 2", "read → 1"],
  ],
  ["a read before the write that it sees", register, "1 read | 1 ok 1 | 0 write 1 | 0 ok", ["read → 1"]],
  [
    "a cas that is applied twice",
    register,
    "0 cas [null,1] | 0 ok true | 1 cas [null,2] | 1 ok true",
    ["cas [null,1] → true", "cas [null,2] → true"],
  ],
  [
    "two concurrent cas that both win",
    register,
    "0 cas [null,1] | 1 cas [null,2] | 0 ok true | 1 ok true",
    ["cas [null,1] → true", "cas [null,2] → true"],
  ],
  ["a cas that should have swapped", register, "0 cas [null,1] | 0 ok false", ["cas [null,1] → false"]],
  [
    "a lost update",
    counter,
    "0 add 1 | 0 ok | 1 add 1 | 1 ok | 2 read | 2 ok 1",
    ["add 1 → ok", "add 1 → ok", "read → 1"],
  ],
  ["a duplicate add", counter, "0 add 3 | 0 ok | 1 read | 1 ok 6", ["read → 6"]],
  ["an add of unknown outcome that is applied twice", counter, "0 add 3 | 0 info | 1 read | 1 ok 6", ["read → 6"]],
  ["one total for two adds", counter, "0 add 1 | 1 add 1 | 0 ok 1 | 1 ok 1", ["add 1 → 1", "add 1 → 1"]],
  [
    "an acknowledged append that is lost",
    list,
    "0 append 1 | 0 ok | 0 append 2 | 0 ok | 1 read | 1 ok [2]",
    ["append 1 → ok", "read → [2]"],
  ],
  [
    "appends in another order than they were acknowledged",
    list,
    "0 append 1 | 0 ok | 0 append 2 | 0 ok | 1 read | 1 ok [2,1]",
    ["append 1 → ok", "read → [2,1]"],
  ],
  [
    "lists that are no prefix of each other",
    list,
    "0 append 1 | 1 append 2 | 2 read | 3 read | 2 ok [1] | 3 ok [2] | 0 ok | 1 ok",
    ["read → [1]", "read → [2]"],
  ],
  ["an append that is doubled", list, "0 append 1 | 0 ok | 1 read | 1 ok [1,1]", ["read → [1,1]"]],
] as const) {
  test(`not linearizable: ${what}`, () => {
    const verdict = check(script, model);
    assert.equal(verdict.status, "broken");
    assert.deepEqual(
      verdict.findings[0]?.operations?.map((operation) => describe(operation)),
      core,
      formatVerdict(verdict),
    );
  });
}

test("an explanation shows how far an order goes, what has no place, and the contradiction over time", () => {
  const verdict = check(
    "0 write 1 | 0 ok | 3 write 5 | 0 write 2 | 3 ok | 0 ok | 1 read | 2 read | 2 ok 2 | 1 ok 1 | 0 read | 0 ok 2",
    register,
  );
  assert.equal(
    formatVerdict(verdict),
    `linearizable: broken (6 operations checked)
  the register "k" is not linearizable:
    an order of 4 of the 6 operations fits: write 1 → ok, write 5 → ok, write 2 → ok, read → 2
    it leads to the state 2, where read → 1 has no place
    at first the state is null; no order explains what follows:
      ├─┤         write 1 → ok (process 0, events 0 to 1)
          ├─┤     write 2 → ok (process 0, events 3 to 5)
              ├─┤ read → 1 (process 1, events 6 to 9)
    whenever, if ever, these took effect: write 5 → ok`,
  );
});

test("every broken key is found, and one of them is enough", () => {
  const verdict = check("0 read@a | 0 ok 1 | 0 read@b | 0 ok null | 0 read@c | 0 ok 3", register);
  assert.equal(verdict.status, "broken");
  assert.deepEqual(
    verdict.findings.map(({ key }) => key),
    ["a", "c"],
  );
});

test("a search that hits a bound is undecided, and says which", () => {
  const script = "0 write 1 | 1 write 2 | 2 read | 2 ok 3 | 0 ok | 1 ok";
  const operations = pairOperations(scriptedHistory(script));
  const bounded = checkLinearizability(operations, register, { configurationsTotalMax: 2 });
  assert.equal(bounded.status, "undecided");
  assert.match(formatVerdict(bounded), /undecided.*\n.*"k", 3 operations: gave up after 2 configurations/);
});

test("an operation that the model does not know is an error, not a verdict", () => {
  for (const model of [register, counter, list]) {
    assert.throws(
      () => check("0 launch 1 | 0 ok", model),
      (error) => error instanceof SynodError && error.message.includes("has no operation launch"),
    );
  }
});
