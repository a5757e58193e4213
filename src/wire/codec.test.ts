import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import { test } from "node:test";
import { SynodError } from "../errors.ts";
import { ByteWriter } from "./bytes.ts";
import { checkCall } from "./calls.ts";
import { readFrame, writeFrame } from "./codec.ts";
import { type CallBody, type CallFrame, type Frame, frameCodes, type HelloFrame, type ReplyBody } from "./frames.ts";
import * as limit from "./limits.ts";

const hello: HelloFrame = {
  kind: "hello",
  versionMin: 1,
  versionMax: 2,
  system: "bank",
  node: "node-1",
  incarnation: 7,
  dial: 3,
  nonce: new Uint8Array(32).fill(0xab),
  frameBytesMax: 65_536,
  callsMax: 1_000,
  callBytesMax: 200,
};

const body: CallBody = {
  service: "account",
  key: "älice",
  operation: "deposit",
  epoch: 300,
  identity: { session: "s", number: 9, floor: 8, open: [2, 5] },
  command: undefined,
  request: "r1",
  principal: "",
  traceparent: undefined,
  input: '{"amount":5}',
};

/** A call with as little as a call can have. */
const keyless: CallBody = {
  service: "r",
  key: undefined,
  operation: "o",
  epoch: undefined,
  identity: undefined,
  command: undefined,
  request: "",
  principal: "",
  traceparent: undefined,
  input: undefined,
};

const call: CallFrame = { kind: "call", number: 1, remainingMs: 250, priority: 2, incarnation: 7, body, bytes: 12 };

function bytesOf(frame: Frame): Buffer {
  const writer = new ByteWriter();
  writeFrame(writer, frame);
  return Buffer.from(writer.take());
}

function reply(replyBody: ReplyBody): Frame {
  return { kind: "reply", number: 5, body: replyBody };
}

const refused = (pattern: RegExp) => (error: unknown) => error instanceof SynodError && pattern.test(error.message);

/** The bytes of protocol versions 1 and 2. A change here is a new version, or a break with every node that runs. */
const golden: readonly (readonly [Frame, string])[] = [
  [hello, `01 01 02 04 62616e6b 06 6e6f64652d31 07 03 ${"ab".repeat(32)} 808004 e807 c801`],
  [{ kind: "proof", proof: new Uint8Array(32).fill(1) }, `02 ${"01".repeat(32)}`],
  [{ ...call, body: { ...keyless, waitFor: "acceptance" }, bytes: 0 }, "03 01 8001 fa01 02 07 01 72 01 6f 00 00"],
  [
    call,
    "03 01 17 fa01 02 07 07 6163636f756e74 07 6465706f736974 00 02 7231 06 c3a46c696365 ac02 01 73 09 08 02 02 03" +
      " 7b22616d6f756e74223a357d",
  ],
  [
    { ...call, body: { ...keyless, command: { id: "c", keyTime: null } }, bytes: 0 },
    "03 01 20 fa01 02 07 01 72 01 6f 00 00 01 63",
  ],
  [
    { ...call, body: { ...keyless, command: { id: "c", keyTime: 300 }, traceparent: "t" }, bytes: 0 },
    "03 01 68 fa01 02 07 01 72 01 6f 00 00 01 74 01 63 ac02",
  ],
  // The only thing that only version 2 says.
  [
    { ...call, body: { ...keyless, command: { id: "c", keyTime: null }, caller: "1.2", input: "1" }, bytes: 1 },
    "03 01 b004 fa01 02 07 01 72 01 6f 00 00 01 63 03 312e32 31",
  ],
  [reply({ kind: "ok", output: "17", replayed: true }), "04 05 00 03 3137"],
  [reply({ kind: "ok", output: undefined, replayed: false }), "04 05 00 00"],
  [
    reply({ kind: "declared", code: "no", message: "m", data: "{}", replayed: false }),
    "04 05 01 01 02 6e6f 01 6d 7b7d",
  ],
  [
    reply({
      kind: "status",
      code: "aborted",
      message: "",
      outcome: "unknown",
      retryable: true,
      retryAfterMs: 9,
      data: undefined,
    }),
    "04 05 02 1c 07 61626f72746564 00 09",
  ],
  [reply({ kind: "moved", revision: 1, epoch: 2, owner: 3, node: "n" }), "04 05 03 60 01 02 03 01 6e"],
  [reply({ kind: "moved", revision: 1, epoch: 2, owner: undefined, node: undefined }), "04 05 03 00 01 02"],
  [{ kind: "cancel", number: 128 }, "05 8001"],
  [{ kind: "chunk", number: 1, last: true, text: "x" }, "06 01 01 78"],
  [{ kind: "credit", number: 0, callsMax: 1, callBytesMax: 2 }, "07 00 01 02"],
  [{ kind: "ping", number: 1 }, "08 01"],
  [{ kind: "pong", number: Number.MAX_SAFE_INTEGER, load: 300 }, "09 ffffffffffffff0f ac02"],
  [{ kind: "goodbye", accepted: 4, cause: "stopped", message: "hm" }, "0a 04 07 73746f70706564 02 686d"],
];

test("every kind of frame has the bytes of its protocol version, and comes back from them", () => {
  for (const [frame, hex] of golden) {
    const bytes = bytesOf(frame);
    assert.equal(bytes.toString("hex", 4), hex.replaceAll(" ", ""), frame.kind);
    assert.equal(bytes.readUInt32BE(0), bytes.length - 4);
    assert.deepEqual(readFrame(bytes.subarray(4)), frame);
  }
  const kinds = new Set(golden.map(([frame]) => frame.kind));
  assert.deepEqual([...kinds].sort(), Object.keys(frameCodes).sort());
});

test("a frame that is cut anywhere is refused, or is another whole frame", () => {
  for (const [frame] of golden) {
    const bytes = bytesOf(frame).subarray(4);
    for (let end = 0; end < bytes.length; end++) {
      try {
        assert.notDeepEqual(readFrame(bytes.subarray(0, end)), frame);
      } catch (error) {
        assert.ok(error instanceof SynodError, String(error));
      }
    }
  }
});

test("a frame with bytes too many is refused, except where the rest is a payload or a later version's hello", () => {
  for (const [frame] of golden) {
    const longer = Buffer.concat([bytesOf(frame).subarray(4), Buffer.from("00", "hex")]);
    const takesRest = frame.kind === "hello" || frame.kind === "call" || frame.kind === "chunk";
    const hasPayload = frame.kind === "reply" && !("data" in frame.body && frame.body.data === undefined);
    if (takesRest || (hasPayload && frame.kind === "reply" && frame.body.kind !== "moved")) continue;
    assert.throws(() => readFrame(longer), refused(/bytes too many/), frame.kind);
  }
  const later = Buffer.concat([bytesOf(hello).subarray(4), Buffer.from("fields of version 9")]);
  assert.deepEqual(readFrame(later), hello);
});

test("what a frame may not be is refused with a reason", () => {
  const cases: readonly (readonly [string, RegExp])[] = [
    ["", /ends in the middle of its kind/],
    ["00", /unknown kind 0/],
    ["0b", /unknown kind 11/],
    ["ff", /unknown kind 255/],
    ["05 8000", /longer than it must be/],
    ["05 ffffffffffffff10", /larger than 9007199254740991/],
    ["05 ffffffffffffffffff01", /larger than/],
    ["03 01 8008", /unknown flags 1024/],
    ["03 01 40 00 00 00 00 00 00 00", /the instant of an id without the id/],
    ["04 05 04 00", /unknown kind 4/],
    ["04 05 00 10", /unknown flags 16/],
    ["04 05 03 01", /unknown flags 1/],
    ["04 05 02 00 02 6e6f 00", /does not fit its kind/],
    ["04 05 01 00 07 61626f72746564 00", /does not fit its kind/],
    ["06 01 02", /unknown flags 2/],
    ["04 05 00 01 ff", /output of a frame is not UTF-8/],
    ["04 05 00 01 eda080", /not UTF-8/],
    ["01 02 01", /oldest version above its newest/],
    ["0a 00 8102", /cause of a frame has 257 bytes/],
    ["0a 00 ffffffff0f", /cause of a frame has 4294967295 bytes/],
    ["03 01 04 00 00 00 00 00 00 00 00", /a session cannot be called ""/],
    ["03 01 04 00 00 00 00 00 00 00 03 6e2331", /a session cannot be called "n#1"/],
    ["03 01 04 00 00 00 00 00 00 00 01 00", /a session cannot be called/],
    ["03 01 04 00 00 00 00 00 00 00 01 73 05 05 e907", /names 1001 open numbers/],
    ["03 01 04 00 00 00 00 00 00 00 01 73 05 05 01 05", /not below its floor/],
    ["03 01 04 00 00 00 00 00 00 00 01 73 05 05 02 01 00", /do not ascend/],
  ];
  for (const [hex, pattern] of cases) {
    assert.throws(() => readFrame(Buffer.from(hex.replaceAll(" ", ""), "hex")), refused(pattern), hex);
  }
});

test("U+FFFD itself is a character like any other", () => {
  const frame = reply({ kind: "ok", output: '"\ufffd"', replayed: false });
  assert.deepEqual(readFrame(bytesOf(frame).subarray(4)), frame);
});

test("a hello that could not take a head is refused", () => {
  const bytes = bytesOf({ ...hello, frameBytesMax: limit.frameBytesMaxLeast - 1 });
  assert.throws(() => readFrame(bytes.subarray(4)), refused(/65535 bytes are the longest/));
});

test("a call that no link carries is refused before it is written", () => {
  const long = (bytes: number) => "é".repeat(bytes / 2);
  const bodies: readonly (readonly [Partial<CallBody>, RegExp])[] = [
    [{ service: long(258) }, /the service has 258 bytes, and a link carries at most 256/],
    [{ operation: long(258) }, /the operation/],
    [{ key: long(4_098) }, /the key has 4098 bytes/],
    [{ principal: long(1_026) }, /the principal/],
    [{ caller: long(1_026) }, /the caller/],
    [{ traceparent: long(258) }, /the traceparent/],
    [{ command: { id: long(258), keyTime: null } }, /the command id has 258 bytes/],
    [{ request: long(514) }, /the request has 514 bytes/],
    [{ identity: { ...body.identity!, session: long(258) } }, /the session/],
    [
      { identity: { ...body.identity!, floor: 9_999, open: Array.from({ length: 1_001 }, (_, n) => n) } },
      /1001 numbers/,
    ],
  ];
  for (const [change, pattern] of bodies) assert.throws(() => checkCall({ ...body, ...change }), refused(pattern));
  checkCall({ ...body, key: long(4_096), service: long(256) });
});

test("the largest head fits into the bytes that are kept for it", () => {
  const text = (bytes: number) => "x".repeat(bytes);
  const open = Array.from({ length: limit.openNumbersMax }, (_, index) => index * 2 ** 42);
  const largest: CallBody = {
    service: text(limit.nameBytesMax),
    key: text(limit.keyBytesMax),
    operation: text(limit.nameBytesMax),
    epoch: Number.MAX_SAFE_INTEGER,
    identity: { session: text(limit.sessionBytesMax), number: 2 ** 53 - 1, floor: 2 ** 53 - 1, open },
    command: { id: text(limit.commandIdBytesMax), keyTime: Number.MAX_SAFE_INTEGER },
    request: text(limit.requestBytesMax),
    principal: text(limit.principalBytesMax),
    caller: text(limit.principalBytesMax),
    traceparent: text(limit.traceparentBytesMax),
    input: "",
  };
  assert.ok(bytesOf({ ...call, remainingMs: 2 ** 52, body: largest }).length < limit.headBytesMax);
});

test("a frame that cannot be written leaves no trace in the writer", () => {
  const writer = new ByteWriter();
  writeFrame(writer, { kind: "ping", number: 1 });
  assert.throws(() => writeFrame(writer, { ...call, number: -1 }), RangeError);
  assert.throws(() => writeFrame(writer, { ...call, body: { ...body, key: "x".repeat(5_000) } }), SynodError);
  writeFrame(writer, { kind: "ping", number: 2 });
  assert.equal(Buffer.from(writer.take()).toString("hex"), "00000002080100000002" + "0802");
});

test("a message that is too long is cut between characters", () => {
  const bytes = bytesOf({ kind: "goodbye", accepted: 0, cause: "breach", message: "😀".repeat(5_000) });
  const frame = readFrame(bytes.subarray(4));
  assert.ok(frame.kind === "goodbye" && frame.message.isWellFormed() && frame.message.endsWith("…"));
});

test("what a writer handed out is not written to again, across slabs and large texts", () => {
  const writer = new ByteWriter();
  const taken: { bytes: Uint8Array; copy: Buffer }[] = [];
  for (let index = 0; index < 200; index++) {
    const size = index % 50 === 49 ? 70_000 : index * 7;
    writeFrame(writer, reply({ kind: "ok", output: "ü".repeat(size), replayed: false }));
    if (index % 3 === 0) continue;
    const bytes = writer.take();
    taken.push({ bytes, copy: Buffer.from(bytes) });
  }
  for (const { bytes, copy } of taken) assert.ok(copy.equals(bytes));
});
