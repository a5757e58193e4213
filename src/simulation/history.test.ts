import assert from "node:assert/strict";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import fc from "fast-check";
import { SynodError } from "../errors.ts";
import { formatEvent, type HistoryEvent, HistoryRecorder, parseHistory } from "./history.ts";
import { HistoryFile, readHistoryFile } from "./history-file.ts";
import { pairOperations } from "./operations.ts";
import { scriptedHistory } from "./script.ts";

const directory = mkdtempSync(join(tmpdir(), "synod-history-"));
after(() => rmSync(directory, { recursive: true }));

function recorded(record: (recorder: HistoryRecorder) => void): HistoryEvent[] {
  const events: HistoryEvent[] = [];
  let now = 0;
  record(new HistoryRecorder({ now: () => (now += 1_000), emit: (event) => events.push(event) }));
  return events;
}

function refuses(run: () => unknown, message: RegExp): void {
  assert.throws(run, (error) => error instanceof SynodError && message.test(error.message));
}

test("events of several clients and faults are numbered without gaps, in the order in which they happen", () => {
  const events = recorded((recorder) => {
    const [a, b] = [recorder.client(), recorder.client()];
    a.invoke("write", "x", 1);
    b.invoke("read", "x");
    recorder.fault("kill", { signal: 9 }, "node-2");
    b.ok(null, { node: "node-1", epoch: 4 });
    a.ok();
  });
  assert.deepEqual(
    events.map((event) => [event.index, event.time, event.process, event.type, event.f]),
    [
      [0, 1_000, 0, "invoke", "write"],
      [1, 2_000, 1, "invoke", "read"],
      [2, 3_000, "fault", "info", "kill"],
      [3, 4_000, 1, "ok", "read"],
      [4, 5_000, 0, "ok", "write"],
    ],
  );
  assert.equal(
    formatEvent(events[3]!),
    '{"index":3,"time":4000,"process":1,"type":"ok","f":"read","key":"x","value":null,"node":"node-1","epoch":4}',
  );
});

test("a client goes on under a new process id after info, and only then", () => {
  const events = recorded((recorder) => {
    const [a, b] = [recorder.client(), recorder.client()];
    for (const client of [a, b]) client.invoke("read", "x");
    a.info("deadline_exceeded");
    b.fail("unavailable");
    for (const client of [a, b]) client.invoke("read", "x");
  });
  assert.deepEqual(
    events.map(({ process }) => process),
    [0, 1, 0, 1, 2, 1],
  );
});

test("an error is recorded by its outcome, and a declared error is a reply", () => {
  const errors = [
    new SynodError("insufficientFunds", "no", { data: { balance: 3 } }),
    new SynodError("resource_exhausted", "shed"),
    new SynodError("unavailable", "lost", { outcome: "unknown" }),
  ];
  const events = recorded((recorder) => {
    const client = recorder.client();
    for (const error of errors) {
      client.invoke("withdraw", "alice", 5);
      client.failed(error);
    }
  });
  const operations = pairOperations(events);
  assert.deepEqual(
    operations.map(({ outcome }) => outcome),
    ["ok", "fail", "info"],
  );
  assert.deepEqual(operations[0]?.reply, { value: { balance: 3 }, error: "insufficientFunds" });
});

test("a client that completes nothing, or invokes twice, is told so", () => {
  const client = new HistoryRecorder({ now: () => 0, emit: () => {} }).client();
  refuses(() => client.ok(), /completes an operation without an open one/);
  client.invoke("read", "x");
  refuses(() => client.invoke("write", "x"), /process 0 invokes write while read is open/);
});

test("what a file was given comes back equal, and is there before the file is closed", () => {
  const events = recorded((recorder) => {
    const client = recorder.client();
    client.invoke("append", "läster|key\n", { text: "ü", list: [1, null] });
    client.ok({ list: [1, 2, 3] }, { node: "node-3", epoch: 1 });
    recorder.fault("partition", [["node-1"], ["node-2"]]);
  });
  const path = join(directory, "round-trip.jsonl");
  using file = new HistoryFile(path);
  for (const event of events) file.append(event);
  const withoutUndefined = JSON.parse(JSON.stringify(events));
  assert.deepEqual(readHistoryFile(path), withoutUndefined);
});

/** A member of this name is refused wherever a value is taken. */
const isTaken = (value: unknown): boolean => !JSON.stringify(value).includes('"__proto__"');

test("any values that are JSON survive the file", () => {
  const path = join(directory, "values.jsonl");
  fc.assert(
    fc.property(fc.array(fc.jsonValue({ noUnicodeString: true }).filter(isTaken), { maxLength: 5 }), (values) => {
      const clean = values.map((value) => JSON.parse(JSON.stringify(value)));
      const events = recorded((recorder) => {
        for (const value of clean) recorder.client().invoke("write", "k", value);
      });
      rmSync(path, { force: true });
      using file = new HistoryFile(path);
      for (const event of events) file.append(event);
      assert.deepEqual(
        readHistoryFile(path).map(({ value }) => value),
        clean,
      );
    }),
    { numRuns: 50 },
  );
});

test("a value that is not JSON is refused when it is recorded, not bent", () => {
  using file = new HistoryFile(join(directory, "refused.jsonl"));
  const recorder = new HistoryRecorder({ now: () => 0, emit: (event) => file.append(event) });
  refuses(() => recorder.client().invoke("write", "x", Number.NaN), /event 0 of the history is not JSON: \$\.value/);
});

test("a history never overwrites another, and a closed one takes nothing", () => {
  const path = join(directory, "once.jsonl");
  const file = new HistoryFile(path);
  file.close();
  refuses(() => new HistoryFile(path), /cannot start the history .*once\.jsonl/);
  refuses(() => file.append(scriptedHistory("0 read")[0]!), /is closed/);
  refuses(() => readHistoryFile(join(directory, "absent.jsonl")), /cannot read the history/);
});

const goodLine = '{"index":0,"time":5,"process":0,"type":"invoke","f":"read","key":"k"}';

for (const [what, lines, message] of [
  ["cut short", [goodLine, '{"index":1,"ti'], /here, line 2 cannot be read as JSON/],
  ["empty", [goodLine, ""], /here, line 2 cannot be read as JSON/],
  ["an array", ["[]"], /here, line 1: is not an object/],
  ["out of sequence", [goodLine, goodLine], /here, line 2: index is 0 where 1 comes next/],
  ["back in time", [goodLine, goodLine.replace(":0,", ":1,").replace("5", "4")], /line 2: time goes backwards/],
  ["of an unknown type", [goodLine.replace("invoke", "done")], /line 1: type must be/],
  ["without a key", [goodLine.replace(',"key":"k"', "")], /line 1: key must be a string or null/],
  ["of a nameless process", [goodLine.replace('"process":0', '"process":"a"')], /line 1: process must be/],
  ["with an epoch that is none", [goodLine.replace("}", ',"epoch":-1}')], /line 1: epoch must be/],
] as const) {
  test(`a line that is ${what} is refused with its number`, () => {
    refuses(() => parseHistory(lines, "here"), message);
  });
}

test("a file whose last line was cut is refused at that line", () => {
  const path = join(directory, "cut.jsonl");
  writeFileSync(path, `${goodLine}\n${goodLine.slice(0, 20)}`);
  refuses(() => readHistoryFile(path), /cut\.jsonl, line 2/);
  assert.equal(readFileSync(path, "utf8").split("\n").length, 2);
});

test("invocations are paired with their completions, and what is left open is unknown", () => {
  const operations = pairOperations(
    scriptedHistory("0 write 1 | 1 read@b | 0 ok | 2 write 2 | 1 ok 7 | 2 info | 3 read"),
  );
  assert.deepEqual(
    operations.map(({ f, key, outcome, reply, invokedAt, completedAt }) => [
      f,
      key,
      outcome,
      reply?.value,
      invokedAt,
      completedAt,
    ]),
    [
      ["write", "k", "ok", undefined, 0, 2],
      ["read", "b", "ok", 7, 1, 4],
      ["write", "k", "info", undefined, 3, Number.POSITIVE_INFINITY],
      ["read", "k", "info", undefined, 6, Number.POSITIVE_INFINITY],
    ],
  );
});

test("what no strictly sequential process can have done is refused", () => {
  const events = scriptedHistory("0 write 1 | 0 info | 1 read | 1 ok 1");
  const renumbered = (changes: readonly object[]) => events.map((event, at) => ({ ...event, ...changes[at] }));
  const pair = (changes: readonly object[]) => () => pairOperations(renumbered(changes) as HistoryEvent[]);
  refuses(pair([{}, {}, { process: 0 }]), /event 2 .* process 0 acts again after info/);
  refuses(pair([{}, { process: 1 }]), /event 1 .* process 1 completes write, which it did not invoke/);
  refuses(pair([{}, { process: 5, type: "invoke" }, { process: 0 }]), /process 0 invokes read while write is open/);
  refuses(pair([{}, {}, {}, { key: "other" }]), /completes read of key "other" while read of key "k" is open/);
});
