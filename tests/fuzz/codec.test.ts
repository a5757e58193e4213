/** Frames and their bytes, without a network: what is written is read, and whatever else is read is refused in order. */
import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { SynodError } from "../../src/errors.ts";
import { createPrng } from "../../src/values/prng.ts";
import { ByteWriter } from "../../src/wire/bytes.ts";
import { writeFrame } from "../../src/wire/codec.ts";
import { FrameDecoder } from "../../src/wire/decoder.ts";
import type { Frame } from "../../src/wire/frames.ts";
import { anyFrame } from "./frames.ts";
import { mutate } from "./mutate.ts";
import { rounds, start } from "./rounds.ts";

const frameBytesMax = 64 * 1024;

function bytesOf(frames: readonly Frame[]): Uint8Array {
  const writer = new ByteWriter();
  for (const frame of frames) writeFrame(writer, frame);
  return writer.take();
}

/** All frames in these bytes, cut into chunks of these sizes in turn; stops at a breach. */
function decode(bytes: Uint8Array, sizes: readonly number[]): { frames: Frame[]; breach: string | undefined } {
  const decoder = new FrameDecoder(frameBytesMax);
  const frames: Frame[] = [];
  try {
    for (let position = 0, turn = 0; position < bytes.length; turn++) {
      const end = position + sizes[turn % sizes.length]!;
      decoder.push(bytes.subarray(position, end), (frame) => frames.push(frame) > 0);
      assert.ok(decoder.heldBytes <= frameBytesMax + 4, "never more than one frame is held");
      position = end;
    }
  } catch (error) {
    assert.ok(error instanceof SynodError, `only a SynodError says that bytes are no frame: ${String(error)}`);
    return { frames, breach: error.message };
  }
  return { frames, breach: undefined };
}

const sizes = fc.array(fc.integer({ min: 1, max: 200 }), { minLength: 1, maxLength: 5 });

test("any frames come back from their bytes, however those are cut", () => {
  fc.assert(
    fc.property(fc.array(anyFrame, { maxLength: 6 }), sizes, (frames, cuts) => {
      assert.deepEqual(decode(bytesOf(frames), cuts), { frames, breach: undefined });
    }),
    { seed: start, numRuns: rounds },
  );
});

test("spoilt frames are other frames or a breach, the same however they are cut, and nothing worse", () => {
  const names = Object.getOwnPropertyNames(Object.prototype);
  let breaches = 0;
  fc.assert(
    fc.property(fc.array(anyFrame, { minLength: 1, maxLength: 4 }), sizes, fc.nat(2 ** 31), (frames, cuts, seed) => {
      const bytes = mutate(bytesOf(frames), createPrng(seed));
      const whole = decode(bytes, [Math.max(1, bytes.length)]);
      assert.deepEqual(decode(bytes, cuts), whole);
      if (whole.breach !== undefined) breaches++;
    }),
    { seed: start, numRuns: rounds },
  );
  assert.ok(breaches > rounds / 4, "the mutator spoils something");
  assert.deepEqual(Object.getOwnPropertyNames(Object.prototype), names);
});

test("what is read from spoilt bytes can be written again, to the same bytes", () => {
  fc.assert(
    fc.property(anyFrame, fc.nat(2 ** 31), (frame, seed) => {
      const bytes = mutate(bytesOf([frame]), createPrng(seed));
      const { frames, breach } = decode(bytes, [Math.max(1, bytes.length)]);
      // Fields of later versions behind a hello are dropped; a message may be cut; whatever else is kept.
      const exact = breach === undefined && frames.every(({ kind }) => kind !== "hello");
      const again = bytesOf(frames);
      if (exact) assert.ok(Buffer.from(again).equals(bytes.subarray(0, again.length)));
    }),
    { seed: start + 1, numRuns: rounds },
  );
});
