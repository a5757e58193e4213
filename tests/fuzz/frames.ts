/** Arbitrary frames, valid by construction: the structure-aware half of the fuzzing. */
import fc from "fast-check";
import { statusCodes } from "../../src/errors.ts";
import { isSessionName } from "../../src/values/ids.ts";
import type { CallBody, CallFrame, Frame, HelloFrame, ReplyBody } from "../../src/wire/frames.ts";

/** Records as the decoder makes them. */
function record<Fields>(model: { [Name in keyof Fields]: fc.Arbitrary<Fields[Name]> }): fc.Arbitrary<Fields> {
  return fc.record(model, { noNullPrototype: true }) as fc.Arbitrary<Fields>;
}

const number = fc.oneof(fc.nat(300), fc.maxSafeNat());
/** Texts that a link carries: whatever a string can be, except halves of characters. */
const text = (maxLength: number) =>
  fc.oneof(
    fc.string({ maxLength, unit: "binary" }),
    fc.constantFrom("", "__proto__", "constructor", "\u0000", "\ufffd", "😀"),
  );
const payload = fc.option(fc.oneof(text(40), fc.json()), { nil: undefined });
const optionalNumber = fc.option(number, { nil: undefined });
const statusCode = fc.constantFrom(...Object.keys(statusCodes));
const declaredCode = text(20).filter((code) => !Object.hasOwn(statusCodes, code));

const identity = fc
  .record({
    session: text(20).filter(isSessionName),
    number,
    floor: number,
    open: fc.uniqueArray(fc.nat(100_000), { maxLength: 20 }),
  })
  .map(({ open, floor, ...rest }) => {
    const ascending = open.toSorted((a, b) => a - b);
    return { ...rest, open: ascending, floor: Math.max(floor, (ascending.at(-1) ?? -1) + 1) };
  });

const bodyWithoutCaller: fc.Arbitrary<CallBody> = record({
  service: text(20),
  key: fc.option(text(40), { nil: undefined }),
  operation: text(20),
  epoch: optionalNumber,
  identity: fc.option(identity, { nil: undefined }),
  command: fc.option(record({ id: text(20), keyTime: fc.oneof(fc.constant(null), number) }), { nil: undefined }),
  request: text(20),
  principal: text(20),
  traceparent: fc.option(text(55), { nil: undefined }),
  input: payload,
});
const body: fc.Arbitrary<CallBody> = fc.oneof(
  bodyWithoutCaller,
  fc.tuple(bodyWithoutCaller, text(20)).map(([rest, caller]) => ({ ...rest, caller })),
);

const call: fc.Arbitrary<CallFrame> = fc
  .record({ number, remainingMs: number, priority: fc.nat(255), incarnation: number, body })
  .map((frame) => ({ kind: "call", ...frame, bytes: Buffer.byteLength(frame.body.input ?? "") }));

const replyBody: fc.Arbitrary<ReplyBody> = fc.oneof(
  record({ kind: fc.constant("ok" as const), output: payload, replayed: fc.boolean() }),
  record({
    kind: fc.constant("declared" as const),
    code: declaredCode,
    message: text(40),
    data: payload,
    replayed: fc.boolean(),
  }),
  record({
    kind: fc.constant("status" as const),
    code: statusCode,
    message: text(40),
    outcome: fc.constantFrom("unknown" as const, "not-happened" as const),
    retryable: fc.boolean(),
    retryAfterMs: optionalNumber,
    data: payload,
  }),
  record({
    kind: fc.constant("moved" as const),
    revision: number,
    epoch: number,
    owner: optionalNumber,
    node: fc.option(text(20), { nil: undefined }),
  }),
);

const hello: fc.Arbitrary<HelloFrame> = fc
  .record({
    versionMin: fc.nat(3),
    span: fc.nat(3),
    system: fc.oneof(fc.constant("bank"), text(20)),
    node: text(20),
    incarnation: number,
    dial: number,
    nonce: fc.uint8Array({ minLength: 32, maxLength: 32 }),
    frameBytesMax: fc.integer({ min: 64 * 1024, max: 2 ** 40 }),
    callsMax: number,
    callBytesMax: number,
  })
  .map(({ span, versionMin, ...rest }) => ({ kind: "hello", versionMin, versionMax: versionMin + span, ...rest }));

/** Any frame that a link can carry. */
export const anyFrame: fc.Arbitrary<Frame> = fc.oneof(
  { weight: 4, arbitrary: call },
  { weight: 3, arbitrary: record({ kind: fc.constant("reply" as const), number, body: replyBody }) },
  { weight: 2, arbitrary: hello },
  record({ kind: fc.constant("proof" as const), proof: fc.uint8Array({ minLength: 32, maxLength: 32 }) }),
  record({ kind: fc.constantFrom("cancel" as const), number }),
  record({ kind: fc.constant("ping" as const), number }),
  record({ kind: fc.constant("pong" as const), number, load: number }),
  record({ kind: fc.constant("chunk" as const), number, last: fc.boolean(), text: text(40) }),
  record({ kind: fc.constant("credit" as const), number, callsMax: number, callBytesMax: number }),
  record({ kind: fc.constant("goodbye" as const), accepted: number, cause: text(20), message: text(40) }),
);
